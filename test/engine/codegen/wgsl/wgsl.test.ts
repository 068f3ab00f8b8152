/** The text of shaders: layouts of buffers, what is computed once, edges of tiles, sizes of dispatches. Numbers are the backend's tests. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { scheduleShaders } from '../../../../engine/codegen/wgsl/beside.ts';
import { kernelShaders } from '../../../../engine/codegen/wgsl/generate.ts';
import { defaultOptions, literalCode, type Shader, type WgslOptions } from '../../../../engine/codegen/wgsl/shader.ts';
import { fits, SPLIT_ALIGNMENT, threadsOf, tileName, tiles } from '../../../../engine/codegen/wgsl/tiles.ts';
import type { DType } from '../../../../engine/ir/graph.ts';
import { scalarType } from '../../../../engine/kernel/dataflow.ts';
import type { Kernel, LoopKernel, Schedule } from '../../../../engine/kernel/kernel.ts';
import { apply, axis, constant, load, reduced } from '../../../../engine/kernel/scalar.ts';
import { scheduleGraph } from '../../../../engine/kernel/schedule.ts';
import { GraphBuilder, type OutputSpec } from '../../../../engine/ops/builder.ts';
import { buildSteps } from '../../../../engine/train/step.ts';
import { workloadProgram } from '../../../../server/cli/workloads.ts';
import { rounds } from '../../../support/fuzz.ts';
import { randomGraphs } from '../../../support/randomGraphs.ts';

const f32 = (...shape: number[]) => ({ dtype: 'f32', shape }) as const;

type Text = Shader & { readonly code: string };

function shadersOf(schedule: Schedule, options: WgslOptions = defaultOptions): readonly Text[] {
  const found = schedule.kernels.flatMap(kernel => kernelShaders(schedule, kernel, options));
  return found.map(shader => ({ ...shader, code: literalCode(shader) }));
}

function shaders(build: (b: GraphBuilder) => readonly OutputSpec[], options = defaultOptions): readonly Text[] {
  const b = new GraphBuilder();
  return shadersOf(scheduleGraph(b.finish('g', build(b))), options);
}

/** A kernel that copies an element of `from` to one of `to`. */
function copy(from: DType, to: DType, kinds: { readonly from?: 'temporary'; readonly to?: 'temporary' } = {}): string {
  const buffers = [
    { name: 'x', kind: kinds.from ?? 'input', dtype: from, length: 8, ...(kinds.from && { offset: 512 }) },
    { name: 'y', kind: kinds.to ?? 'result', dtype: to, length: 8, ...(kinds.to && { offset: 256 }) },
  ] as const;
  const store = { buffer: 1, at: axis(0), value: load(0, axis(0), scalarType(from)) };
  const kernel: Kernel = {
    kind: 'loop',
    name: 'copy',
    axes: [8],
    inner: [],
    phases: [{ kind: 'store', over: 'outer', stores: [store] }],
  };
  const schedule: Schedule = { name: 's', buffers, kernels: [kernel], arenaBytes: 1024 };
  return shadersOf(schedule)[0]!.code;
}

describe('buffers', () => {
  it.each([
    [copy('f32', 'f32'), 'let v0 = b1[x0];', 'b0[x0] = v0;'],
    [copy('bool', 'bool'), 'let v0 = (b1[x0] != 0u);', 'b0[x0] = select(0u, 1u, v0);'],
    [copy('u8', 'i32'), 'let v0 = i32((b1[(x0) >> 2u] >> ((u32(x0) & 3u) * 8u)) & 255u);', 'b0[x0] = v0;'],
    [copy('f32', 'f32', { to: 'temporary' }), 'let v0 = b1[x0];', 'b0[x0] = v0;'],
    [copy('i32', 'i32', { from: 'temporary' }), 'let v0 = b1[x0];', 'b0[x0] = v0;'],
    [
      copy('bool', 'bool', { from: 'temporary', to: 'temporary' }),
      'let v0 = (b1[x0] != 0u);',
      'b0[x0] = select(0u, 1u, v0);',
    ],
  ])('%#: elements are read and written as they lie', (code, read, write) => {
    expect(code).toContain(read);
    expect(code).toContain(write);
  });

  it('each buffer has a binding, or all temporaries one together, so that random schedules fit eight', () => {
    fc.assert(
      fc.property(randomGraphs(20), graph => {
        const schedule = scheduleGraph(graph);
        for (const { bindings } of shadersOf(schedule)) {
          expect(new Set(bindings.map(b => b.buffer)).size).toBe(bindings.length);
          expect(bindings.length).toBeLessThanOrEqual(8);
        }
      }),
      rounds(100),
    );
  });
});

describe('loops', () => {
  it('a short row is walked by its thread, which computes once what the row shares', () => {
    const [shader] = shaders(b => {
      const [x, scale] = [b.input('x', f32(70, 9)), b.input('scale', f32(70, 1))];
      return [{ name: 'y', value: b.sum(b.mul(x, b.exp(scale)), { axes: [1] }) }];
    });
    expect(shader!.workgroups).toEqual([2, 1, 1]);
    const [before, inside] = shader!.code.split('for (');
    expect(before).toContain('exp(');
    expect(inside).not.toContain('exp(');
  });

  it('a long row is shared by a workgroup', () => {
    const [shader] = shaders(b => [{ name: 'y', value: b.sum(b.input('x', f32(3, 1000)), { axes: [1] }) }]);
    expect(shader!.workgroups).toEqual([3, 1, 1]);
    expect(shader!.code).toContain('var<workgroup> shared_f32_0: array<f32, 256>;');
    expect(shader!.code).toContain('workgroupBarrier();');
  });

  it('few rows that are very long are reduced in parts, whose results a second dispatch puts together', () => {
    const build = (b: GraphBuilder) => [{ name: 'y', value: b.sqrt(b.sum(b.input('x', f32(100_000)))) }];
    const [parts, whole, ...more] = shaders(build);
    expect(more).toEqual([]);
    expect([parts!.workgroups, whole!.workgroups]).toEqual([
      [25, 1, 1],
      [1, 1, 1],
    ]);
    expect(parts!.scratchBytes).toBe(25 * 4);
    expect(whole!.code).toContain('sqrt(');
    expect(shaders(build, { ...defaultOptions, software: true })).toHaveLength(1);
  });

  it('columns are shared by a workgroup of neighbours, each of which has several lanes', () => {
    const build = (columns: number) => (b: GraphBuilder) => [
      { name: 'y', value: b.sum(b.input('x', f32(1000, columns)), { axes: [0] }) },
    ];
    const [few] = shaders(build(100), { ...defaultOptions, subgroups: { least: 32 } });
    expect(few!.workgroups).toEqual([13, 1, 1]);
    expect(few!.code).toContain('for (var e = i32(lane >> 3u); e < 1000i; e += 32i)');
    expect(few!.code).toContain('if (lane < 8u && inside)');
    expect(few!.code).not.toContain('subgroup');
    expect(shaders(build(5000))[0]!.workgroups).toEqual([157, 1, 1]);
    // Software has no memory to coalesce.
    expect(shaders(build(100), { ...defaultOptions, software: true })[0]!.workgroups).toEqual([2, 1, 1]);
  });

  it('subgroups put together what their lanes have, if there are any', () => {
    const build = (b: GraphBuilder) => [{ name: 'y', value: b.sum(b.input('x', f32(3, 1000)), { axes: [1] }) }];
    const [shader] = shaders(build, { ...defaultOptions, subgroups: { least: 32 } });
    expect(shader!.code.startsWith('enable subgroups;')).toBe(true);
    expect(shader!.code).toContain('var<workgroup> shared_f32_0: array<f32, 8>;');
    expect(shader!.code).toContain('subgroupAdd(a0)');
    // A row that one thread walks needs none.
    const short = shaders(b => [{ name: 'y', value: b.sum(b.input('x', f32(70, 9)), { axes: [1] }) }], {
      ...defaultOptions,
      subgroups: { least: 32 },
    });
    expect(short[0]!.code).not.toContain('subgroup');
  });

  it('all lanes have read a counter before one of them advances it', () => {
    const [shader] = shaders(b => {
      const [n, x] = [b.state('n', { dtype: 'i32', shape: [] }), b.state('x', f32(500))];
      const scaled = b.mul(x, b.mul(b.sum(x), b.cast(n, 'f32')));
      return [
        { name: 'x', value: scaled, kind: 'assign' },
        { name: 'n', value: b.add(n, 1), kind: 'assign' },
      ];
    });
    const code = shader!.code;
    expect(code.lastIndexOf('workgroupBarrier();')).toBeGreaterThan(code.lastIndexOf('for (var e'));
    expect(code.lastIndexOf('if (lane == 0u)')).toBeGreaterThan(code.lastIndexOf('workgroupBarrier();'));
  });

  it('more workgroups than an axis holds go to the second one', () => {
    const [shader] = shaders(b => [{ name: 'y', value: b.neg(b.input('x', f32(1000, 1000))) }], {
      ...defaultOptions,
      workgroupsPerAxis: 1000,
    });
    expect(shader!.workgroups).toEqual([1000, 16, 1]);
    expect(shader!.code).toContain('(group.x + group.y * 1000u) * 64u + lane');
  });

  it('values are all computed before the first is stored', () => {
    const [shader] = shaders(b => {
      const [p, m] = [b.state('p', f32(8)), b.state('m', f32(8))];
      return [
        { name: 'm', value: b.mul(m, 2), kind: 'assign' },
        { name: 'p', value: b.add(p, m), kind: 'assign' },
      ];
    });
    const body = shader!.code.split('\n').map(line => line.trim());
    const stores = body.flatMap((line, n) => (/^b\d\[.*\] = /.test(line) ? [n] : []));
    const lets = body.flatMap((line, n) => (line.startsWith('let v') ? [n] : []));
    expect(stores).toHaveLength(2);
    expect(Math.max(...lets)).toBeLessThan(Math.min(...stores));
  });
});

describe('products', () => {
  const product = (m: number, k: number, n: number, software = false) => {
    const build = (b: GraphBuilder) => [
      { name: 'y', value: b.matmul(b.input('x', f32(m, k)), b.input('w', f32(k, n))) },
    ];
    return shaders(build, { ...defaultOptions, software })[0]!;
  };

  it('no step of a sum is checked: edges read what is there and are not stored', () => {
    expect(product(64, 64, 64).code).not.toContain('if (');
    expect(product(64, 64, 64).code).not.toContain('min(');
    const edge = product(60, 70, 50).code;
    expect(edge).toContain('if (x1 >= 60i || x2 >= 50i) { return; }');
    const main = edge.slice(edge.indexOf('fn main'));
    expect(main).toContain(', 59i);');
    expect(main).toContain(', 69i);');
    expect(main).not.toMatch(/if \(x|select/);
    const [whole, rest] = main.split('let k0 = 64i;');
    expect(whole).not.toContain(', 69i);');
    expect(rest).toContain('for (var p = 0i; p < 6i; p++)');
  });

  it.each([
    [4096, 4096, 4096, false, [32, 32, 1]],
    [1024, 1024, 64, false, [16, 16, 1]],
    [64, 128, 64, false, [8, 4, 1]],
    [64, 128, 64, true, [2, 1, 1]],
    [10, 10, 64, true, [1, 1, 1]],
    [1, 1000, 64, true, [8, 1, 1]],
  ] as const)('of %i x %i over %i (software: %s) it takes %j workgroups', (m, n, k, software, expected) => {
    expect(product(m, k, n, software).workgroups).toEqual(expected);
  });

  it('for software names each access once: what it takes to compile is what memory is read and written, not arithmetic', () => {
    const accesses = (code: string) => [...code.matchAll(/\b(?:b\d|tile[AB])\[/g)].length;
    const [soft, hard] = [true, false].map(software => accesses(product(96, 72, 96, software).code));
    // Both operands from memory and to the tile, both from there, the result.
    expect(soft).toBe(7);
    expect(hard).toBeGreaterThan(20);
  });

  it('four elements that lie side by side are read and written at once, along rows or along the depth', () => {
    const declared = (code: string) => [...code.matchAll(/b(\d): array<(.*)>;/g)].map(m => m[2]);
    // The result, the left and the right operand.
    expect(declared(product(512, 512, 512).code)).toEqual(['vec4<f32>', 'vec4<f32>', 'vec4<f32>']);
    // Rows of 510 don't begin at multiples of four.
    expect(declared(product(512, 512, 510).code)).toEqual(['f32', 'vec4<f32>', 'f32']);
    expect(declared(product(512, 510, 512).code)).toEqual(['vec4<f32>', 'f32', 'vec4<f32>']);
  });

  it('few blocks over a great depth are cut into parts, whose sums a second dispatch adds up', () => {
    const build = (b: GraphBuilder) => [
      { name: 'y', value: b.maximum(b.matmul(b.input('x', f32(64, 784)), b.input('w', f32(784, 128))), 0) },
    ];
    const [parts, sum, ...more] = shaders(build);
    expect(more).toEqual([]);
    expect(parts!.workgroups[2]).toBe(4);
    expect(parts!.scratchBytes).toBe(4 * 64 * 128 * 4);
    expect(parts!.code).toContain('(i32(group.z) % 4i) * 224i');
    expect(sum!.code).toContain('for (var s = 1i; s < 4i; s++)');
    expect(shaders(build, { ...defaultOptions, software: true })).toHaveLength(1);
  });

  it('a tile that reads ahead multiplies one slice while the next is on its way, with one barrier a slice', () => {
    const tile = tiles.find(each => each.isAhead && each.rows === 64 && each.threadRows === 4)!;
    const build = (b: GraphBuilder) => [
      { name: 'y', value: b.matmul(b.input('x', f32(64, 100)), b.input('w', f32(100, 64))) },
    ];
    const [{ code }] = shaders(build, { ...defaultOptions, tiles: { get: () => tile }, splits: 1 }) as [Text];
    expect(code).toContain('var<workgroup> tileA: array<vec4<f32>, 512>;');
    const loop = code.slice(code.indexOf('for (var k0 = begin; k0 < 96i; k0 += 16i)'), code.indexOf('let k0 = 96i;'));
    const order = [
      'let k0 = min(k0 + 16i, 80i);',
      'aNext0_0 = ',
      'p < slot + 16i',
      'slot = 16i - slot;',
      'tileB[',
      'Barrier',
    ];
    const places = order.map(text => loop.lastIndexOf(text));
    expect(places).toEqual([...places].sort((x, y) => x - y));
    expect(places).not.toContain(-1);
    expect(loop.match(/workgroupBarrier/g)).toHaveLength(1);
  });

  it('every tile fits its threads', () => {
    for (const tile of tiles) {
      const { rows, columns, threadRows, threadColumns, depth } = tile;
      expect([rows, columns, threadRows, threadColumns, depth].every(n => Number.isInteger(Math.log2(n)))).toBe(true);
      expect(threadsOf(tile)).toBeGreaterThanOrEqual(
        Math.max(rows / Math.min(4, threadRows), columns / Math.min(4, threadColumns)),
      );
      // A second slice of the largest is beyond what every device has.
      expect(fits(tile, { ...defaultOptions, workgroupBytes: tile.isAhead ? 32768 : 16384 })).toBe(true);
      expect(SPLIT_ALIGNMENT % depth).toBe(0);
    }
    expect(new Set(tiles.map(tileName)).size).toBe(tiles.length);
  });
});

describe('dispatches', () => {
  const dispatches = (build: (b: GraphBuilder) => readonly OutputSpec[], options = defaultOptions) => {
    const b = new GraphBuilder();
    return scheduleShaders(scheduleGraph(b.finish('g', build(b))), options);
  };
  const sums = (b: GraphBuilder, rows: number, length: number) => [
    { name: 'x sums', value: b.sum(b.input('x', f32(rows, length)), { axes: [1] }) },
    { name: 'y sums', value: b.max(b.input('y', f32(rows, length + 1)), { axes: [1] }) },
  ];

  it('small kernels that do not need each other share one', () => {
    const [one, ...more] = dispatches(b => sums(b, 3, 1000));
    expect(more).toEqual([]);
    expect(one!.kernels).toHaveLength(2);
    expect(one!.shader.workgroups).toEqual([6, 1, 1]);
    expect(one!.shader.bindings).toHaveLength(4);
    const code = literalCode(one!.shader);
    expect(code).toContain('if (group.x < 3u) { part_0(');
    expect(code).toContain('var<workgroup> shared_f32_0_1: array<f32, 256>;');
  });

  it('what a kernel reads has been written, and large ones are alone', () => {
    const chain = dispatches(b => {
      const x = b.matmul(b.input('x', f32(4, 4)), b.input('w', f32(4, 4)));
      return [{ name: 'y', value: b.matmul(x, b.input('v', f32(4, 4))) }];
    });
    expect(chain.map(d => d.kernels.length)).toEqual([1, 1]);
    expect(dispatches(b => sums(b, 1000, 1000))).toHaveLength(2);
    // Four bindings are more than three.
    expect(dispatches(b => sums(b, 3, 1000), { ...defaultOptions, storageBuffers: 3 })).toHaveLength(2);
  });

  it.each([
    ['charlstm', 30],
    ['gpt-tiny', 50],
  ])('a step of %s needs at most %i pipelines, since equal kernels share theirs', (name, most) => {
    const steps = buildSteps(workloadProgram(name), { train: 4096, validation: 0, test: 0 });
    const train = scheduleShaders(scheduleGraph(steps.entries.find(entry => entry.name === 'train')!));
    expect(train.length).toBeGreaterThan(2 * most);
    expect(new Set(train.map(({ shader }) => shader.template)).size).toBeLessThanOrEqual(most);
  });

  it('a step of simplenet takes at most 12 on a GPU, parts of the depth included', () => {
    const steps = buildSteps(workloadProgram('simplenet'), { train: 8960, validation: 0, test: 0 });
    const train = scheduleShaders(scheduleGraph(steps.entries.find(entry => entry.name === 'train')!));
    expect(train.length).toBeLessThanOrEqual(12);
  });
});

describe('scatters', () => {
  it('an element looks for its own row alone', () => {
    const [shader] = shaders(b => {
      const i = b.input('i', { dtype: 'i32', shape: [5] });
      return [{ name: 'z', value: b.scatterAdd(i, b.input('x', f32(5, 4)), 9) }];
    });
    expect(shader!.code).toContain('for (var e = 0i; e < 5i; e++)');
    expect(shader!.code).not.toContain('atomic');
  });
});

describe('scalars', () => {
  /** The statement for one operation on loads of `types`. */
  function statement(value: LoopKernel['phases'], dtype: DType): string {
    const buffers = [
      { name: 'x', kind: 'input', dtype: 'f32', length: 4 },
      { name: 'n', kind: 'input', dtype: 'u32', length: 4 },
      { name: 'y', kind: 'result', dtype, length: 4 },
    ] as const;
    const kernel: LoopKernel = { kind: 'loop', name: 'k', axes: [4], inner: [], phases: value };
    return shadersOf({ name: 's', buffers, kernels: [kernel], arenaBytes: 0 })[0]!.code;
  }
  const x = load(0, axis(0), 'f32');
  const n = load(1, axis(0), 'u32');
  it.each([
    [apply('pow', [x, constant(0.5, 'f32')], 'f32'), 'power(v0, 0.5f)', 'fn power('],
    [apply('mod', [x, x], 'f32'), 'remainder(v0, v0)', 'fn remainder('],
    [apply('isfinite', [x], 'bool'), 'isFinite(v0)', '0x7f800000u'],
    [apply('min', [x, constant(Number.POSITIVE_INFINITY, 'f32')], 'f32'), 'min(v0, special(0x7f800000u))', 'zeroBits'],
    [apply('add', [x, constant(-1.5, 'f32')], 'f32'), 'v0 + (-1.5f)', ''],
    [apply('add', [x, constant(1e-8, 'f32')], 'f32'), 'v0 + 9.99999993922529e-9f', ''],
    [apply('shr', [n, constant(3, 'u32')], 'u32'), 'v0 >> u32(3u)', ''],
    [apply('neg', [n], 'u32'), '0u - v0', ''],
    [apply('bitcast', [n], 'f32'), 'bitcast<f32>(v0)', ''],
    [apply('cast', [x], 'i32'), 'i32(v0)', ''],
    [apply('philox', [n, n, n, n], 'u32'), 'philox(v0, v0, v0, v0)', 'fn mulHigh('],
    [apply('select', [apply('lt', [x, x], 'bool'), x, constant(0, 'f32')], 'f32'), 'select(0f, v0, v1)', ''],
  ])('%#', (value, text, included) => {
    const code = statement(
      [{ kind: 'store', over: 'outer', stores: [{ buffer: 2, at: axis(0), value }] }],
      value.type === 'bool' ? 'bool' : value.type,
    );
    expect(code).toContain(`= ${text};`);
    expect(code).toContain(included);
  });

  it('a reduction that is used before it is done is our mistake', () => {
    expect(() =>
      statement(
        [{ kind: 'store', over: 'outer', stores: [{ buffer: 2, at: axis(0), value: reduced(0, 'f32') }] }],
        'f32',
      ),
    ).toThrow('a reduction is used before it is done');
  });
});
