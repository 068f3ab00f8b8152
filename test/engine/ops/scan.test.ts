/** Loops over time against the same steps one after the other: values, gradients, after the passes, on backends, of any batch. */
import { describe, expect, it } from 'vitest';
import { evaluateGraph } from '../../../engine/backend/reference/evaluateGraph.ts';
import { referenceBackend } from '../../../engine/backend/reference/reference.ts';
import { wasmBackend } from '../../../engine/backend/wasm/index.ts';
import { dimVar } from '../../../engine/dim/dim.ts';
import { bindGraph } from '../../../engine/ir/bind.ts';
import type { Graph, TensorType } from '../../../engine/ir/graph.ts';
import { parseGraph } from '../../../engine/ir/parse.ts';
import { printGraph } from '../../../engine/ir/print.ts';
import { scheduleGraph } from '../../../engine/kernel/schedule.ts';
import { GraphBuilder, type Value } from '../../../engine/ops/builder.ts';
import { flopsOf } from '../../../engine/ops/flops.ts';
import type { ScanAttributes } from '../../../engine/ops/primitives/scanParts.ts';
import { buildScan } from '../../../engine/ops/scan.ts';
import { gradients } from '../../../engine/passes/autodiff.ts';
import { optimize } from '../../../engine/passes/pipeline.ts';
import { type Loop, looped, type Step, unrolled } from '../../support/loops.ts';
import { runGraph } from '../../support/runGraph.ts';
import { difference, randomTensor, type Tensors, typeOfText } from '../../support/samples.ts';

/** A network with a loop: its results, all of which the gradient is taken of, from leaves of these types. */
interface Case {
  readonly leaves: Readonly<Record<string, string>>;
  readonly build: (b: GraphBuilder, leaves: Readonly<Record<string, Value>>, loop: Loop) => readonly Value[];
}

const scalar: TensorType = { dtype: 'i32', shape: [] };

const gates = (b: GraphBuilder, all: Value, size: number) => [0, 1, 2].map(i => b.sliceAxis(all, 1, i * size, size));

const cases: Readonly<Record<string, Case>> = {
  'a gated recurrence, of which the last state is read': {
    leaves: { x: 'f32[5, B, 9]', h: 'f32[B, 3]', w: 'f32[9, 3]', c: 'f32[9]' },
    build: (b, { x, h, w, c }, loop) => {
      const { last } = loop(b, { carries: [h!], sequences: [x!], length: 5 }, ([before], [step]) => {
        const all = b.add(b.add(b.matmul(before!, w!, { transposeB: true }), c!), step!);
        const [keep, gain, fresh] = gates(b, all, 3);
        return { carries: [b.add(b.mul(b.tanh(keep!), before!), b.mul(b.exp(gain!), b.tanh(fresh!)))], outputs: [] };
      });
      return last;
    },
  },
  'from the end, with all states and outputs read, some twice': {
    leaves: { x: 'f32[4, B, 3]', h: 'f32[B, 3]', c: 'f32[B, 3]', w: 'f32[3, 3]' },
    build: (b, { x, h, c, w }, loop) => {
      const spec = { carries: [h!, c!], sequences: [x!, x!], length: 4, reverse: true };
      const { carries, last, outputs } = loop(b, spec, ([one, other], [step, again]) => {
        const next = b.tanh(b.add(b.matmul(one!, w!), b.mul(step!, again!)));
        const beside = b.sin(b.add(other!, next));
        return { carries: [next, beside], outputs: [beside, b.mul(next, b.sub(step!, 1))] };
      });
      return [...carries, last[1]!, ...outputs];
    },
  },
  'a state that nobody reads, a constant over time, a number': {
    leaves: { x: 'f32[3, 2]', h: 'f32[2]', k: 'f32[2]' },
    build: (b, { x, h, k }, loop) => {
      const same = b.broadcast(k!, [3, 2]);
      const spec = { carries: [h!, b.fill(0, h!)], sequences: [x!, same, b.fill(2, same)], length: 3 };
      const { carries } = loop(b, spec, ([one, unread], [step, constant, two]) => ({
        carries: [b.add(b.mul(one!, constant!), b.mul(step!, two!)), b.add(unread!, step!)],
        outputs: [],
      }));
      return [carries[0]!];
    },
  },
  'one step': {
    leaves: { x: 'f32[1, B, 3]', h: 'f32[B, 3]' },
    build: (b, { x, h }, loop) => {
      const spec = { carries: [h!], sequences: [x!], length: 1 };
      const { carries, last } = loop(b, spec, ([before], [step]) => ({
        carries: [b.mul(before!, step!)],
        outputs: [],
      }));
      return [...carries, ...last];
    },
  },
  'attention over a memory, and rows of a table': {
    leaves: { x: 'f32[3, B, 4]', h: 'f32[B, 4]', memory: 'f32[B, 5, 4]', table: 'f32[4, 4]' },
    build: (b, { x, h, memory, table }, loop) => {
      const index = b.broadcast(b.unsqueeze(b.iota([3]), 1), [3, ...h!.type.shape.slice(0, 1)]);
      const spec = { carries: [h!], sequences: [x!, index], length: 3 };
      const { carries } = loop(b, spec, ([before], [step, at]) => {
        const query = b.unsqueeze(b.add(before!, b.take(table!, at!)), 1);
        const weights = b.exp(b.tanh(b.matmul(query, memory!, { transposeB: true })));
        const read = b.squeeze(b.matmul(b.div(weights, b.sum(weights, { axes: [2], keep: true })), memory!), [1]);
        return { carries: [b.tanh(b.add(read, step!))], outputs: [] };
      });
      return carries;
    },
  },
  'a loop within a loop, weights of the inner one from outside both': {
    leaves: { x: 'f32[3, 2, 4]', h: 'f32[4]', w: 'f32[4]' },
    build: (b, { x, h, w }, loop) => {
      const outer = loop(b, { carries: [h!], sequences: [x!], length: 3 }, ([before], [rows]) => {
        const inner = loop(b, { carries: [before!], sequences: [rows!], length: 2 }, ([one], [row]) => {
          const next = b.tanh(b.add(b.mul(one!, w!), row!));
          return { carries: [next], outputs: [] };
        });
        return { carries: [b.mul(inner.last[0]!, 0.5)], outputs: [b.sum(inner.carries[0]!, { axes: [0] })] };
      });
      return [...outer.last, ...outer.outputs];
    },
  },
  'dropout of its own in each turn, and one mask for all turns': {
    leaves: { x: 'f32[5, B, 3]', h: 'f32[B, 3]', w: 'f32[3, 3]' },
    build: (b, { x, h, w }, loop) => {
      const dropped = (v: Value, chance: Value) => b.select(b.less(chance, 0.5), b.mul(v, 2), 0);
      const same = b.uniform(b.input('seed', scalar), b.input('step', scalar), h!.type.shape, 8);
      const spec = { carries: [h!], sequences: [x!], length: 5, reverse: true };
      const { carries } = loop(b, spec, ([before], [step], draw) => {
        const kept = dropped(dropped(before!, same), draw(before!.type.shape, 9));
        return { carries: [b.tanh(b.add(b.matmul(kept, w!), step!))], outputs: [] };
      });
      return carries;
    },
  },
  'draws of a loop within a loop': {
    leaves: { x: 'f32[3, 2, 4]', h: 'f32[4]' },
    build: (b, { x, h }, loop) => {
      const outer = loop(b, { carries: [h!], sequences: [x!], length: 3 }, ([before], [rows], draw) => {
        const spec = { carries: [before!], sequences: [rows!], length: 2 };
        const turn: Step = ([one], [row], inner) => ({
          carries: [b.tanh(b.add(b.mul(one!, inner([4], 3)), row!))],
          outputs: [],
        });
        return { carries: [b.mul(loop(b, spec, turn, draw).last[0]!, draw([4], 4))], outputs: [] };
      });
      return outer.carries;
    },
  },
  'attention by blocks': {
    leaves: { x: 'f32[2, 1, 1, 66, 2]', h: 'f32[1, 1, 66, 2]' },
    build: (b, { x, h }, loop) =>
      loop(b, { carries: [h!], sequences: [x!], length: 2 }, ([before], [step]) => ({
        carries: [b.add(b.op('attention', [before!, step!, step!], { causal: true }), b.mul(before!, 0.5))],
        outputs: [],
      })).last,
  },
};

const BATCH = 2;

function graphOf({ leaves, build }: Case, loop: Loop): Graph {
  const b = new GraphBuilder();
  const inputs = Object.entries(leaves).map(([name, type]) => [name, b.input(name, typeOfText(type))] as const);
  const results = build(b, Object.fromEntries(inputs), loop);
  const terms = results.map((value, i) =>
    b.sum(b.mul(value, b.cos(b.add(b.cast(b.iota(value.type.shape, 0), 'f32'), i)))),
  );
  const found = gradients(
    b,
    terms.reduce(b.add),
    inputs.map(([, value]) => value),
  );
  const outputs = [
    ...results.map((value, i) => ({ name: `y${i}`, value })),
    ...found.map((value, i) => ({ name: `d${inputs[i]![0]}`, value })),
  ];
  return bindGraph(b.finish('g', outputs), { B: BATCH });
}

function leavesOf({ nodes }: Graph): Tensors {
  const inputs = nodes.filter(({ op }) => op === 'input');
  return Object.fromEntries(
    inputs.map(({ type, attributes }, i) => [String(attributes.name), randomTensor(type, [-1, 1], i)]),
  );
}

const scansOf = ({ nodes }: Graph): readonly ScanAttributes[] =>
  nodes.filter(({ op }) => op === 'scan').map(({ attributes }) => attributes as ScanAttributes);

describe.each(Object.entries(cases))('%s', (_, each) => {
  const graph = graphOf(each, looped);
  const leaves = leavesOf(graph);
  const expected = evaluateGraph(graphOf(each, unrolled), leaves);

  it.each([
    ['as built', graph],
    ['optimised', optimize(graph)],
  ])('is what its steps are one after the other, %s', (_, given) => {
    const found = evaluateGraph(given, leaves);
    for (const [name, { data }] of Object.entries(expected))
      expect(difference(found[name]!.data, data), name).toBeLessThan(1e-12);
  });

  it('runs on backends, alike on one thread and on two', async () => {
    const reference = await runGraph(referenceBackend(), optimize(graph), leaves);
    const one = await runGraph(await wasmBackend({ threads: 1 }), optimize(graph), leaves);
    const two = await runGraph(await wasmBackend({ threads: 2 }), optimize(graph), leaves);
    for (const [name, { data }] of Object.entries(expected)) {
      // f32 against f64, through gradients that grow to hundreds.
      expect(difference(reference[name]!, data), name).toBeLessThan(5e-5);
      expect(difference(one[name]!, data), name).toBeLessThan(5e-5);
      expect([...two[name]!], name).toEqual([...one[name]!]);
    }
  });

  it('is printed and read back', () => {
    expect(parseGraph(printGraph(graph))).toEqual(graph);
  });
});

describe('a loop', () => {
  const plain: Case = {
    leaves: { x: 'f32[6, B, 3]', h: 'f32[B, 3]', w: 'f32[3, 3]' },
    build: (b, { x, h, w }, loop) => {
      const spec = { carries: [h!], sequences: [x!], length: 6 };
      return loop(b, spec, ([before], [step]) => ({
        carries: [b.tanh(b.add(b.matmul(before!, w!), step!))],
        outputs: [b.exp(step!)],
      })).last;
    },
  };

  it('hands out nothing that is not read', () => {
    const b = new GraphBuilder();
    const leaves = Object.fromEntries(
      Object.entries(plain.leaves).map(([name, type]) => [name, b.input(name, typeOfText(type))]),
    );
    const [y] = plain.build(b, leaves, looped);
    const [only] = scansOf(optimize(bindGraph(b.finish('g', [{ name: 'y', value: y! }]), { B: 2 })));
    expect(only!.body.outputs.map(({ name }) => name)).toEqual(['carry0']);
    expect(only!.last).toEqual([0]);
  });

  it('has gradients of its weights as one product behind it, and no stacks of adjoints', () => {
    const graph = optimize(graphOf(plain, looped));
    const [, backward] = scansOf(graph);
    expect(backward!.last).toEqual([0]);
    expect(backward!.body.outputs).toHaveLength(2);
    const products = graph.nodes.filter(({ op }) => op === 'matmul');
    expect(products.map(({ type }) => type.shape)).toEqual([[3, 3]]);
  });

  it('of many steps has gradients of its weights as a sum of products', () => {
    const long: Case = {
      leaves: { x: 'f32[513, B, 2]', h: 'f32[B, 2]', w: 'f32[2, 2]' },
      build: (b, { x, h, w }, loop) =>
        loop(b, { carries: [h!], sequences: [x!], length: 513 }, ([before], [step]) => ({
          carries: [b.tanh(b.add(b.mul(b.matmul(before!, w!), 0.5), step!))],
          outputs: [],
        })).last,
    };
    const graph = optimize(graphOf(long, looped));
    expect(graph.nodes.filter(({ op }) => op === 'matmul')).toHaveLength(2);
    const leaves = leavesOf(graph);
    const expected = evaluateGraph(graphOf(long, unrolled), leaves);
    for (const [name, { data }] of Object.entries(evaluateGraph(graph, leaves)))
      expect(difference(data, expected[name]!.data), name).toBeLessThan(1e-12);
  });

  it('does ahead, for all steps at once, what waits for no carry', () => {
    const b = new GraphBuilder();
    const leaf = (name: string, type: string) => b.input(name, typeOfText(type));
    const [tokens, h] = [leaf('tokens', 'i32[6, 2]'), leaf('h', 'f32[2, 3]')];
    const [table, w, u] = [leaf('table', 'f32[5, 4]'), leaf('w', 'f32[4, 3]'), leaf('u', 'f32[3, 3]')];
    const { last } = looped(b, { carries: [h], sequences: [tokens], length: 6 }, ([before], [token]) => {
      const fromInput = b.matmul(b.take(table, token!), w);
      return { carries: [b.tanh(b.add(fromInput, b.matmul(before!, u)))], outputs: [] };
    });
    const graph = optimize(b.finish('g', [{ name: 'y', value: last[0]! }]));
    const [loop] = scansOf(graph);
    expect(loop!.body.nodes.filter(({ op }) => op === 'matmul' || op === 'take')).toHaveLength(1);
    const product = graph.nodes.find(({ op }) => op === 'matmul');
    expect(product!.type.shape).toEqual([5, 3]);
  });

  it('draws as if for all turns at once', () => {
    const b = new GraphBuilder();
    const x = b.input('x', typeOfText('f32[6, 2, 3]'));
    looped(b, { carries: [], sequences: [x], length: 6 }, (_, [each], draw) => ({
      carries: [],
      outputs: [b.mul(each!, draw([2, 3], 4))],
    }));
    const draws = b.finish('g', []).nodes.filter(({ op }) => op === 'random_bits');
    expect(draws.map(({ attributes }) => attributes)).toEqual([{ shape: [6, 2, 3], stream: 4 }]);
  });

  it('hands carries on that its step declares', () => {
    const b = new GraphBuilder();
    const x = b.input('x', typeOfText('f32[4]'));
    const { last } = buildScan(b, { carries: [], sequences: [x], length: 4 }, (_, [each], declare) => {
      const before = declare(() => b.input('start', typeOfText('f32[]')));
      return { carries: [b.add(b.mul(before(), 2), each!)], outputs: [] };
    })!;
    const leaves = {
      x: { dtype: 'f32', shape: [4], data: Float64Array.of(1, 2, 3, 4) },
      start: { dtype: 'f32', shape: [], data: Float64Array.of(5) },
    } as const;
    const graph = b.finish('g', [{ name: 'y', value: last[0]! }]);
    expect(evaluateGraph(graph, leaves).y!.data[0]).toBe(5 * 16 + 8 + 8 + 6 + 4);
  });

  it('takes nodes of the graph independent of its length, and the kernels of a step for each', () => {
    const long = { ...plain, leaves: { ...plain.leaves, x: 'f32[6, B, 3]' } };
    const { kernels } = scheduleGraph(optimize(graphOf(long, looped)));
    const names = kernels.map(({ name }) => name);
    expect(names.filter(name => name.startsWith('matmul')).length).toBe(2 * 6 + 1);
  });

  it('costs as many operations as all its steps', () => {
    const count = (graph: Graph) => graph.nodes.reduce((sum, node) => sum + Number(flopsOf(node, graph)), 0);
    const [forward] = scansOf(graphOf(plain, looped));
    const step = forward!.body.nodes.reduce((sum, node) => sum + Number(flopsOf(node, forward!.body)), 0);
    const b = new GraphBuilder();
    const x = b.input('x', typeOfText('f32[6, 2, 3]'));
    buildScan(b, { carries: [], sequences: [x], length: 6 }, (_, [each]) => ({ carries: [], outputs: [b.exp(each!)] }));
    expect(count(b.finish('g', []))).toBe(6 * 2 * 3);
    expect(step).toBeGreaterThan(0);
  });

  it('is none where a carry changes its type, and then leaves the builder as it was', () => {
    const b = new GraphBuilder();
    const h: TensorType = { dtype: 'f32', shape: [dimVar('B'), 1] };
    const x = b.input('x', typeOfText('f32[4, B, 3]'));
    const spec = { carries: [b.input('h', h)], sequences: [x], length: 4 };
    const before = b.size;
    expect(buildScan(b, spec, ([one], [step]) => ({ carries: [b.add(one!, step!)], outputs: [] }))).toBeUndefined();
    expect(b.size).toBe(before);
  });
});
