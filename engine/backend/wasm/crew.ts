/** Worker threads that take part in runs: they share the module and its memory and wait inside WASM, so a run exchanges no messages. */
import { Worker } from 'node:worker_threads';
import { CONTROL } from '../../codegen/wasm/barrier.ts';

export interface Crew {
  /** Tells the workers to run the entry of that number; the caller then runs it as thread 0. */
  start(entry: number, times: number): void;
  dispose(): void;
}

/** Workers that have been started and wait for something to work on. */
export interface Recruits {
  /** Resolves when all of them are ready to run. */
  join(module: WebAssembly.Module, memory: WebAssembly.Memory): Promise<Crew>;
  /** Ends them: nothing came of it. */
  dismiss(): void;
}

/** CommonJS, given as text so that no bundle has to find a file: everything else happens in the exported function `work`. */
const WORKER = `
const { workerData: thread, parentPort } = require('node:worker_threads');
parentPort.once('message', ({ module, memory }) => {
  const { exports } = new WebAssembly.Instance(module, { strata: { memory } });
  parentPort.postMessage('ready');
  exports.work(thread);
});
`;

/** Starts workers for threads 1 to `threads` - 1, which takes tens of milliseconds, though none of this thread's. */
export function recruit(threads: number): Recruits {
  const workers = Array.from({ length: threads - 1 }, (_, i) => new Worker(WORKER, { eval: true, workerData: i + 1 }));
  const isReady = (worker: Worker) =>
    new Promise<void>((resolve, reject) => {
      worker.once('message', () => resolve());
      worker.once('error', reject);
    });
  const dismiss = () => {
    for (const worker of workers) void worker.terminate();
  };
  return {
    dismiss,
    async join(module, memory) {
      const ready = workers.map(isReady);
      for (const worker of workers) worker.postMessage({ module, memory });
      await Promise.all(ready);
      for (const worker of workers) worker.unref();
      return crewOf(memory);
    },
  };
}

function crewOf(memory: WebAssembly.Memory): Crew {
  const words = new Int32Array(memory.buffer);
  const start = (entry: number, times: number): void => {
    Atomics.store(words, CONTROL.entry / 4, entry);
    Atomics.store(words, CONTROL.times / 4, times);
    Atomics.add(words, CONTROL.start / 4, 1);
    Atomics.notify(words, CONTROL.start / 4);
  };
  return { start, dispose: () => start(-1, 0) };
}
