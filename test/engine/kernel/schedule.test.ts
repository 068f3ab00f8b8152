/** What the scheduler makes of typical graphs: which kernels, in which order, with which memory. */
import { describe, expect, it } from 'vitest';
import { dimVar } from '../../../engine/dim/dim.ts';
import type { Schedule } from '../../../engine/kernel/kernel.ts';
import { loadedBuffers, peakBytes, storedBuffers } from '../../../engine/kernel/memory.ts';
import { printPlan, printScalar, printSchedule } from '../../../engine/kernel/print.ts';
import { apply, axis, constant, load } from '../../../engine/kernel/scalar.ts';
import { scheduleGraph } from '../../../engine/kernel/schedule.ts';
import { validateSchedule } from '../../../engine/kernel/validate.ts';
import { GraphBuilder, type OutputSpec, type Value } from '../../../engine/ops/builder.ts';
import { buildScan } from '../../../engine/ops/scan.ts';
import { buildSteps } from '../../../engine/train/step.ts';
import { call } from '../../support/macros.ts';
import { mlpProgram } from '../../support/programs.ts';

const f32 = (...shape: number[]) => ({ dtype: 'f32', shape }) as const;
const i32 = (...shape: number[]) => ({ dtype: 'i32', shape }) as const;

function schedule(build: (b: GraphBuilder) => readonly OutputSpec[]): Schedule {
  const b = new GraphBuilder();
  return scheduleGraph(b.finish('g', build(b)));
}

/** The kernels alone, without the declarations of buffers and the blank lines between them. */
function kernels(build: (b: GraphBuilder) => readonly OutputSpec[]): string {
  const [, ...rest] = printSchedule(schedule(build)).split('\n\n');
  return rest.join('\n').trimEnd();
}

const lines = (...text: string[]) => text.join('\n');

/** Persistent buffers that a device binds for each kernel. */
function boundBuffers({ buffers, kernels: all }: Schedule): readonly number[] {
  return all.map(
    kernel =>
      [...new Set([...loadedBuffers(kernel), ...storedBuffers(kernel)])].filter(id => buffers[id]!.kind !== 'temporary')
        .length,
  );
}

describe('bindings', () => {
  /** x scaled by five states, twice: with others each time. */
  const scaled = (b: GraphBuilder, x: Value) =>
    [0, 5].map(from => Array.from({ length: 5 }, (_, n) => b.state(`s${from + n}`, f32(3))).reduce(b.mul, x));

  it('a kernel meets at most seven persistent buffers', () => {
    const both = schedule(b => {
      return scaled(b, b.input('x', f32(3))).map((value, n) => ({ name: `y${n}`, value }));
    });
    expect(Math.max(...boundBuffers(both))).toBeLessThanOrEqual(7);
  });

  it.each([
    ['a loop', (b: GraphBuilder, make: (x: Value) => readonly Value[]) => overSteps(b, b.input('x', f32(4, 3)), make)],
    [
      'a loop within a loop',
      (b: GraphBuilder, make: (x: Value) => readonly Value[]) =>
        overSteps(b, b.input('x', f32(2, 4, 3)), rows => overSteps(b, rows, make)),
    ],
  ])('nor does one in %s', (_, loop) => {
    const made = schedule(b => {
      const results = loop(b, x => scaled(b, x));
      return results.map((value, n) => ({ name: `y${n}`, value }));
    });
    expect(Math.max(...boundBuffers(made))).toBeLessThanOrEqual(7);
  });
});

/** What `make` gives of each of the rows x. */
function overSteps(b: GraphBuilder, x: Value, make: (row: Value) => readonly Value[]): readonly Value[] {
  const length = Number(x.type.shape[0]);
  const turn = (_: readonly Value[], [row]: readonly Value[]) => ({ carries: [], outputs: make(row!) });
  return buildScan(b, { carries: [], sequences: [x], length }, turn)!.outputs;
}

describe('order', () => {
  it('what is read after another value is computed anew behind it, and shares no kernel with the first time', () => {
    const text = kernels(b => {
      const [x, y] = [b.input('x', f32(8, 4)), b.input('y', f32(8, 4))];
      const norm = (v: Value) => b.sum(b.exp(v), { axes: [1] });
      const turn = b.sum(b.mul(b.broadcast(b.unsqueeze(norm(x), 1), [8, 4]), y));
      return [
        { name: 'first', value: turn },
        { name: 'second', value: norm(b.after(x, turn)) },
      ];
    });
    expect(text).toBe(
      lines(
        '0: loop sum',
        '  for x0 < 8',
        '    for x1 < 4: r0 = sum exp(x[x0 * 4 + x1])',
        '    %4[x0] = r0',
        '1: loop sum',
        '    for x0 < 8, x1 < 4: r0 = sum %4[x0] * y[x0 * 4 + x1]',
        '    first[0] = r0',
        '2: loop sum',
        '  for x0 < 8',
        '    for x1 < 4: r0 = sum exp(x[x0 * 4 + x1])',
        '    second[x0] = r0',
      ),
    );
  });
});

describe('fusion', () => {
  it('softmax is one kernel a row', () => {
    const text = kernels(b => {
      const x = b.input('x', f32(64, 10));
      const e = b.exp(b.sub(x, b.max(x, { axes: [1], keep: true })));
      return [{ name: 'y', value: b.div(e, b.sum(e, { axes: [1], keep: true })) }];
    });
    expect(text).toBe(
      lines(
        '0: loop max',
        '  where t0 = exp(x[x0 * 10 + x1] - r0)',
        '  for x0 < 64',
        '    for x1 < 10: r0 = max x[x0 * 10 + x1]',
        '    for x1 < 10: r1 = sum t0',
        '    for x1 < 10:',
        '      y[x0 * 10 + x1] = t0 / r1',
      ),
    );
  });

  it('bias and activation ride in the epilogue of a product, transposition in its packing', () => {
    const text = kernels(b => {
      const [x, w, c] = [b.input('x', f32(8, 32)), b.state('w', f32(16, 32)), b.state('c', f32(16))];
      return [{ name: 'y', value: b.maximum(b.add(b.matmul(x, b.transpose(w)), c), 0) }];
    });
    expect(text).toBe(
      lines(
        '0: matmul matmul',
        '  for x0 < 1, x1 < 8, x2 < 16; sum over x3 < 32',
        '    r0 += x[x1 * 32 + x3] * w[x2 * 32 + x3]',
        '    y[x1 * 16 + x2] = max(r0 + c[x2], 0)',
      ),
    );
  });

  it('pieces are stored straight into a concatenation, and parameters are read in place', () => {
    const text = kernels(b => {
      const x = b.input('x', f32(8, 32));
      const p = b.state('p', f32(96));
      const w = b.reshape(b.slice(p, [32], [64]), [8, 8]);
      const product = b.reshape(b.matmul(w, x), [-1]);
      return [{ name: 'y', value: b.concat([product, b.sum(x, { axes: [0] })]) }];
    });
    expect(text).toBe(
      lines(
        '0: matmul matmul',
        '  for x0 < 1, x1 < 8, x2 < 32; sum over x3 < 8',
        '    r0 += p[x1 * 8 + x3 + 32] * x[x2 + x3 * 32]',
        '    y[x1 * 32 + x2] = r0',
        '1: loop sum',
        '  for x0 < 32',
        '    for x1 < 8: r0 = sum x[x0 + x1 * 32]',
        '    y[x0 + 256] = r0',
      ),
    );
  });

  it('an optimiser updates its states in place, in one kernel', () => {
    const text = kernels(b => {
      const [p, m, g] = [b.state('p', f32(9)), b.state('m', f32(9)), b.input('g', f32(3, 3))];
      const next = b.add(b.mul(m, 0.9), b.reshape(g, [9]));
      return [
        { name: 'm', value: next, kind: 'assign' },
        { name: 'p', value: b.sub(p, b.mul(next, 0.5)), kind: 'assign' },
      ];
    });
    expect(text).toBe(
      lines(
        '0: loop add -> m, p',
        '  where t0 = m[x0] * 0.9 + g[x0]',
        '  for x0 < 9',
        '    m[x0] = t0',
        '    p[x0] = p[x0] - t0 * 0.5',
      ),
    );
  });

  it('what several kernels want is stored, not the parts that only it is made of', () => {
    const text = kernels(b => {
      const [x, y] = [b.input('x', f32(32, 8)), b.input('y', f32(32, 8))];
      const both = b.add(b.exp(x), b.mul(x, y));
      return [
        { name: 'rows', value: b.sum(both, { axes: [1] }) },
        { name: 'columns', value: b.sum(both, { axes: [0] }) },
      ];
    });
    expect(text.match(/exp\(/g)).toHaveLength(1);
    expect(text).toContain('%4[x0 * 8 + x1] = t0');
    expect(text).not.toContain('%5');
  });

  it('a gathered batch is packed into the product that alone wants it', () => {
    const build = (twice: boolean) => (b: GraphBuilder) => {
      const x = b.take(b.input('data', f32(100, 6)), b.input('rows', i32(4)));
      const product = b.matmul(x, b.input('w', f32(6, 5)));
      return [
        { name: 'y', value: product },
        ...(twice ? [{ name: 'z', value: b.matmul(b.transpose(x), product) }] : []),
      ];
    };
    expect(schedule(build(false)).kernels.map(k => k.kind)).toEqual(['matmul']);
    expect(schedule(build(true)).kernels.map(k => k.kind)).toEqual(['loop', 'matmul', 'matmul']);
  });
});

describe('states', () => {
  it('a counter is advanced after its last reader', () => {
    const text = kernels(b => {
      const n = b.state('n', i32());
      const x = b.input('x', f32(8, 32));
      return [
        { name: 'n', value: b.add(n, 1), kind: 'assign' },
        { name: 'y', value: b.add(b.matmul(x, b.transpose(x)), b.cast(n, 'f32')) },
      ];
    });
    expect(text.indexOf('f32(n[0])')).toBeLessThan(text.indexOf('n[0] = n[0] + 1'));
  });

  it('a state that is permuted goes through a temporary', () => {
    expect(kernels(b => [{ name: 's', value: b.flip(b.state('s', f32(6)), [0]), kind: 'assign' }])).toBe(
      lines(
        '0: loop flip',
        '  for x0 < 6',
        '    %1[x0] = s[x0 * -1 + 5]',
        '1: loop copy -> s',
        '  for x0 < 6',
        '    s[x0] = %1[x0]',
      ),
    );
  });

  it('states that are exchanged see each other’s old contents', () => {
    const { kernels: found, buffers } = schedule(b => {
      const [p, q] = [b.state('p', f32(4)), b.state('q', f32(4))];
      return [
        { name: 'p', value: b.flip(q, [0]), kind: 'assign' },
        { name: 'q', value: b.flip(p, [0]), kind: 'assign' },
      ];
    });
    const order = found.map(k => [...storedBuffers(k)].map(id => buffers[id]!.kind));
    expect(order.flat().filter(kind => kind === 'temporary')).toHaveLength(1);
    expect(order[0]).toEqual(['temporary']);
  });

  it('a row is written at a computed offset, kept within the buffer', () => {
    const text = kernels(b => {
      const n = b.state('n', i32());
      b.state('ring', f32(8, 2));
      const row = b.stack([b.sum(b.input('x', f32(5))), b.constant(3)]);
      return [{ name: 'ring', value: row, kind: 'write', at: b.mul(n, 2) }];
    });
    expect(text).toBe(
      lines(
        '0: loop sum -> ring',
        '  where t0 = min(max(n[0] * 2, 0), 14)',
        '    for x0 < 5: r0 = sum x[x0]',
        '    ring[t0] = r0',
        '    ring[t0 + 1] = 3',
      ),
    );
  });
});

describe('a training step', () => {
  const program = mlpProgram({ sizes: [784, 128, 10], batch: 64, optimizer: call('adam', 'optimizer', { lr: 0.001 }) });
  const { entries } = buildSteps(program, { train: 9000, validation: 1000, test: 0 });
  const step = scheduleGraph(entries.find(e => e.name === 'train')!);

  it('of a two-layer perceptron with Adam, guard, metrics and counters takes at most 12 kernels', () => {
    expect(step.kernels.length).toBeLessThanOrEqual(12);
    expect(step.kernels.filter(k => k.kind === 'matmul')).toHaveLength(5);
    const last = step.kernels.at(-1)!;
    expect([...storedBuffers(last)].map(id => step.buffers[id]!.name).sort()).toEqual([
      'params',
      'params.m',
      'params.v',
    ]);
  });

  it('copies neither gradients nor parameters', () => {
    const large = step.buffers.filter(b => b.kind === 'temporary' && b.length > 100_000);
    expect(large.map(b => b.length)).toEqual([101_770]);
  });

  it('overlays temporaries of disjoint lifetimes', () => {
    const apart = step.buffers.filter(b => b.kind === 'temporary').reduce((n, b) => n + b.length * 4, 0);
    expect(step.arenaBytes).toBeLessThan(apart);
    expect(peakBytes(step).arena).toBe(step.arenaBytes);
  });

  it('shows its cost', () => {
    expect(printPlan(step)).toMatch(
      /12 kernels, .* 28\.0 MFLOP .*\npeak memory 30\.3 MB: 29\.6 MB persistent, \d+ kB temporary\n$/,
    );
  });
});

describe('refusals', () => {
  it('a symbolic size is the caller’s mistake', () => {
    const b = new GraphBuilder();
    const graph = b.finish('g', [{ name: 'y', value: b.neg(b.input('x', { dtype: 'f32', shape: [dimVar('B'), 3] })) }]);
    expect(() => scheduleGraph(graph)).toThrow('expected g to have sizes of at least 1, found B in input');
  });

  const good = schedule(b => [{ name: 'y', value: b.neg(b.input('x', f32(6))) }]);
  const store = { buffer: 1, at: axis(0), value: load(0, axis(0), 'f32') };
  const kernel = (change: Partial<typeof store>) => ({
    ...good,
    kernels: [
      {
        kind: 'loop',
        name: 'bad',
        axes: [6],
        inner: [],
        phases: [{ kind: 'store', over: 'outer', stores: [{ ...store, ...change }] }],
      } as const,
    ],
  });
  it.each([
    [
      'a load beyond the end',
      { value: load(0, apply('add', [axis(0), constant(1)], 'i32'), 'f32') },
      'x[x0 + 1] within 1..6 of 6 elements',
    ],
    [
      'a store at an unknown place',
      { at: apply('cast', [load(0, axis(0), 'f32')], 'i32') },
      'within -Infinity..Infinity',
    ],
    ['a value of another type', { value: axis(0) }, 'i32 in y of f32'],
    ['an unknown buffer', { buffer: 7 }, 'an unknown buffer'],
    [
      'operands of two types',
      { value: apply('add', [constant(1, 'f32'), axis(0)], 'f32') },
      'add of f32, i32 giving f32',
    ],
  ])('the validator finds %s', (_, change, message) => {
    expect(() => validateSchedule(kernel(change))).toThrow(message);
  });
});

describe('printScalar', () => {
  const [x, y] = [load(0, axis(0), 'f32'), constant(-0.5, 'f32')];
  it.each([
    [apply('mul', [apply('add', [x, y], 'f32'), x], 'f32'), '(b0[x0] + -0.5) * b0[x0]'],
    [apply('sub', [x, apply('sub', [x, y], 'f32')], 'f32'), 'b0[x0] - (b0[x0] - -0.5)'],
    [apply('cast', [apply('lt', [x, y], 'bool')], 'f32'), 'f32(b0[x0] < -0.5)'],
    [apply('xor', [constant(7, 'u32'), constant(1, 'u32')], 'u32'), '7u ^ 1u'],
  ])('%#', (scalar, text) => {
    expect(printScalar(scalar)).toBe(text);
  });
});
