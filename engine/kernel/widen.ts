/** Schedules for devices that can't store two bytes by themselves: what would be f16 is rounded to it and stored as f32. */
import type { BufferId, Kernel, Schedule, Store } from './kernel.ts';
import { planMemory } from './memory.ts';
import { apply, intern } from './scalar.ts';

/** The same numbers in as many bytes as f32 takes, in the buffers of f16 that `isWide` names, or all; the schedule itself where there are none. */
export function widened(schedule: Schedule, isWide: (id: BufferId) => boolean = () => true): Schedule {
  const isHalf = schedule.buffers.map(({ dtype }, id) => dtype === 'f16' && isWide(id));
  if (!isHalf.includes(true)) return schedule;
  const round = (store: Store): Store =>
    isHalf[store.buffer] ? { ...store, value: apply('round_f16', [intern(store.value)], 'f32') } : store;
  const buffers = schedule.buffers.map((buffer, id) =>
    isHalf[id]
      ? { ...buffer, dtype: 'f32' as const, isRounded: ['temporary', 'result'].includes(buffer.kind) }
      : buffer,
  );
  return planMemory({ ...schedule, buffers, kernels: schedule.kernels.map(kernel => mapStores(kernel, round)) });
}

function mapStores(kernel: Kernel, f: (store: Store) => Store): Kernel {
  switch (kernel.kind) {
    case 'loop': {
      const phases = kernel.phases.map(p => (p.kind === 'store' ? { ...p, stores: p.stores.map(f) } : p));
      return { ...kernel, phases };
    }
    case 'matmul':
      return { ...kernel, stores: kernel.stores.map(f) };
    case 'scatter':
      return kernel;
  }
}
