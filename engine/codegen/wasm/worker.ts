/** The worker's side of a run: waits for the host's word, takes its part in an entry, waits again. */
import { CONTROL } from './barrier.ts';
import { Code } from './encoder.ts';

/** Looks this often before sleeping, so that runs in quick succession start without a system call. */
const SPINS = 20_000;

/** `work(thread)`: runs the entries (functions by index in the module) the host asks for; returns when it asks for -1. */
export function workFunction(entries: readonly number[]): Code {
  const code = new Code(['i32']);
  const [seen, spins, entry, times] = [code.local('i32'), code.local('i32'), code.local('i32'), code.local('i32')];
  const load = (address: number) => code.i32(0).memory('i32.atomic.load', address);
  const isWaiting = () => load(CONTROL.start).get(seen).op('i32.eq');
  code.repeat(() => {
    code.i32(SPINS).set(spins);
    code.repeat(() => {
      code.get(spins).i32(1).op('i32.sub').tee(spins).i32(0).op('i32.gt_s');
      isWaiting().op('i32.and');
    });
    isWaiting().if(() => {
      code.repeat(() => {
        code.i32(0).get(seen).i64(-1).memory('memory.atomic.wait32', CONTROL.start).op('drop');
        isWaiting();
      });
    });
    code.get(seen).i32(1).op('i32.add').set(seen);
    // Read once: when an entry has ended, the host may ask for the next one before this thread has left the list below.
    load(CONTROL.entry).set(entry);
    load(CONTROL.times).set(times);
    entries.forEach((index, i) => {
      code.get(entry).i32(i).op('i32.eq');
      code.if(() => {
        code.get(0).get(times).call(index);
      });
    });
    code.get(entry).i32(0).op('i32.ge_s');
  });
  return code;
}
