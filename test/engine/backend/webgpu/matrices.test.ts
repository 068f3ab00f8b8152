/**
 * Products in subgroup matrices: WGSL that Dawn takes for all shapes that devices have (on its backend without numbers), numbers where the
 * adapter at hand has matrices, and trials that anything wrong fails.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Executable } from '../../../../engine/backend/backend.ts';
import { referenceBackend } from '../../../../engine/backend/reference/reference.ts';
import {
  type AdapterOptions,
  MATRIX_FEATURE,
  matrixShapes,
  SIZE_FEATURE,
} from '../../../../engine/backend/webgpu/adapter.ts';
import { openGate } from '../../../../engine/backend/webgpu/gate.ts';
import type { Device, WebgpuBackend } from '../../../../engine/backend/webgpu/index.ts';
import { multipliesRightly, trustedMatrices } from '../../../../engine/backend/webgpu/trial.ts';
import { scheduleShaders } from '../../../../engine/codegen/wgsl/beside.ts';
import { candidates, productKey } from '../../../../engine/codegen/wgsl/matmul.ts';
import { defaultOptions, literalCode, sharedCode, type WgslOptions } from '../../../../engine/codegen/wgsl/shader.ts';
import {
  fits,
  type MatrixShape,
  tiles as registerTiles,
  type Tile,
  threadsOf,
  tileName,
  tilesOf,
} from '../../../../engine/codegen/wgsl/tiles.ts';
import type { Graph } from '../../../../engine/ir/graph.ts';
import type { MatmulKernel, Schedule } from '../../../../engine/kernel/kernel.ts';
import { apply } from '../../../../engine/kernel/scalar.ts';
import { scheduleGraph } from '../../../../engine/kernel/schedule.ts';
import { widened } from '../../../../engine/kernel/widen.ts';
import { GraphBuilder, type Value } from '../../../../engine/ops/builder.ts';
import { roundToHalf } from '../../../../engine/util/half.ts';
import { openWebgpu } from '../../../support/devices.ts';
import { rounds } from '../../../support/fuzz.ts';
import { expectedBuffers, hostArray, randomLeaves } from '../../../support/runSchedule.ts';
import { difference } from '../../../support/samples.ts';

const shape = (
  component: MatrixShape['component'],
  m: number,
  n: number,
  k: number,
  subgroup: number,
): MatrixShape => ({
  component,
  m,
  n,
  k,
  subgroup,
  multiple: subgroup,
  isChosen: false,
});
/** What GPUs of NVIDIA, Intel and Apple have, and Mesa's software. */
const shapes = [
  shape('f16', 16, 16, 16, 32),
  shape('f16', 8, 16, 16, 16),
  shape('f32', 8, 8, 8, 32),
  shape('f16', 8, 8, 8, 8),
];
const large: WgslOptions = { ...defaultOptions, workgroupSize: 1024, workgroupBytes: 32768 };

interface Sizes {
  readonly batch: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly transposeA: boolean;
  readonly transposeB: boolean;
}

const input = (b: GraphBuilder, name: string, ...dims: number[]): Value => b.input(name, { dtype: 'f32', shape: dims });
const rounded = (b: GraphBuilder, name: string, ...dims: number[]): Value =>
  b.op('to_f32', [b.op('to_f16', [input(b, name, ...dims)])]);

/** `relu(a b + bias)` of numbers of f16, as they lie or turned round. */
function product({ batch, m, n, k, transposeA, transposeB }: Sizes): Graph {
  const b = new GraphBuilder();
  const x = transposeA ? rounded(b, 'x', batch, k, m) : rounded(b, 'x', batch, m, k);
  const y = transposeB ? rounded(b, 'y', batch, n, k) : rounded(b, 'y', batch, k, n);
  const sum = b.add(b.op('matmul', [x, y], { transposeA, transposeB }), input(b, 'bias', n));
  return b.finish('product', [{ name: 'z', value: b.maximum(sum, 0) }]);
}

function convolution(): Graph {
  const b = new GraphBuilder();
  const y = b.conv(rounded(b, 'x', 2, 3, 9, 9), rounded(b, 'w', 5, 3, 3, 3));
  return b.finish('convolution', [{ name: 'z', value: y }]);
}

const only = (tile: Tile) => ({ get: () => tile });
const productsOf = (schedule: Schedule): readonly MatmulKernel[] =>
  schedule.kernels.filter(kernel => kernel.kind === 'matmul');

describe('tiles of matrices', () => {
  it.each(shapes)('$component $m x $n x $k: each has threads for its slices', matrix => {
    const own = tilesOf(matrix);
    expect(own.length).toBeGreaterThan(3);
    for (const tile of own) {
      expect(threadsOf(tile)).toBeGreaterThanOrEqual(Math.max(tile.rows / 4, tile.columns / 4, tile.depth));
      expect(fits({ ...tile, matrix: { ...matrix, multiple: 3 } }, large)).toBe(false);
    }
    expect(new Set(own.map(tileName)).size).toBe(own.length);
    expect(own.some(tile => fits(tile, defaultOptions))).toBe(true);
  });

  it('are for operands that are numbers of f16; those of f32 for all; a shape gets one kind alone', () => {
    const sizes = { batch: 1, m: 512, n: 512, k: 512, transposeA: false, transposeB: false };
    const b = new GraphBuilder();
    const full = b.matmul(input(b, 'x', 512, 512), input(b, 'y', 512, 512));
    const kinds = (schedule: Schedule, matrices: readonly MatrixShape[]) => {
      const [kernel] = productsOf(schedule);
      const ranked = candidates(schedule, kernel!, { ...large, matrices });
      return [...new Set(ranked.map(tile => tile.matrix?.component ?? 'registers'))];
    };
    const half = scheduleGraph(product(sizes));
    const plain = scheduleGraph(b.finish('g', [{ name: 'z', value: full }]));
    const [f16, , f32] = shapes;
    expect(kinds(half, [f16!])).toEqual(['f16']);
    expect(kinds(widened(half), [f16!])).toEqual(['f16']);
    expect(kinds(plain, [f16!])).toEqual(['registers']);
    expect(kinds(plain, [f16!, f32!])).toEqual(['f32']);
    expect(kinds(half, [])).toEqual(['registers']);
    expect(productKey(half, productsOf(half)[0]!)).not.toBe(productKey(plain, productsOf(plain)[0]!));
  });

  it('are the largest of each type that an adapter has, where it says how many threads a subgroup has', () => {
    const found = (of: GPUAdapter, mixed = true) =>
      matrixShapes(of, mixed).map(s => [s.component, s.m, s.subgroup, s.multiple, s.isChosen]);
    expect(found(adapter(32, 32, 'nvidia'))).toEqual([
      ['f16', 16, 32, 32, false],
      ['f32', 16, 32, 32, false],
    ]);
    expect(found(adapter(32, 32, 'nvidia'), false)).toEqual([['f32', 16, 32, 32, false]]);
    expect(found(adapter(32, 64, 'amd', SIZE_FEATURE))[0]).toEqual(['f16', 16, 32, 64, true]);
    expect(found(adapter(32, 64, 'amd'))).toEqual([]);
    expect(found(adapter(4, 64, 'apple'), false)).toEqual([['f32', 16, 32, 64, false]]);
  });
});

/** An adapter that has subgroup matrices of many kinds. */
function adapter(least: number, most: number, vendor: string, ...more: string[]): GPUAdapter {
  const config = (componentType: string, resultComponentType: string, size = 16) => ({
    ...{ componentType, resultComponentType, M: size, N: size, K: size },
  });
  return {
    features: new Set([MATRIX_FEATURE, 'shader-f16', 'subgroups', ...more]),
    limits: { maxComputeInvocationsPerWorkgroup: 1024, maxComputeWorkgroupStorageSize: 32768 },
    info: {
      ...{ vendor, architecture: '', device: '', description: '', subgroupMinSize: least, subgroupMaxSize: most },
      subgroupMatrixConfigs: [
        ...[config('i8', 'i32'), config('f16', 'f16'), config('f16', 'f32', 8)],
        ...[config('f16', 'f32'), config('f32', 'f32')],
      ],
    },
  } as unknown as GPUAdapter;
}

describe('on a device without numbers', () => {
  let device: GPUDevice | undefined;
  /** The addon ends with it. */
  let gpu: GPU | undefined;
  beforeAll(async () => {
    const { create, globals } = await import('webgpu');
    Object.assign(globalThis, globals);
    gpu = create(['backend=null', 'enable-dawn-features=allow_unsafe_apis']);
    const adapter = await gpu.requestAdapter();
    const features = ['subgroups', 'shader-f16', MATRIX_FEATURE, SIZE_FEATURE] as unknown as GPUFeatureName[];
    device = await adapter?.requestDevice({ requiredFeatures: features });
  }, 60_000);
  afterAll(() => {
    device?.destroy();
    gpu = undefined;
  });

  /** Undefined if Dawn takes it, as a pipeline unless the device is too small for that. */
  async function refusal(code: string, isLarge = false): Promise<string | undefined> {
    device!.pushErrorScope('validation');
    const module = device!.createShaderModule({ code });
    const error = await device!.popErrorScope();
    if (error) return error.message;
    const { messages } = await module.getCompilationInfo();
    if (messages.length > 0) return messages.map(m => m.message).join();
    if (isLarge) return undefined;
    const pipeline = device!.createComputePipelineAsync({ layout: 'auto', compute: { module, entryPoint: 'main' } });
    return pipeline.then(
      () => undefined,
      (reason: Error) => reason.message,
    );
  }

  const edges = { batch: 2, m: 70, n: 65, k: 150, transposeA: true, transposeB: false };
  // This device has subgroups of any size up to 128, and asks for threads that all of them divide.
  it.each(shapes.slice(0, 3).map(s => ({ ...s, multiple: 128, isChosen: true })))(
    '$component $m x $n x $k',
    async matrix => {
      const schedules = [product(edges), product({ ...edges, m: 64, n: 64, k: 64, transposeB: true }), convolution()];
      const tiles = tilesOf(matrix).filter(tile => fits(tile, defaultOptions));
      expect(tiles).not.toEqual([]);
      for (const schedule of schedules.map(graph => widened(scheduleGraph(graph)))) {
        for (const tile of tiles) {
          const options = { ...large, subgroups: { least: 4 }, matrices: [matrix], tiles: only(tile), splits: 2 };
          for (const { shader } of scheduleShaders(schedule, options)) {
            expect(await refusal(literalCode(shader))).toBeUndefined();
            if (shader.offsets.length > 0) expect(await refusal(sharedCode(shader))).toBeUndefined();
          }
        }
      }
    },
  );

  it('two products in one dispatch', async () => {
    const b = new GraphBuilder();
    const outputs = ['y', 'z'].map(name => ({
      name,
      value: b.matmul(input(b, `${name}a`, 40, 30), input(b, `${name}b`, 30, 20)),
    }));
    const matrix = { ...shapes[1]!, subgroup: 32, multiple: 128, isChosen: true };
    const tile = tilesOf(matrix).find(each => tileName(each).startsWith('32x32'))!;
    const schedule = widened(scheduleGraph(b.finish('g', outputs)));
    const found = scheduleShaders(schedule, { ...defaultOptions, tiles: only(tile), splits: 1 });
    const both = found.find(({ kernels }) => kernels.filter(kernel => kernel.kind === 'matmul').length === 2)!;
    const code = literalCode(both.shader);
    expect(code).toContain(`@workgroup_size(${threadsOf(tile)}) @subgroup_size(32)`);
    expect(await refusal(code)).toBeUndefined();
  });
});

describe('the text', () => {
  const text = (k: number) => {
    const tile = tilesOf(shapes[0]!).find(each => tileName(each).startsWith('64x64 32x16 32 f16'))!;
    const schedule = widened(
      scheduleGraph(product({ batch: 1, m: 64, n: 64, k, transposeA: false, transposeB: false })),
    );
    const [last] = scheduleShaders(schedule, { ...defaultOptions, tiles: only(tile), splits: 1 }).slice(-1);
    return literalCode(last!.shader);
  };

  it('stages numbers of f16, multiplies them as matrices and hands the sums to the epilogue', () => {
    const code = text(64);
    expect(code.split('\n').slice(0, 3).sort()).toEqual([
      'enable chromium_experimental_subgroup_matrix;',
      'enable f16;',
      'enable subgroups;',
    ]);
    // A padded slice of each operand, and of each of eight subgroups a row of one matrix.
    expect(code).toContain('var<workgroup> tileA: array<f16, 2304>;');
    expect(code).toContain('var<workgroup> tileC: array<f32, 2048>;');
    expect(code.match(/var c\d_\d: subgroup_matrix_result<f32, 16, 16>/g)).toHaveLength(2);
    expect(code).toContain('for (var p = 0i; p < 32i; p += 16i)');
    expect(code).toContain('subgroupMatrixLoad<subgroup_matrix_left<f16, 16, 16>, col_major>(&tileA,');
    expect(code).toContain('subgroupMatrixStore<row_major>(&tileC,');
    expect(code).not.toContain('select(');
  });

  it('pads what is left of the depth with zeros, to whole matrices', () => {
    const [whole, rest] = text(70).split('let k0 = 64i;');
    expect(whole).not.toContain('select(');
    expect(rest).toContain('for (var p = 0i; p < 6i; p += 16i)');
    expect(rest).toMatch(/select\(vec4<f32>\(0f\), .*, k0 \+ .* <= 69i\)/);
  });
});

describe('on the adapter at hand', () => {
  let gpu: WebgpuBackend | undefined;
  beforeAll(async () => {
    const opened = await openWebgpu({ matrices: true, mixed: true, tune: false });
    if (opened?.shader().matrices?.length) gpu = opened;
    else await opened?.dispose();
  }, 300_000);
  afterAll(() => gpu?.dispose());

  const run = async (backend: WebgpuBackend, graph: Graph, options: Partial<WgslOptions>) => {
    const leaves = randomLeaves(graph);
    const executable = await backend.compile([scheduleGraph(graph)], options);
    try {
      for (const [name, leaf] of Object.entries(leaves)) executable.write(name, hostArray(leaf));
      executable.run(graph.name, 1);
      return (await executable.read('z')) as Float32Array;
    } finally {
      executable.dispose();
    }
  };
  const tilesAt = (backend: WebgpuBackend): readonly Tile[] => {
    const matrices = backend.shader().matrices!.flatMap(tilesOf);
    const few = (t: Tile) => !backend.shader().software || t.threadRows * t.threadColumns <= 8 * t.matrix!.m ** 2;
    return matrices.filter(tile => fits(tile, backend.shader()) && few(tile));
  };

  it('products in all tiles, with edges and parts of the depth', { timeout: 600_000 }, async context => {
    const backend = gpu ?? context.skip();
    for (const tile of tilesAt(backend)) {
      const sizes = (size: number) => fc.constantFrom(1, 7, size - 1, size, size + 1, size + 12);
      const cases = fc.record({
        batch: fc.constantFrom(1, 3),
        m: sizes(tile.rows),
        n: sizes(tile.columns),
        k: fc.constantFrom(5, 31, 32, 61, 64, 100, 263),
        transposeA: fc.boolean(),
        transposeB: fc.boolean(),
      });
      await fc.assert(
        fc.asyncProperty(cases, fc.integer({ min: 1, max: 3 }), async (each, splits) => {
          const graph = product(each);
          const found = await run(backend, graph, { tiles: only(tile), splits });
          expect(difference(found, expectedBuffers(graph, randomLeaves(graph)).z!)).toBeLessThan(1e-4);
        }),
        rounds(3),
      );
    }
  });

  it('a convolution', { timeout: 300_000 }, async context => {
    const backend = gpu ?? context.skip();
    const graph = convolution();
    for (const tile of tilesAt(backend).slice(-2)) {
      const found = await run(backend, graph, { tiles: only(tile) });
      expect(difference(found, expectedBuffers(graph, randomLeaves(graph)).z!)).toBeLessThan(1e-4);
    }
  });

  it('the same bits in all tiles', { timeout: 600_000 }, async context => {
    const backend = gpu ?? context.skip();
    const graph = product({ batch: 1, m: 70, n: 65, k: 150, transposeA: false, transposeB: true });
    for (const splits of [1, 3]) {
      const [first, ...others] = await Promise.all(
        tilesAt(backend).map(tile => run(backend, graph, { tiles: only(tile), splits })),
      );
      for (const other of others) expect(other).toEqual(first);
    }
  });
});

describe('the trial', () => {
  const reference = async (schedule: Schedule): Promise<Executable> => (await referenceBackend()).compile([schedule]);
  /** The reference, its product changed on the way to the host. */
  const changed = (change: (value: number, at: number) => number) => async (schedule: Schedule) => {
    const executable = await reference(schedule);
    return { ...executable, read: async (name: string) => (await executable.read(name)).map(change) };
  };

  it.each(['f16', 'f32'] as const)('the reference passes, one wrong number fails (%s)', async component => {
    expect(await multipliesRightly(reference, component)).toBe(true);
    expect(
      await multipliesRightly(
        changed((x, at) => (at === 30_000 ? x + 1 : x)),
        component,
      ),
    ).toBe(false);
    // The last row and column of the second product.
    expect(
      await multipliesRightly(
        changed((x, at) => (at === 2 * 133 * 139 - 1 ? x + 1 : x)),
        component,
      ),
    ).toBe(false);
  });

  it('sums in f16 fail', async () => {
    expect(await multipliesRightly(changed(roundToHalf), 'f16')).toBe(false);
  });

  it('operands of f32 that are cut to the bits of f16 fail', async () => {
    const cut = (schedule: Schedule) => {
      const [kernel] = productsOf(schedule);
      return reference({ ...schedule, kernels: [{ ...kernel!, a: apply('round_f16', [kernel!.a], 'f32') }] });
    };
    expect(await multipliesRightly(cut, 'f16')).toBe(true);
    expect(await multipliesRightly(cut, 'f32')).toBe(false);
  });

  it('whatever is wrong switches off the shape that it concerns, and no other', async () => {
    const [f16, , f32] = shapes;
    const shader = { ...large, matrices: [f16!, f32!] };
    const tried: string[] = [];
    const right = (schedule: Schedule, tile: Tile) => {
      tried.push(tileName(tile));
      return reference(schedule);
    };
    expect(await trustedMatrices(shader, right)).toEqual([f16, f32]);
    expect(new Set(tried).size).toBe(5);
    const wrong = changed((x, at) => (at === 5000 ? x + 1 : x));
    const broken = (schedule: Schedule, tile: Tile) => (tile.matrix === f16 ? wrong : reference)(schedule);
    expect(await trustedMatrices(shader, broken)).toEqual([f32]);
    const refused = (schedule: Schedule, tile: Tile) =>
      tile.matrix === f32 ? Promise.reject(new Error('refused')) : reference(schedule);
    expect(await trustedMatrices(shader, refused)).toEqual([f16]);
    expect(await trustedMatrices({ ...shader, workgroupBytes: 1024 }, right)).toEqual([]);
  });
});

describe('the gate', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'strata-gate-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const opened = { adapter: adapter(32, 32, 'nvidia'), description: '', software: false, gpu: {} as GPU };
  const shader = { ...large, subgroups: { least: 32 } };
  const open = (options: AdapterOptions = {}) =>
    openGate(opened, shader, { tune: true, mixed: true, cacheFolder: folder, ...options });
  const components = (matrices: readonly MatrixShape[]) => matrices.map(({ component }) => component);
  /** Notes the tile that was fastest at the gate's product. */
  const note = (tile: Tile) => {
    const key = '1 1024 1024 1024 depth4 width4 f16';
    open()
      .openCache(open().candidates)!
      .add(new Map([[key, tile]]));
  };

  it('asks for nothing where tiles are not measured, unless told to, and for f16 only if there will be such operands', () => {
    expect(components(open().candidates)).toEqual(['f16', 'f32']);
    expect(components(open({ mixed: false }).candidates)).toEqual(['f32']);
    expect(open({ tune: false }).candidates).toEqual([]);
    expect(open({ matrices: false }).candidates).toEqual([]);
    expect(components(open({ tune: false, matrices: true }).candidates)).toEqual(['f16', 'f32']);
    expect(openGate(opened, { ...shader, subgroups: undefined }, { matrices: true }).candidates).toEqual([]);
  });

  it('lets pass what is known to be faster and multiplies rightly; what is known to be slower is not even asked for', async () => {
    const right = async (schedule: Schedule) => (await referenceBackend()).compile([schedule]);
    const [f16] = open().candidates;
    const passing = (compile: typeof right) =>
      open().passing({ shader: { ...shader, matrices: [f16!] }, software: false } as unknown as Device, compile);
    note(tilesOf(f16!).at(-1)!);
    expect(components(await passing(right))).toEqual(['f16']);
    expect(await passing(() => Promise.reject(new Error('refused')))).toEqual([]);
    rmSync(folder, { recursive: true });
    note(registerTiles[0]!);
    expect(components(open().candidates)).toEqual(['f32']);
  });

  it('keeps tiles of a device with matrices apart from those of one without', () => {
    const all = open().candidates;
    const gate = open();
    const tile = tilesOf(all[0]!).at(-1)!;
    gate.openCache(all)!.add(new Map([['k', tile]]));
    expect(gate.openCache(all)!.tiles.get('k')).toEqual(tile);
    expect(gate.openCache([])!.tiles.size).toBe(0);
    expect(open({ tune: false }).openCache([])).toBeUndefined();
  });
});
