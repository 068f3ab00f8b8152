/** Functions over the tiles of a product: what is stored at a tile's end, and the packing of a panel of its right operand. */
import type { Scalar } from '../../ir/scalar.ts';
import { flatten } from '../../ir/scalars.ts';
import type { LoopKernel, MatmulKernel, Store } from '../../kernel/kernel.ts';
import { add, apply, axis, constant, mul, substituteAxes } from '../../kernel/scalar.ts';
import { accessOf, bytesOf, PARAMETER_AXIS, type Place, strideOf } from './access.ts';
import type { ModuleContext } from './context.ts';
import { Code } from './encoder.ts';
import { compileFragment, kernelParameters } from './loop.ts';
import { isStrided, K, N } from './operands.ts';
import { emitPackTransposed } from './pack.ts';
import { stagesOf } from './stages.ts';
import { type Nest, Values } from './values.ts';

/** Parameters of fragments: thread, batch, first row, first column; and the number of the panel, which only the product knows. */
export const [THREAD, BATCH, ROW, COLUMN, POINT] = [0, 1, 2, 3, 4].map(i => axis(PARAMETER_AXIS + i)) as [
  Scalar,
  Scalar,
  Scalar,
  Scalar,
  Scalar,
];
export const PARAMETERS = 4;

/** A product as its fragments know it. */
export interface Tiled {
  readonly kernel: MatmulKernel;
  /** The last two: the sums that are yet to be worked off, and the panel. */
  readonly places: readonly Place[];
  readonly context: ModuleContext;
  /** Columns of a panel, panels, and columns of the sums that are kept. */
  readonly width: number;
  readonly panels: number;
  readonly sumsWidth: number;
  /** What the stages of what is stored pass on, a share for each thread; more are added as they are needed. */
  readonly strips: Place[];
}

/** The function that stores over the points of `axes`, from the batch, row and column that it is passed on. */
export function fragment(product: Tiled, axes: readonly number[], stores: readonly Store[]): number {
  const {
    kernel: { name, batch, m, n },
    places,
    context: { library, module, scratch, threads, tile },
    strips,
    sumsWidth,
    panels,
  } = product;
  const kernel: LoopKernel = {
    kind: 'loop',
    name,
    axes,
    inner: [],
    phases: [{ kind: 'store', over: 'outer', stores }],
  };
  const first = Math.max(threads, batch * panels);
  const parameters = [first, batch, m, n];
  const size = tile.rows * sumsWidth;
  const index = flatten([axis(0), axis(1)], [axes[0]!, axes[1]!]);
  const stages = stagesOf(kernel, places, add(mul(THREAD, constant(size)), index));
  if (stages === undefined) return module.add(compileFragment(kernel, parameters, places, library));
  stages.strips.forEach((dtype, i) => {
    const length = size * threads;
    strips[i] ??= { base: scratch.take(length * bytesOf(dtype)), dtype, length };
  });
  const all = [...places, ...strips];
  const functions = stages.kernels.map(stage => module.add(compileFragment(stage, parameters, all, library)));
  return module.add(sequence(functions, kernelParameters(places).length - 1 + PARAMETERS));
}

/** Copies panel (batch, column) of B to the thread's panel, k-major. Columns behind the last may hold anything. */
export function packFunction(product: Tiled, panel: Place): number {
  const { kernel, places, context, width } = product;
  const { b, n, k } = kernel;
  const panelLength = k * width;
  if (isStrided(b, places, [N, K], true) && strideOf(b.at, K) === 1 && n >= width) {
    return context.module.add(transposingPack(product, b, panel));
  }
  const column = add(COLUMN, axis(1));
  const element = substituteAxes(b, [BATCH, constant(0), column, axis(0)]);
  const isInside = apply('lt', [column, constant(n)], 'bool');
  const value = n % width === 0 ? element : apply('select', [isInside, element, constant(0, 'f32')], 'f32');
  const at = add(add(mul(THREAD, constant(panelLength)), mul(axis(0), constant(width))), axis(1));
  return fragment(product, [k, width], [{ buffer: places.length - 1, at, value }]);
}

function transposingPack({ kernel, places, context, width }: Tiled, b: Scalar & { kind: 'load' }, panel: Place): Code {
  const { n, k } = kernel;
  const code = new Code([
    ...kernelParameters(places).slice(1),
    ...Array.from({ length: PARAMETERS }, () => 'i32' as const),
  ]);
  const values = new Values(code, context.library, straight(places));
  for (let i = 0; i < PARAMETERS; i++) values.bindAxis(PARAMETER_AXIS + i, i + 2);
  values.bindPointers(2 + PARAMETERS);
  const first = substituteAxes(b.at, [BATCH, constant(0), COLUMN, constant(0)]);
  const { address, offset } = accessOf(first, places[b.buffer]!, undefined, []);
  const source = code.local('i32');
  values.emit(address, 'scalar');
  code.set(source);
  const target = code.local('i32');
  values.emit(mul(THREAD, constant(k * width * 4)), 'scalar');
  code.set(target);
  const rest = n % width;
  const half = places[b.buffer]!.dtype === 'f16';
  const rowBytes = (half ? 2 : 4) * strideOf(b.at, N)!;
  const pack = (columns: number) => {
    emitPackTransposed(code, {
      source,
      sourceOffset: offset,
      rowBytes,
      target,
      targetOffset: panel.base,
      width,
      columns,
      k,
      half,
    });
  };
  if (rest === 0) pack(width);
  else {
    code
      .get(PARAMETERS + 1)
      .i32(n - rest)
      .op('i32.lt_s');
    code.if(
      () => pack(width),
      () => pack(rest),
    );
  }
  return code;
}

/** A function of `count` numbers that calls others with the same. */
function sequence(functions: readonly number[], count: number): Code {
  const code = new Code(Array.from({ length: count }, () => 'i32' as const));
  for (const index of functions) {
    for (let i = 0; i < count; i++) code.get(i);
    code.call(index);
  }
  return code;
}

/** No loops: what a product computes outside of its fragments are addresses. */
export function straight(places: readonly Place[]): Nest {
  return { places, extents: [], lane: undefined, outerDepth: 0, written: new Set(), depthOf: () => 0 };
}
