/** Whether subgroups of this device compute what they should: a kernel whose results are known, before any other relies on them. */
import type { ScalarType } from '../../ir/scalar.ts';
import type { Buffer, LoopKernel, Schedule } from '../../kernel/kernel.ts';
import { apply, axis, constant, mul, reduced } from '../../kernel/scalar.ts';
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

/** Runs the kernel as `compile` has it; an error of the device counts as a wrong result. */
export async function reducesRightly(compile: (schedule: Schedule) => Promise<Executable>): Promise<boolean> {
  const values = Array.from({ length: LENGTH }, (_, n) => value(n));
  const most = Math.max(...values);
  const expected = [values.reduce((a, b) => a + b, 0), most, Math.min(...values), values.indexOf(most)];
  try {
    const executable = await compile(trialSchedule());
    try {
      executable.run('trial', 1);
      const found = await Promise.all(reducers.map(async name => (await executable.read(name))[0]));
      return found.every((result, n) => result === expected[n]);
    } finally {
      executable.dispose();
    }
  } catch {
    return false;
  }
}
