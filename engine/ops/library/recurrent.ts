/** Recurrent layers over [B, T, in], unrolled over time; weights, gates and starts are those of torch.nn.RNN, GRU and LSTM. */
import type { Dim } from '../../dim/dim.ts';
import type { GraphBuilder, Value } from '../builder.ts';
import { demand, known, number, tensor } from './arguments.ts';
import type { Arguments, BuildContext, TensorFunction } from './function.ts';
import { sigmoid } from './numerics.ts';

/** Both projections of one step, [B, gates * size] each, biases included, and the states before; gives the states after, the output first. */
type Cell = (
  b: GraphBuilder,
  fromInput: Value,
  fromState: Value,
  states: readonly Value[],
  size: number,
) => readonly Value[];

/** Gate number `at` of a projection. */
function gate(b: GraphBuilder, projection: Value, at: number, size: number): Value {
  return b.sliceAxis(projection, 1, at * size, size);
}

const vanilla: Cell = (b, fromInput, fromState) => [b.tanh(b.add(fromInput, fromState))];

/** Gates r, z, n: h' = (1 - z) n + z h with n = tanh(W x + r (U h)) (Cho et al., 2014). */
const gru: Cell = (b, fromInput, fromState, [h], size) => {
  const both = (at: number) => sigmoid(b, b.add(gate(b, fromInput, at, size), gate(b, fromState, at, size)));
  const [reset, update] = [both(0), both(1)];
  const candidate = b.tanh(b.add(gate(b, fromInput, 2, size), b.mul(reset, gate(b, fromState, 2, size))));
  return [b.add(candidate, b.mul(update, b.sub(h!, candidate)))];
};

/** Gates i, f, g, o: c' = f c + i g, h' = o tanh(c') (Hochreiter and Schmidhuber, 1997). */
const lstm: Cell = (b, fromInput, fromState, [, c], size) => {
  const all = b.add(fromInput, fromState);
  const [input, forget, output] = [0, 1, 3].map(at => sigmoid(b, gate(b, all, at, size)));
  const next = b.add(b.mul(forget!, c!), b.mul(input!, b.tanh(gate(b, all, 2, size))));
  return [b.mul(output!, b.tanh(next)), next];
};

function unrolled(
  context: BuildContext,
  args: Arguments,
  name: string,
  gates: number,
  states: number,
  cell: Cell,
): Value {
  const { b } = context;
  const x = tensor(args, 'x');
  const [batch, length, inputs] = x.type.shape as [Dim, Dim, Dim];
  const size = number(args, 'size');
  demand(size >= 1, name, 'a size of at least 1', size);
  const init = { kind: 'uniform', bound: 1 / Math.sqrt(size) } as const;
  const weight = context.parameter('weight_ih_l0', [gates * size, known(name, inputs)], init);
  const recurrent = context.parameter('weight_hh_l0', [gates * size, size], init);
  const [bias, inner] = ['bias_ih_l0', 'bias_hh_l0'].map(each => context.parameter(each, [gates * size], init));
  // One product for all steps; only the recurrent half has to wait for the step before. With time first, a step's rows are contiguous.
  const projected = b.add(b.matmul(b.transpose(x, [1, 0, 2]), weight, { transposeB: true }), bias!);
  const outputs: Value[] = [];
  let current: readonly Value[] = Array.from({ length: states }, () =>
    b.constant(0, { dtype: 'f32', shape: [batch, size] }),
  );
  for (let t = 0; t < known(name, length); t++) {
    const fromInput = b.squeeze(b.sliceAxis(projected, 0, t, 1), [0]);
    const fromState = b.add(b.matmul(current[0]!, recurrent, { transposeB: true }), inner!);
    current = cell(b, fromInput, fromState, current, size);
    outputs.push(current[0]!);
  }
  return b.transpose(b.stack(outputs, 0), [1, 0, 2]);
}

function layer(name: string, gates: number, states: number, cell: Cell, doc: string): TensorFunction {
  return {
    kind: 'layer',
    name,
    signature: `${name}(x: [B, T, in], size: int) -> [B, T, size]`,
    doc: `${doc} Gives the output of every step, from states of 0; all weights start uniform within 1 / sqrt(size).`,
    example: `x |> ${name}(128)`,
    build: (context, args) => unrolled(context, args, name, gates, states, cell),
  };
}

export const recurrentLayers: readonly TensorFunction[] = [
  layer('rnn', 1, 1, vanilla, 'h = tanh(W x + U h) over time (Elman, 1990).'),
  layer('gru', 3, 1, gru, 'The gated recurrent unit over time (Cho et al., 2014).'),
  layer('lstm', 4, 2, lstm, 'Long short-term memory over time (Hochreiter and Schmidhuber, 1997).'),
];
