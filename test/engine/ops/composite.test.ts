/** Windows, convolution, running sums and sorting: through the builder, expanded, on the reference backend. */
import { describe, expect, it } from 'vitest';
import { evaluateGraph } from '../../../engine/backend/reference/evaluateGraph.ts';
import { referenceBackend } from '../../../engine/backend/reference/reference.ts';
import { GraphBuilder, type Value } from '../../../engine/ops/builder.ts';
import type { Tensor } from '../../../engine/ops/primitive.ts';
import { gradients } from '../../../engine/passes/autodiff.ts';
import { expand } from '../../../engine/passes/expand.ts';
import { optimize } from '../../../engine/passes/pipeline.ts';
import { runGraph } from '../../support/runGraph.ts';
import { difference, randomTensor, typeOfText } from '../../support/samples.ts';

const vector = (...values: number[]): Tensor => ({
  dtype: 'f32',
  shape: [values.length],
  data: Float64Array.from(values),
});

/** Element values of what `build` makes of `x`. */
function elementsOf(x: Tensor, build: (b: GraphBuilder, x: Value) => Value): number[] {
  const b = new GraphBuilder();
  const y = build(b, b.input('x', { dtype: x.dtype, shape: x.shape }));
  return [...evaluateGraph(optimize(b.finish('g', [{ name: 'y', value: y }])), { x }).y!.data];
}

const typeOf = (text: string, build: (b: GraphBuilder, x: Value) => Value): string => {
  const b = new GraphBuilder();
  const { dtype, shape } = build(b, b.input('x', typeOfText(text))).type;
  return dtype + JSON.stringify(shape.map(d => (typeof d === 'number' ? d : d.key)));
};

describe('windows', () => {
  it.each([
    ['neighbours', { axes: [0], sizes: [2] }, [1, 2, 2, 3, 3, 4, 4, 5]],
    ['strided', { axes: [0], sizes: [2], strides: [2] }, [1, 2, 3, 4]],
    ['dilated', { axes: [0], sizes: [2], dilations: [3] }, [1, 4, 2, 5]],
  ])('%s', (_, options, expected) => {
    expect(elementsOf(vector(1, 2, 3, 4, 5), (b, x) => b.windows(x, options))).toEqual(expected);
  });

  it('pool: greatest of each window, the gradient to where it stood', () => {
    const pool = (b: GraphBuilder, x: Value) =>
      b.max(b.windows(x, { axes: [0], sizes: [2], strides: [2] }), { axes: [1] });
    expect(elementsOf(vector(3, 1, 4, 1, 5), pool)).toEqual([3, 4]);
    expect(elementsOf(vector(3, 1, 4, 1, 5), (b, x) => gradients(b, b.sum(pool(b, x)), [x])[0]!)).toEqual([
      1, 0, 1, 0, 0,
    ]);
  });

  it('that tile come out as those that slide would, in two dimensions and with a rest', () => {
    const x = randomTensor(typeOfText('f32[2, 5, 7, 3]'), [-1, 1], 3);
    const axes = [1, 2];
    const sliding = (b: GraphBuilder, v: Value) => {
      const repeated = b.broadcast(b.reshape(v, [2, 5, 7, 3, 1, 1]), [2, 5, 7, 3, 2, 3]);
      return b.op('window', [repeated], { axes, strides: [2, 3], dilations: [1, 1], counts: [2, 2] });
    };
    const tiled = (b: GraphBuilder, v: Value) => b.windows(v, { axes, sizes: [2, 3], strides: [2, 3] });
    expect(elementsOf(x, tiled)).toEqual(elementsOf(x, sliding));
    const gradient = (windows: typeof tiled) => (b: GraphBuilder, v: Value) =>
      gradients(b, b.sum(b.max(windows(b, v), { axes: [4, 5] })), [v])[0]!;
    expect(elementsOf(x, gradient(tiled))).toEqual(elementsOf(x, gradient(sliding)));
  });

  it('refuse to reach outside', () => {
    const b = new GraphBuilder();
    const x = b.input('x', typeOfText('f32[5, 2]'));
    const attributes = { axes: [0], strides: [2], dilations: [1], counts: [3] };
    expect(() => b.op('window', [x], attributes)).toThrow(
      'window expects windows within axis 0 of [5, 2], found a window that ends at 5',
    );
  });
});

describe('conv', () => {
  it.each([
    ['f32[B, 1, 28, 28]', [32, 1, 3, 3], {}, 'f32["B",32,26,26]'],
    ['f32[B, 3, 32, 32]', [8, 3, 3, 3], { strides: [2, 2], before: [1, 1] }, 'f32["B",8,16,16]'],
    ['f32[B, 4, 10]', [8, 2, 3], { groups: 2, dilations: [2] }, 'f32["B",8,6]'],
  ])('%s by %j %j gives %s', (x, kernel, options, expected) => {
    expect(typeOf(x, (b, v) => b.conv(v, b.state('w', { dtype: 'f32', shape: kernel }), options))).toBe(expected);
  });

  it.each([
    ['f32[2, 3, 8]', [4, 2, 3], {}, "conv expects 1 times the kernel's channels, found [2, 3, 8] and [4, 2, 3]"],
    [
      'f32[2, 3, 8]',
      [4, 3, 3, 3],
      {},
      'conv expects a kernel of as many axes as the input, found [2, 3, 8] and [4, 3, 3, 3]',
    ],
    [
      'f32[2, 3, 2]',
      [4, 3, 3],
      {},
      'conv expects a kernel no larger than the padded input, found [2, 3, 2] and [4, 3, 3]',
    ],
  ])('refuses %s by %j', (x, kernel, options, message) => {
    expect(() => typeOf(x, (b, v) => b.conv(v, b.state('w', { dtype: 'f32', shape: kernel }), options))).toThrow(
      message,
    );
  });

  it('and its gradients run as products over windows, which are never stored', async () => {
    const b = new GraphBuilder();
    const x = b.input('x', typeOfText('f32[2, 3, 6, 6]'));
    const w = b.state('w', typeOfText('f32[4, 3, 3, 3]'));
    const y = b.conv(x, w, { before: [1, 1], strides: [2, 2] });
    const [dx, dw] = gradients(b, b.sum(b.square(y)), [x, w]);
    const graph = b.finish(
      'g',
      Object.entries({ y, dx: dx!, dw: dw! }).map(([name, value]) => ({ name, value })),
    );
    const leaves = { x: randomTensor(x.type, [-1, 1], 1), w: randomTensor(w.type, [-1, 1], 2) };
    const expected = evaluateGraph(graph, leaves);
    const found = await runGraph(referenceBackend(), optimize(graph), leaves);
    for (const name of ['y', 'dx', 'dw'])
      expect(difference(found[name]!, expected[name]!.data), name).toBeLessThan(1e-5);
  });
});

describe('running sums and sorting', () => {
  it('cumsum forwards and backwards', () => {
    expect(elementsOf(vector(1, 2, 3), (b, x) => b.cumsum(x, 0))).toEqual([1, 3, 6]);
    expect(elementsOf(vector(1, 2, 3), (b, x) => b.cumsum(x, -1, true))).toEqual([6, 5, 3]);
  });

  it('argsort keeps the order of equals, and takeLast follows it', () => {
    const x = vector(2, 9, 2, 7);
    expect(elementsOf(x, (b, v) => b.argsort(v))).toEqual([0, 2, 3, 1]);
    expect(elementsOf(x, (b, v) => b.argsort(v, true))).toEqual([1, 3, 0, 2]);
    expect(elementsOf(x, (b, v) => b.takeLast(v, b.slice(b.argsort(v, true), [0], [2])))).toEqual([9, 7]);
  });

  it('topK gives values and positions, the first of ties first', () => {
    const x = vector(1, 5, 3, 5);
    expect(elementsOf(x, (b, v) => b.topK(v, 3).values)).toEqual([5, 5, 3]);
    expect(elementsOf(x, (b, v) => b.topK(v, 3).positions)).toEqual([1, 3, 2]);
  });

  it('takeLast works by rows, and its gradient goes back to them', () => {
    const x: Tensor = { dtype: 'f32', shape: [2, 3], data: Float64Array.of(1, 2, 3, 6, 5, 4) };
    const best = (b: GraphBuilder, v: Value) => b.takeLast(v, b.sliceAxis(b.argsort(v, true), 1, 0, 2));
    expect(elementsOf(x, best)).toEqual([3, 2, 6, 5]);
    expect(elementsOf(x, (b, v) => gradients(b, b.sum(best(b, v)), [v])[0]!)).toEqual([0, 1, 1, 1, 1, 0]);
  });
});

it('resize pads where it grows and cuts where it shrinks', () => {
  expect(elementsOf(vector(1, 2, 3), (b, x) => b.resize(x, [-1], [1], [1]))).toEqual([0, 2, 0, 3, 0]);
});

it('expand leaves no composite op, and graphs without one as they are', () => {
  const b = new GraphBuilder();
  const x = b.input('x', typeOfText('f32[4]'));
  const plain = b.finish('g', [{ name: 'y', value: b.exp(x) }]);
  expect(expand(plain)).toBe(plain);
  const composite = b.finish('g', [{ name: 'y', value: b.cumsum(x, 0) }]);
  expect(expand(composite).nodes.map(n => n.op)).not.toContain('cumsum');
});
