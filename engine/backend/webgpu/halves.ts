/** Whether this device stores f16 to the bit, and how: kernels whose results are known, before any other relies on them. */
import type { WgslOptions } from '../../codegen/wgsl/shader.ts';
import type { Buffer, Kernel, LoopKernel, Schedule } from '../../kernel/kernel.ts';
import { axis, constant, load, reduced } from '../../kernel/scalar.ts';
import { halfValue, roundToHalf } from '../../util/half.ts';
import type { Executable } from '../backend.ts';

type Halves = NonNullable<WgslOptions['halves']>;

/** In each binade of f16, denormals and infinity included, these significands … */
const SIGNIFICANDS = [0, 1, 2, 3, 0x155, 0x2aa, 0x3fe, 0x3ff];
const BINADES = 32;
/** … and in f32 the numbers between one and the next: the tie, and its neighbours on both sides. */
const EPSILON = 2 ** -22;

/** NaN, all kinds of numbers of f16, and of f32 what is rounded to them: overflow, ties, what is less than any. Their number is divisible by four. */
export function trialValues(): Float32Array {
  const found: number[] = [Number.NaN, 1e30, 65519.996, 2 ** -140];
  for (let binade = 0; binade < BINADES; binade++) {
    for (const significand of SIGNIFICANDS) {
      const bits = (binade << 10) | significand;
      if (bits > 0x7c00) continue;
      const [low, high] = [halfValue(bits), bits === 0x7c00 ? 0 : halfValue(bits + 1)];
      // What stands between the greatest number and infinity is rounded as if there were one more.
      const tie = bits === 0x7bff ? 65520 : bits === 0x7c00 ? low : (low + high) / 2;
      found.push(low, tie * (1 - EPSILON), tie, tie * (1 + EPSILON));
    }
  }
  return Float32Array.from([...found, ...found.map(value => -value)]);
}

/** x to f16 element by element, from there in vectors through a product with 1 to f16 again, and element by element back to f32. */
function trialSchedule(length: number): Schedule {
  const bytes = Math.ceil((2 * length) / 256) * 256;
  const buffers: readonly Buffer[] = [
    { name: 'x', kind: 'input', dtype: 'f32', length },
    { name: 'single', kind: 'temporary', dtype: 'f16', length, offset: 0 },
    { name: 'vectors', kind: 'temporary', dtype: 'f16', length, offset: bytes },
    { name: 'y', kind: 'result', dtype: 'f32', length },
  ];
  const copy = (name: string, from: number, to: number): LoopKernel => {
    const store = { buffer: to, at: axis(0), value: load(from, axis(0), 'f32') };
    return {
      kind: 'loop',
      name,
      axes: [length],
      inner: [],
      phases: [{ kind: 'store', over: 'outer', stores: [store] }],
    };
  };
  const product: Kernel = {
    kind: 'matmul',
    name: 'product',
    batch: 1,
    m: 1,
    n: length,
    k: 1,
    a: constant(1, 'f32'),
    b: load(1, axis(2), 'f32'),
    stores: [{ buffer: 2, at: axis(2), value: reduced(0, 'f32') }],
  };
  return {
    name: 'trial',
    buffers,
    kernels: [copy('to_f16', 0, 1), product, copy('to_f32', 2, 3)],
    arenaBytes: 2 * bytes,
  };
}

/** Runs the kernels as `compile` has them; an error of the device counts as a wrong result. */
async function storesRightly(compile: (schedule: Schedule) => Promise<Executable>): Promise<boolean> {
  const values = trialValues();
  try {
    const executable = await compile(trialSchedule(values.length));
    try {
      executable.write('x', values);
      executable.run('trial', 1);
      const found = await executable.read('y');
      return values.every((x, n) => {
        const [expected, y] = [roundToHalf(x), found[n]!];
        return y === expected || (Number.isNaN(y) && Number.isNaN(expected));
      });
    } finally {
      executable.dispose();
    }
  } catch {
    return false;
  }
}

/** The first way of storing f16 that comes out right on the device: by its own conversion, or of numbers that are rounded before. */
export async function storageOfHalves(
  compileWith: (halves: Halves) => (schedule: Schedule) => Promise<Executable>,
): Promise<Halves | undefined> {
  for (const halves of [{ rounds: true }, { rounds: false }])
    if (await storesRightly(compileWith(halves))) return halves;
  return undefined;
}
