/** Whether subgroups of this device compute what they should: kernels whose results are known, before any other relies on them. */
import type { WgslOptions } from '../../codegen/wgsl/shader.ts';
import { fits, type MatrixShape, type Tile, tilesOf } from '../../codegen/wgsl/tiles.ts';
import type { Scalar, ScalarType } from '../../ir/scalar.ts';
import type { Buffer, LoopKernel, MatmulKernel, Schedule } from '../../kernel/kernel.ts';
import { add, apply, axis, constant, mul, reduced } from '../../kernel/scalar.ts';
import type { Executable } from '../backend.ts';

/** A row that no number of lanes divides, with each value twice or more, so that positions are put to the test. */
const LENGTH = 777;
const FACTOR = 7919;
const RANGE = 301;

const value = (n: number): number => (n * FACTOR) % RANGE;

const reducers = ['sum', 'max', 'min', 'argmax'] as const;

/** Sum, extremes and the first position of the greatest of `value` over a row: small whole numbers, exact in any order. */
function trialSchedule(): Schedule {
  const scaled = mul(axis(0), constant(FACTOR));
  const element = apply('cast', [apply('mod', [scaled, constant(RANGE)], 'i32')], 'f32');
  const types = reducers.map((reducer): ScalarType => (reducer === 'argmax' ? 'i32' : 'f32'));
  const buffers = reducers.map(
    (name, n): Buffer => ({ name, kind: 'result', dtype: types[n] === 'i32' ? 'i32' : 'f32', length: 1 }),
  );
  const kernel: LoopKernel = {
    kind: 'loop',
    name: 'trial',
    axes: [],
    inner: [LENGTH],
    phases: [
      { kind: 'reduce', slots: reducers.map(reducer => ({ reducer, value: element })) },
      {
        kind: 'store',
        over: 'outer',
        stores: reducers.map((_, slot) => ({
          buffer: slot,
          at: constant(0),
          value: reduced(slot, types[slot]!),
        })),
      },
    ],
  };
  return { name: 'trial', buffers, kernels: [kernel], arenaBytes: 0 };
}

type Compile = (schedule: Schedule) => Promise<Executable>;

/** Runs the kernel as `compile` has it; an error of the device counts as a wrong result. */
export async function reducesRightly(compile: Compile): Promise<boolean> {
  const values = Array.from({ length: LENGTH }, (_, n) => value(n));
  const most = Math.max(...values);
  const expected = [values.reduce((a, b) => a + b, 0), most, Math.min(...values), values.indexOf(most)];
  return passes(compile, trialSchedule(), async executable => {
    const found = await Promise.all(reducers.map(async name => (await executable.read(name))[0]));
    return found.every((result, n) => result === expected[n]);
  });
}

async function passes(
  compile: Compile,
  schedule: Schedule,
  isRight: (executable: Executable) => Promise<boolean>,
): Promise<boolean> {
  try {
    const executable = await compile(schedule);
    try {
      executable.run(schedule.name, 1);
      return await isRight(executable);
    } finally {
      executable.dispose();
    }
  } catch {
    return false;
  }
}

/** Sizes that no tile divides, more than one block of each, and several slices of the depth. */
const PRODUCT = { batch: 2, m: 133, n: 139, k: 107 };
/** Some rows are so small that they are denormal in f16. */
const SMALL = 2 ** -20;
const SMALL_ROWS = 5;

/** Signed integers on the left, of all the bits that f16 has, or of more than that; their products with those on the right exceed f16, their sums are exact in f32. */
const GREATEST = { f16: 2000, f32: 8000 };
const GREATEST_RIGHT = 3;
/** `(sum of factors * axes) mod (2 greatest + 1) - greatest`, of axes 0 to 3. */
const LEFT = [401, 577, 0, 919];
const RIGHT = [3, 0, 2, 5];

const whole = (factors: readonly number[], greatest: number, at: readonly number[]): number =>
  (factors.reduce((sum, factor, n) => sum + factor * at[n]!, 0) % (2 * greatest + 1)) - greatest;

function wholeScalar(factors: readonly number[], greatest: number): Scalar {
  const sum = factors.map((factor, n) => mul(axis(n), constant(factor))).reduce(add);
  const value = apply('mod', [sum, constant(2 * greatest + 1)], 'i32');
  return apply('cast', [apply('sub', [value, constant(greatest)], 'i32')], 'f32');
}

/** relu(a b + n), the operands by arithmetic; a rounding that changes none says which are numbers of f16. */
function productSchedule(component: MatrixShape['component']): Schedule {
  const { batch, m, n } = PRODUCT;
  const isSmall = apply('eq', [apply('mod', [axis(1), constant(SMALL_ROWS)], 'i32'), constant(0)], 'bool');
  const scale = apply('select', [isSmall, constant(SMALL, 'f32'), constant(1, 'f32')], 'f32');
  const operand = (s: Scalar) => (component === 'f16' ? apply('round_f16', [s], 'f32') : s);
  const sum = apply('add', [reduced(0, 'f32'), apply('cast', [axis(2)], 'f32')], 'f32');
  const at = add(mul(add(mul(axis(0), constant(m)), axis(1)), constant(n)), axis(2));
  const kernel: MatmulKernel = {
    kind: 'matmul',
    name: 'trial',
    ...PRODUCT,
    a: operand(apply('mul', [wholeScalar(LEFT, GREATEST[component]), scale], 'f32')),
    b: operand(wholeScalar(RIGHT, GREATEST_RIGHT)),
    stores: [{ buffer: 0, at, value: apply('max', [sum, constant(0, 'f32')], 'f32') }],
  };
  const result: Buffer = { name: 'product', kind: 'result', dtype: 'f32', length: batch * m * n };
  return { name: 'trial', buffers: [result], kernels: [kernel], arenaBytes: 0 };
}

/** Runs a product with edges in all three sizes and an epilogue, of operands that are numbers of `component` alone. */
export async function multipliesRightly(compile: Compile, component: MatrixShape['component']): Promise<boolean> {
  const { batch, m, n, k } = PRODUCT;
  const steps = [...Array(k).keys()];
  const expected = Array.from({ length: batch * m * n }, (_, at) => {
    const [b, row, column] = [Math.floor(at / (m * n)), Math.floor(at / n) % m, at % n];
    const term = (p: number) =>
      whole(LEFT, GREATEST[component], [b, row, column, p]) * whole(RIGHT, GREATEST_RIGHT, [b, row, column, p]);
    const sum = steps.reduce((s, p) => s + term(p), 0) * (row % SMALL_ROWS === 0 ? SMALL : 1);
    return Math.max(0, Math.fround(sum + column));
  });
  return passes(compile, productSchedule(component), async executable => {
    const found = await executable.read('product');
    return expected.every((value, at) => found[at] === value);
  });
}

/** The matrices of `shader` that multiply rightly: in the largest tile, the smallest and one that reads ahead; software, which compiles slowly, in the smallest alone. */
export async function trustedMatrices(
  shader: WgslOptions,
  compile: (schedule: Schedule, tile: Tile) => Promise<Executable>,
): Promise<readonly MatrixShape[]> {
  const { matrices = [], software } = shader;
  const isTrusted = async (matrix: MatrixShape): Promise<boolean> => {
    const tiles = tilesOf(matrix).filter(tile => fits(tile, shader));
    const plain = tiles.filter(({ isAhead }) => !isAhead);
    const more = software ? [] : [...plain.slice(0, 1), ...tiles.filter(({ isAhead }) => isAhead).slice(0, 1)];
    const tried = new Set([...plain.slice(-1), ...more]);
    const results = [...tried].map(tile => multipliesRightly(schedule => compile(schedule, tile), matrix.component));
    return tried.size > 0 && (await Promise.all(results)).every(isRight => isRight);
  };
  const trusted = await Promise.all(matrices.map(isTrusted));
  return matrices.filter((_, n) => trusted[n]);
}
