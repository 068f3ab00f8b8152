import { describe, expect, it } from 'vitest';
import { dimVar, mulDim } from '../../../engine/dim/dim.ts';
import { bindGraph, concreteShape } from '../../../engine/ir/bind.ts';
import type { Graph, GraphNode } from '../../../engine/ir/graph.ts';
import { parseGraph, parseType } from '../../../engine/ir/parse.ts';
import { printGraph, printType } from '../../../engine/ir/print.ts';
import { graphProblems, type TypeOf } from '../../../engine/ir/validate.ts';

const B = dimVar('B');
const node = (
  op: string,
  inputs: number[],
  attributes: GraphNode['attributes'],
  type: GraphNode['type'],
  label?: string,
): GraphNode => ({
  op,
  inputs,
  attributes,
  type,
  ...(label === undefined ? {} : { label }),
});

const sample: Graph = {
  name: 'train',
  nodes: [
    node('input', [], { name: 'im"age {, // } \\' }, { dtype: 'u8', shape: [B, 28, 28] }),
    node('reshape', [0], { shape: [B, 784] }, { dtype: 'u8', shape: [B, 784] }),
    node('cast', [1], { to: 'f32' }, { dtype: 'f32', shape: [B, 784] }, 'net.fc1'),
    node('state', [], { name: 'params' }, { dtype: 'f32', shape: [10, 784] }),
    node(
      'matmul',
      [2, 3],
      { transposeA: false, transposeB: true },
      { dtype: 'f32', shape: [B, 10] },
      'net.fc1 with spaces',
    ),
    node('sum', [4], { axes: [0, 1], keep: false }, { dtype: 'f32', shape: [] }),
    node('constant', [], { value: Number.NEGATIVE_INFINITY }, { dtype: 'f32', shape: [mulDim(B, 2)] }),
    node('constant', [], { value: -0 }, { dtype: 'i32', shape: [] }),
    node('slice', [3], { starts: [0, 2], ends: [10, 784] }, { dtype: 'f32', shape: [10, 782] }),
    node('concat', [5], { names: ['a', 'b, c'] }, { dtype: 'f32', shape: [] }),
  ],
  outputs: [
    { name: 'loss', value: 5, kind: 'result' },
    { name: 'params', value: 3, kind: 'assign' },
    { name: 'ring', value: 5, kind: 'write', at: 7 },
  ],
};

describe('the text form', () => {
  it('reads as expected', () => {
    expect(printGraph(sample).split('\n').slice(5, 7)).toEqual([
      '  %4 = matmul(%2, %3) {transposeA: false, transposeB: true} : f32[B, 10]  // net.fc1 with spaces',
      '  %5 = sum(%4) {axes: [0, 1], keep: false} : f32[]',
    ]);
  });

  it('comes back as the same graph', () => {
    expect(parseGraph(printGraph(sample))).toEqual(sample);
  });

  it.each([
    ['', 'line 1 of a graph: expected "graph NAME {"'],
    ['graph g {', 'line 1 of a graph: expected "}"'],
    ['graph g {\n  %1 = iota : i32[4]\n}', 'line 2 of a graph: expected %0'],
    ['graph g {\n  %0 = neg(%0) : f32[4]\n}', 'line 2 of a graph: expected an earlier node, found %0'],
    ['graph g {\n  %0 = iota : f99[4]\n}', 'line 2 of a graph: expected a tensor type, found f99[4]'],
    ['graph g {\n  %0 = iota : f32[4 +]\n}', 'line 2 of a graph: expected a tensor type, found f32[4 +]'],
    ['graph g {\n  %0 = iota {n: oops} : f32[4]\n}', 'line 2 of a graph: expected an attribute value, found oops'],
    ['graph g {\n  result loss = %0\n}', 'line 2 of a graph: expected an earlier node, found %0'],
    ['graph g {\n  nonsense\n}', 'line 2 of a graph: expected a node, an output or "}"'],
  ])('refuses %j', (text, message) => {
    expect(() => parseGraph(text)).toThrow(message);
  });

  it('never gives a prototype to attributes', () => {
    const graph = parseGraph('graph g {\n  %0 = iota {__proto__: 1} : f32[4]\n}');
    expect(Object.getPrototypeOf(graph.nodes[0]!.attributes)).toBe(Object.prototype);
  });

  it.each(['f32[]', 'i32[B, T]', 'u8[B, 4 * D, (H + 1) / 2]', 'bool[min(64, T), 2]'])('type %s', text => {
    expect(printType(parseType(text)!)).toBe(text);
  });
});

describe('binding', () => {
  it('puts the batch size into types and attributes', () => {
    const bound = bindGraph(sample, { B: 64 });
    expect(concreteShape(bound.nodes[0]!.type)).toEqual([64, 28, 28]);
    expect(bound.nodes[1]!.attributes).toEqual({ shape: [64, 784] });
    expect(() => concreteShape(sample.nodes[0]!.type)).toThrow('symbolic dimension');
  });
});

describe('validation', () => {
  const typeOf: TypeOf = (op, inputs) => {
    if (op !== 'neg') throw new Error(`unknown op ${op}`);
    return inputs[0]!;
  };
  const f4 = { dtype: 'f32', shape: [4] } as const;
  const graph = (nodes: GraphNode[], outputs: Graph['outputs'] = []): Graph => ({ name: 'g', nodes, outputs });
  const x = node('state', [], { name: 'x' }, f4);

  it.each<[string, Graph, readonly string[]]>([
    ['a good graph', graph([x, node('neg', [0], {}, f4)], [{ name: 'x', value: 1, kind: 'assign' }]), []],
    ['a reader before its source', graph([node('neg', [1], {}, f4), x]), ['%0 reads %1, which is not an earlier node']],
    [
      'a wrong type',
      graph([x, node('neg', [0], {}, { dtype: 'f32', shape: [5] })]),
      ['%1 = neg is declared f32[5] but has f32[4]'],
    ],
    ['an unknown op', graph([node('frob', [], {}, f4)]), ['%0 = frob: unknown op frob']],
    [
      'a missing output',
      graph([x], [{ name: 'y', value: 3, kind: 'result' }]),
      ['output y reads %3, which does not exist'],
    ],
    [
      'a state assigned twice',
      graph(
        [x],
        [
          { name: 'x', value: 0, kind: 'assign' },
          { name: 'x', value: 0, kind: 'assign' },
        ],
      ),
      ['state x is assigned twice'],
    ],
    [
      'a state assigned another shape',
      graph(
        [x, node('input', [], { name: 'y' }, { dtype: 'f32', shape: [] })],
        [{ name: 'x', value: 1, kind: 'assign' }],
      ),
      ['state x is f32[4] but is assigned f32[]'],
    ],
  ])('%s', (_title, g, problems) => {
    expect(graphProblems(g, typeOf)).toEqual(problems);
  });
});
