import { describe, expect, it } from 'vitest';
import { dimVar } from '../../../engine/dim/dim.ts';
import { parseGraph } from '../../../engine/ir/parse.ts';
import { printGraph, printType } from '../../../engine/ir/print.ts';
import { GraphBuilder, isValue, type Value } from '../../../engine/ops/builder.ts';
import { ShapeError } from '../../../engine/ops/shapeError.ts';
import { typeOfText } from '../../support/samples.ts';

/** The text of the nodes that `build` appends after its inputs `%0`, `%1` … of the given types. */
function built(inputs: readonly string[], build: (b: GraphBuilder, ...values: Value[]) => Value): string[] {
  const b = new GraphBuilder();
  const values = inputs.map((type, i) => b.input(`x${i}`, typeOfText(type)));
  const y = build(b, ...values);
  const lines = printGraph(b.finish('g', [{ name: 'y', value: y }]))
    .trim()
    .split('\n');
  return lines.slice(1 + inputs.length, -2).map(line => line.trim());
}

const typeOf = (...args: Parameters<typeof built>) =>
  built(...args)
    .at(-1)
    ?.split(' : ')[1];

describe('broadcasting', () => {
  it.each([
    ['f32[B, 3]', 'f32[3]', 'f32[B, 3]'],
    ['f32[2, 1]', 'f32[1, 3]', 'f32[2, 3]'],
    ['f32[]', 'f32[B]', 'f32[B]'],
    ['f32[B, 1, D]', 'f32[T, 1]', 'f32[B, T, D]'],
  ])('%s + %s : %s', (x, y, expected) => {
    expect(typeOf([x, y], (b, u, v) => b.add(u, v))).toBe(expected);
  });

  it('is written as nodes of its own', () => {
    expect(built(['f32[B, 3]', 'f32[3]'], (b, x, y) => b.mul(x, y))).toEqual([
      '%2 = broadcast(%1) {shape: [`B`, 3]} : f32[B, 3]',
      '%3 = mul(%0, %2) : f32[B, 3]',
    ]);
  });

  it.each([
    ['f32[2, 3]', 'f32[2]', 1],
    ['f32[B]', 'f32[N]', 0],
  ])('refuses %s with %s', (x, y, axis) => {
    const attempt = () => built([x, y], (b, u, v) => b.add(u, v));
    expect(attempt).toThrow(`add expects shapes that broadcast together, found ${x.slice(3)} and ${y.slice(3)}`);
    try {
      attempt();
    } catch (error) {
      expect((error as ShapeError).problem.axis).toBe(axis);
    }
  });

  it('turns numbers into constants of the other operand', () => {
    expect(built(['i32[B]'], (b, x) => b.sub(1, x))).toEqual([
      '%1 = constant {value: 1} : i32[B]',
      '%2 = sub(%1, %0) : i32[B]',
    ]);
  });

  it('broadcasts all three operands of select', () => {
    expect(typeOf(['bool[B, 1]', 'f32[3]'], (b, c, x) => b.select(c, x, 0))).toBe('f32[B, 3]');
  });
});

describe('views', () => {
  it('infers one size of a reshape', () => {
    expect(typeOf(['f32[B, 4, D]'], (b, x) => b.reshape(x, [dimVar('B'), -1]))).toBe('f32[B, 4 * D]');
    expect(() => built(['f32[5]'], (b, x) => b.reshape(x, [-1, 2]))).toThrow(
      'reshape expects a size that [-1, 2] divides, found [5]',
    );
  });

  it('appends nothing for views that change nothing', () => {
    const same: ((b: GraphBuilder, x: Value) => Value)[] = [
      (b, x) => b.reshape(x, [2, 3]),
      (b, x) => b.broadcast(x, [2, 3]),
      (b, x) => b.transpose(x, [0, 1]),
      (b, x) => b.slice(x, [0, 0], [2, 3], [1, 1]),
      (b, x) => b.pad(x, [0, 0], [0, 0]),
      (b, x) => b.flip(x, []),
      (b, x) => b.concat([x]),
      (b, x) => b.sum(x, { axes: [] }),
      (b, x) => b.cast(x, 'f32'),
      (b, x) => b.pow(x, 1),
    ];
    for (const view of same) expect(built(['f32[2, 3]'], view)).toEqual([]);
  });

  it.each([
    ['transpose', 'f32[2, 4, 3]', (b: GraphBuilder, x: Value) => b.transpose(x)],
    ['unsqueeze', 'f32[2, 3, 4, 1]', (b: GraphBuilder, x: Value) => b.unsqueeze(x, -1)],
    ['squeeze', 'f32[2, 3, 4]', (b: GraphBuilder, x: Value) => b.squeeze(b.unsqueeze(x, 1), [1])],
    ['stack', 'f32[2, 2, 3, 4]', (b: GraphBuilder, x: Value) => b.stack([x, x])],
    ['sliceAxis', 'f32[2, 3, 2]', (b: GraphBuilder, x: Value) => b.sliceAxis(x, -1, 1, 2)],
    ['sum', 'f32[2]', (b: GraphBuilder, x: Value) => b.sum(x, { axes: [-1, 1] })],
  ] as const)('%s gives %s', (_, expected, view) => {
    const b = new GraphBuilder();
    expect(printType(view(b, b.input('x', typeOfText('f32[2, 3, 4]'))).type)).toBe(expected);
  });

  it('refuses an axis outside the rank', () => {
    expect(() => built(['f32[2]'], (b, x) => b.sum(x, { axes: [1] }))).toThrow(
      'sum expects an axis from -1 to 0 for [2], found 1',
    );
  });
});

describe('matmul', () => {
  it('folds leading axes into rows beside a matrix', () => {
    expect(built(['f32[B, T, D]', 'f32[D, 8]'], (b, x, w) => b.matmul(x, w))).toEqual([
      '%2 = reshape(%0) {shape: [`B * T`, `D`]} : f32[B * T, D]',
      '%3 = matmul(%2, %1) {transposeA: false, transposeB: false} : f32[B * T, 8]',
      '%4 = reshape(%3) {shape: [`B`, `T`, 8]} : f32[B, T, 8]',
    ]);
  });

  it('broadcasts batch axes', () => {
    expect(typeOf(['f32[H, 2, 3]', 'f32[B, 1, 3, 4]'], (b, x, y) => b.matmul(x, y))).toBe('f32[B, H, 2, 4]');
  });
});

describe('graphs', () => {
  it('share equal nodes, but not constants of different sign or dtype', () => {
    const b = new GraphBuilder();
    const x = b.input('x', typeOfText('f32[2]'));
    expect(b.exp(x).id).toBe(b.exp(b.input('x', typeOfText('f32[2]'))).id);
    expect(b.constant(0).id).not.toBe(b.constant(-0).id);
    expect(b.constant(0).id).not.toBe(b.constant(0, typeOfText('i32[]')).id);
  });

  it('carry the label of the innermost scope, and none after it', () => {
    const b = new GraphBuilder();
    const x = b.input('x', typeOfText('f32[2]'));
    const [outer, inner] = b.scoped('net', () => [b.exp(x), b.scoped('net.fc1', () => b.tanh(x))]);
    expect([x, outer!, inner!, b.neg(x)].map(v => b.node(v.id).label)).toEqual([
      undefined,
      'net',
      'net.fc1',
      undefined,
    ]);
    expect(() => b.scoped('bad', () => b.op('exp', []))).toThrow(ShapeError);
    expect(b.node(b.sin(x).id).label).toBeUndefined();
  });

  it('go on from a finished one, with its ids', () => {
    const text = 'graph g {\n  %0 = input {name: "x"} : f32[2]\n  %1 = exp(%0) : f32[2]\n  result y = %1\n}\n';
    const b = GraphBuilder.from(parseGraph(text));
    expect(b.exp(b.value(0)).id).toBe(1);
    expect(b.neg(b.value(1)).id).toBe(2);
  });

  it('take in another graph, with leaves replaced', () => {
    const inner = new GraphBuilder();
    const w = inner.state('w', typeOfText('f32[2]'));
    const graph = inner.finish('inner', [{ name: 'y', value: inner.mul(w, inner.input('x', typeOfText('f32[2]'))) }]);
    const lines = built(['f32[4]'], (b, flat) => b.inline(graph, { w: b.slice(flat, [1], [2]) }).y!);
    expect(lines).toEqual([
      '%1 = slice(%0) {starts: [1], sizes: [2]} : f32[2]',
      '%2 = input {name: "x"} : f32[2]',
      '%3 = mul(%1, %2) : f32[2]',
    ]);
    expect(() => built(['f32[3]'], (b, x) => b.inline(graph, { x }).y!)).toThrow(
      'inner expects f32[2] for x, found f32[3]',
    );
  });

  it('keep outputs of all kinds', () => {
    const b = new GraphBuilder();
    const at = b.state('n', typeOfText('i32[]'));
    const graph = b.finish('g', [
      { name: 'n', value: b.add(at, 1), kind: 'assign' },
      { name: 'ring', value: b.constant(1), kind: 'write', at },
    ]);
    expect(graph.outputs).toEqual([
      { name: 'n', value: 2, kind: 'assign' },
      { name: 'ring', value: 3, kind: 'write', at: 0 },
    ]);
  });
});

it('tells values from dimensions', () => {
  const b = new GraphBuilder();
  expect(isValue(b.constant(1))).toBe(true);
  for (const other of [dimVar('B'), 3, 'x', null, undefined]) expect(isValue(other)).toBe(false);
});
