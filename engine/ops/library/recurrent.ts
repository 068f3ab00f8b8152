/** Recurrent layers over [B, T, in], each a loop over time; weights, gates and starts are those of torch.nn.RNN, GRU and LSTM. */
import { type Dim, mulDim } from '../../dim/dim.ts';
import { never } from '../../util/errors.ts';
import type { GraphBuilder, Value } from '../builder.ts';
import { buildScan } from '../scan.ts';
import { demand, dimension, flag, known, number, optionalTensor, tensor, typeOf } from './arguments.ts';
import type { Arguments, BuildContext, TensorFunction } from './function.ts';

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
  const both = (at: number) => b.sigmoid(b.add(gate(b, fromInput, at, size), gate(b, fromState, at, size)));
  const [reset, update] = [both(0), both(1)];
  const candidate = b.tanh(b.add(gate(b, fromInput, 2, size), b.mul(reset, gate(b, fromState, 2, size))));
  return [b.add(candidate, b.mul(update, b.sub(h!, candidate)))];
};

/** Gates i, f, g, o: c' = f c + i g, h' = o tanh(c') (Hochreiter and Schmidhuber, 1997). */
const lstm: Cell = (b, fromInput, fromState, [, c], size) => {
  const all = b.add(fromInput, fromState);
  const [input, forget, output] = [0, 1, 3].map(at => b.sigmoid(gate(b, all, at, size)));
  const next = b.add(b.mul(forget!, c!), b.mul(input!, b.tanh(gate(b, all, 2, size))));
  return [b.mul(output!, b.tanh(next)), next];
};

interface Kind {
  readonly name: string;
  readonly gates: number;
  readonly states: number;
  readonly cell: Cell;
}

/** One layer in one direction; `suffix` names its weights: `l0`, `l1_reverse`. `initial`: the states before the first step. */
function direction(
  context: BuildContext,
  x: Value,
  kind: Kind,
  size: number,
  suffix: string,
  initial: readonly Value[],
) {
  const { b } = context;
  const { name, gates, cell } = kind;
  const [, length, inputs] = x.type.shape as [Dim, Dim, Dim];
  const init = { kind: 'uniform', bound: 1 / Math.sqrt(size) } as const;
  const weight = context.parameter(`weight_ih_${suffix}`, [gates * size, known(name, inputs)], init);
  const recurrent = context.parameter(`weight_hh_${suffix}`, [gates * size, size], init);
  const [bias, inner] = ['ih', 'hh'].map(part => context.parameter(`bias_${part}_${suffix}`, [gates * size], init));
  // One product for all steps; only the recurrent half has to wait for the step before. With time first, a step's rows are contiguous.
  const projected = b.add(b.matmul(b.transpose(x, [1, 0, 2]), weight, { transposeB: true }), bias!);
  const spec = {
    carries: initial,
    sequences: [projected],
    length: known(name, length),
    reverse: suffix.endsWith('_reverse'),
  };
  const loop = buildScan(b, spec, (before, [fromInput]) => {
    const fromState = b.add(b.matmul(before[0]!, recurrent, { transposeB: true }), inner!);
    return { carries: cell(b, fromInput!, fromState, before, size), outputs: [] };
  });
  if (loop === undefined) throw never('a cell whose states are not f32', name);
  return { outputs: b.transpose(loop.carries[0]!, [1, 0, 2]), states: loop.last };
}

/** Layers over each other, each in one direction or in both, which stand side by side: outputs, then the last layer's states after the last step. */
function stacked(context: BuildContext, args: Arguments, kind: Kind): readonly Value[] {
  const { b } = context;
  const { name, states } = kind;
  const [size, layers, both] = [number(args, 'size'), number(args, 'layers'), flag(args, 'bidirectional')];
  demand(size >= 1, name, 'a size of at least 1', size);
  demand(layers >= 1, name, 'at least 1 layer', layers);
  let x = tensor(args, 'x');
  const zero = b.constant(0, { dtype: 'f32', shape: [x.type.shape[0]!, size] });
  const given = ['state', 'cell'].slice(0, states).map(each => optionalTensor(args, each) ?? zero);
  const plain = (layers === 1 && !both) || given.every(v => v === zero);
  demand(plain, name, 'one layer in one direction where it starts from a given state', layers);
  let last: readonly Value[] = [];
  for (let layer = 0; layer < layers; layer++) {
    const suffixes = both ? [`l${layer}`, `l${layer}_reverse`] : [`l${layer}`];
    const input = x;
    const directions = suffixes.map(suffix => direction(context, input, kind, size, suffix, given));
    const beside = (values: readonly Value[]) => b.concat(values, -1);
    x = beside(directions.map(d => d.outputs));
    last = given.map((_, i) => beside(directions.map(d => d.states[i]!)));
  }
  return flag(args, 'states') ? [x, ...last] : [x];
}

function layer(kind: Kind, doc: string): TensorFunction {
  const { name, states } = kind;
  const names = ['state', 'cell'].slice(0, states);
  const given = names.map(each => `${each}?: [B, size]`);
  return {
    kind: 'layer',
    name,
    signature: `${name}(x: [B, T, in], size: int, layers: int = 1, bidirectional: bool = false, ${given.join(', ')}, states: bool = false) -> [B, T, out]`,
    doc: `${doc} Gives the output of every step, \`[:, -1]\` the last; both directions side by side are 2 size wide. Starts from \`${names.join('` and `')}\`, or 0; all weights start uniform within 1 / sqrt(size). With \`states: true\` the states after the last step, [B, out], are results too: \`outputs, ${names.join(', ')} = x |> ${name}(128, states: true)\`.`,
    example: `x |> ${name}(128)`,
    fixed: ['T', 'in'],
    type: args => {
      const { shape } = typeOf(args, 'x');
      const width = mulDim(dimension(args, 'size'), args.bidirectional === true ? 2 : 1);
      const outputs = { dtype: 'f32', shape: shape.with(2, width) } as const;
      const state = { dtype: 'f32', shape: [shape[0]!, width] } as const;
      return flag(args, 'states') ? [outputs, ...names.map(() => state)] : outputs;
    },
    build: (context, args) => stacked(context, args, kind),
  };
}

export const recurrentLayers: readonly TensorFunction[] = [
  layer({ name: 'rnn', gates: 1, states: 1, cell: vanilla }, 'h = tanh(W x + U h) over time (Elman, 1990).'),
  layer({ name: 'gru', gates: 3, states: 1, cell: gru }, 'The gated recurrent unit over time (Cho et al., 2014).'),
  layer(
    { name: 'lstm', gates: 4, states: 2, cell: lstm },
    'Long short-term memory over time (Hochreiter and Schmidhuber, 1997).',
  ),
];
