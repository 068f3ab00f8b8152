/** Synchronisation of threads inside WASM: a barrier that spins briefly and then sleeps, and the words of memory it uses. */
import { Code } from './encoder.ts';

/** Byte addresses below the buffers, each in a cache line of its own; `lanesBytes` is a size. */
export const CONTROL = {
  /** Threads that have arrived at the current barrier. */
  arrived: 1024,
  /** Number of barriers passed; what sleepers wait on. */
  generation: 1152,
  /** Threads asleep at a barrier. */
  sleepers: 1280,
  /** Incremented by the host to start the workers; they wait on it. */
  start: 1408,
  /** What to run: index of the entry, or -1 to end. */
  entry: 1536,
  times: 1664,
  /** Accumulators that a thread is folding, in bytes of its own. */
  lanes: 4096,
  lanesBytes: 256,
} as const;

/** About 50 µs of looking before sleeping: waking a sleeper costs as much, and the short kernels that one thread does alone take less. */
const SPINS = 40_000;

/** `barrier()`: returns when all threads have called it. */
export function barrierFunction(threads: number): Code {
  const code = new Code();
  const [generation, spins] = [code.local('i32'), code.local('i32')];
  const load = (address: number) => code.i32(0).memory('i32.atomic.load', address);
  const bump = (address: number, by: number) => code.i32(0).i32(by).memory('i32.atomic.rmw.add', address);
  load(CONTROL.generation).set(generation);
  bump(CONTROL.arrived, 1)
    .i32(threads - 1)
    .op('i32.eq');
  code.if(
    () => {
      code.i32(0).i32(0).memory('i32.atomic.store', CONTROL.arrived);
      bump(CONTROL.generation, 1).op('drop');
      // A sleeper counts itself before it looks at the generation a last time, so either it is seen here or it sees the new one.
      load(CONTROL.sleepers);
      code.if(() => {
        code.i32(0).i32(-1).memory('memory.atomic.notify', CONTROL.generation).op('drop');
      });
    },
    () => {
      const isWaiting = () => load(CONTROL.generation).get(generation).op('i32.eq');
      code.i32(SPINS).set(spins);
      code.repeat(() => {
        code.get(spins).i32(1).op('i32.sub').tee(spins).i32(0).op('i32.gt_s');
        isWaiting().op('i32.and');
      });
      isWaiting().if(() => {
        bump(CONTROL.sleepers, 1).op('drop');
        code.repeat(() => {
          code.i32(0).get(generation).i64(-1).memory('memory.atomic.wait32', CONTROL.generation).op('drop');
          isWaiting();
        });
        bump(CONTROL.sleepers, -1).op('drop');
      });
    },
  );
  return code;
}
