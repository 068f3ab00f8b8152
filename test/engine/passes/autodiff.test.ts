import { describe, expect, it } from 'vitest';
import { evaluateGraph } from '../../../engine/backend/reference/evaluateGraph.ts';
import { dimVar } from '../../../engine/dim/dim.ts';
import { bindGraph } from '../../../engine/ir/bind.ts';
import { printGraph } from '../../../engine/ir/print.ts';
import { GraphBuilder, type Value } from '../../../engine/ops/builder.ts';
import { gradients } from '../../../engine/passes/autodiff.ts';
import { optimize } from '../../../engine/passes/pipeline.ts';
import { checkGradient } from '../../support/gradients.ts';
import { randomTensor, typeOfText } from '../../support/samples.ts';

const f32 = (...shape: number[]) => ({ dtype: 'f32', shape }) as const;

/** A two-layer network with softmax cross-entropy, in primitives. */
function network(b: GraphBuilder, v: Readonly<Record<string, Value>>): Value {
  const hidden = b.maximum(b.add(b.matmul(v.x!, v.w1!, { transposeB: true }), v.b1!), 0);
  const logits = b.add(b.matmul(hidden, v.w2!, { transposeB: true }), v.b2!);
  const shifted = b.sub(logits, b.detach(b.max(logits, { axes: [1], keep: true })));
  const logSum = b.log(b.sum(b.exp(shifted), { axes: [1], keep: true }));
  const rows = b.iota(logits.type.shape, 1);
  const hit = b.equal(rows, b.unsqueeze(v.label!, 1));
  const picked = b.sum(b.select(hit, b.sub(shifted, logSum), 0));
  return b.div(b.neg(picked), b.sum(b.constant(1, { dtype: 'f32', shape: [v.x!.type.shape[0]!] })));
}

describe('gradients', () => {
  it('of a network agree with finite differences, for every parameter and the input', () => {
    const at = {
      x: randomTensor(f32(4, 5), [-1, 1], 0),
      w1: randomTensor(f32(6, 5), [-1, 1], 1),
      b1: randomTensor(f32(6), [-1, 1], 2),
      w2: randomTensor(f32(3, 6), [-1, 1], 3),
      b2: randomTensor(f32(3), [-1, 1], 4),
      label: randomTensor({ dtype: 'i32', shape: [4] }, [0, 2], 5),
    };
    const reports = checkGradient(at, network);
    expect(reports.map(r => r.input)).toEqual(['x', 'w1', 'b1', 'w2', 'b2']);
    for (const { input, error } of reports) expect(error, input).toBeLessThan(1e-8);
  });

  it('add up where a value is used twice, and stop at detach', () => {
    const b = new GraphBuilder();
    const x = b.input('x', f32());
    const y = b.add(b.mul(x, x), b.mul(b.detach(b.exp(x)), x));
    const graph = b.finish('g', [{ name: 'dx', value: gradients(b, y, [x])[0]! }]);
    const value = 1.5;
    const { dx } = evaluateGraph(graph, { x: { ...f32(), data: Float64Array.of(value) } });
    expect(dx!.data[0]).toBeCloseTo(2 * value + Math.exp(value), 12);
  });

  it('are zeros of the right type where the loss depends on nothing', () => {
    const b = new GraphBuilder();
    const x = b.input('x', f32());
    const other = b.input('other', f32(2, 3));
    const [zero] = gradients(b, b.exp(x), [other]);
    expect(b.node(zero!.id)).toMatchObject({ op: 'constant', attributes: { value: 0 }, type: f32(2, 3) });
  });

  it('work over a batch of symbolic size, which is bound later', () => {
    const b = new GraphBuilder();
    const x = b.input('x', { dtype: 'f32', shape: [dimVar('B'), 3] });
    const w = b.input('w', f32(3));
    const loss = b.sum(b.square(b.mul(x, w)));
    const symbolic = b.finish('g', [{ name: 'dw', value: gradients(b, loss, [w])[0]! }]);
    const bound = optimize(bindGraph(symbolic, { B: 2 }));
    const { dw } = evaluateGraph(bound, {
      x: { ...f32(2, 3), data: Float64Array.of(1, 2, 3, 4, 5, 6) },
      w: { ...f32(3), data: Float64Array.of(1, 1, 2) },
    });
    expect([...dw!.data]).toEqual([34, 58, 180]);
  });

  it('refuse a loss that is no f32 scalar', () => {
    const b = new GraphBuilder();
    expect(() => gradients(b, b.input('x', f32(2)), [])).toThrow('the loss is not an f32 scalar');
  });

  it('leave a linear layer as three products and a row sum, labelled by its source', () => {
    const b = new GraphBuilder();
    const [x, w, bias] = [b.input('x', f32(8, 4)), b.state('w', f32(2, 4)), b.state('b', f32(2))];
    const y = b.scoped('net.fc1', () => b.add(b.matmul(x, w, { transposeB: true }), bias));
    const loss = b.sum(b.mul(y, b.input('g', f32(8, 2))));
    const [dx, dw, db] = gradients(b, loss, [x, w, bias]);
    const outputs = Object.entries({ dx: dx!, dw: dw!, db: db! }).map(([name, value]) => ({ name, value }));
    expect(printGraph(optimize(b.finish('g', outputs)))).toBe(`graph g {
  %0 = input {name: "x"} : f32[8, 4]
  %1 = state {name: "w"} : f32[2, 4]
  %2 = input {name: "g"} : f32[8, 2]
  %3 = sum(%2) {axes: [0], keep: false} : f32[2]  // grad(net.fc1)
  %4 = matmul(%2, %1) {transposeA: false, transposeB: false} : f32[8, 4]  // grad(net.fc1)
  %5 = matmul(%2, %0) {transposeA: true, transposeB: false} : f32[2, 4]  // grad(net.fc1)
  result dx = %4
  result dw = %5
  result db = %3
}
`);
  });

  it('go to the first of the ties of max', () => {
    const b = new GraphBuilder();
    const x = b.input('x', typeOfText('f32[3]'));
    const graph = b.finish('g', [{ name: 'dx', value: gradients(b, b.max(x), [x])[0]! }]);
    const { dx } = evaluateGraph(graph, { x: { ...f32(3), data: Float64Array.of(2, 1, 2) } });
    expect([...dx!.data]).toEqual([1, 0, 0]);
  });

  it('of relu is 0 at 0', () => {
    const b = new GraphBuilder();
    const x = b.input('x', f32(3));
    const graph = b.finish('g', [{ name: 'dx', value: gradients(b, b.sum(b.maximum(x, 0)), [x])[0]! }]);
    const { dx } = evaluateGraph(graph, { x: { ...f32(3), data: Float64Array.of(-1, 0, 1) } });
    expect([...dx!.data]).toEqual([0, 0, 1]);
  });
});
