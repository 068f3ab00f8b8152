/** Worker threads that take part in runs: they share the module and its memory and wait inside WASM, so a run exchanges no messages. */
import { Worker } from 'node:worker_threads';
import { CONTROL } from '../../codegen/wasm/barrier.ts';

export interface Crew {
  /** Tells the workers to run the entry of that number; the caller then runs it as thread 0. */
  start(entry: number, times: number): void;
  dispose(): void;
}

/** CommonJS, given as text so that no bundle has to find a file: everything else happens in the exported function `work`. */
const WORKER = `
const { workerData: { module, memory, thread }, parentPort } = require('node:worker_threads');
const { exports } = new WebAssembly.Instance(module, { strata: { memory } });
parentPort.postMessage('ready');
exports.work(thread);
`;

/** Starts workers for threads 1 to `threads` - 1. */
export async function hireCrew(module: WebAssembly.Module, memory: WebAssembly.Memory, threads: number): Promise<Crew> {
  const workers = Array.from(
    { length: threads - 1 },
    (_, i) => new Worker(WORKER, { eval: true, workerData: { module, memory, thread: i + 1 } }),
  );
  await Promise.all(
    workers.map(
      worker =>
        new Promise<void>((resolve, reject) => {
          worker.once('message', () => resolve());
          worker.once('error', reject);
        }),
    ),
  );
  for (const worker of workers) worker.unref();
  const words = new Int32Array(memory.buffer);
  const start = (entry: number, times: number): void => {
    Atomics.store(words, CONTROL.entry / 4, entry);
    Atomics.store(words, CONTROL.times / 4, times);
    Atomics.add(words, CONTROL.start / 4, 1);
    Atomics.notify(words, CONTROL.start / 4);
  };
  return { start, dispose: () => start(-1, 0) };
}
