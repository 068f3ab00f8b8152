/** A thread that reads schemas: started when the first is asked for, ended when none has been for a while, or when one takes too much of time or memory. */
import { Worker } from 'node:worker_threads';
import type { SchemaAnswer, SchemaJob } from './schemaJob.ts';

export interface SchemaWorker {
  /** Does one job after the other. Rejects if the thread dies of it or takes too long. */
  readonly run: (job: SchemaJob) => Promise<SchemaAnswer>;
}

export interface SchemaWorkerLimits {
  /** Milliseconds a job may take. */
  readonly patience?: number;
  /** Milliseconds without a job after which the thread ends. */
  readonly idle?: number;
}

/** Megabytes of the thread's heap: the 16 MiB that are read of a table at most are parsed within a few hundred. */
const heap = 768;

/** `entry`: path of the bundle of `schemaThread.ts`. */
export function createSchemaWorker(
  entry: string,
  { patience = 60_000, idle = 30_000 }: SchemaWorkerLimits = {},
): SchemaWorker {
  let worker: Worker | undefined;
  let resting: ReturnType<typeof setTimeout> | undefined;
  const end = (): void => {
    void worker?.terminate();
    worker = undefined;
  };
  const start = (): Worker => {
    const started = new Worker(entry, { resourceLimits: { maxOldGenerationSizeMb: heap } });
    // A server whose client has gone ends, whatever is still being read.
    started.unref();
    return started;
  };
  return {
    run: job =>
      new Promise((resolve, reject) => {
        clearTimeout(resting);
        worker ??= start();
        const used = worker;
        const over = (finish: () => void) => {
          clearTimeout(limit);
          used.removeAllListeners();
          resting = setTimeout(end, idle);
          resting.unref();
          finish();
        };
        const fail = (error: Error): void => {
          end();
          over(() => reject(error));
        };
        const limit = setTimeout(() => fail(new Error(`reading it takes more than ${patience / 1000} s`)), patience);
        used.once('message', (answer: SchemaAnswer) => over(() => resolve(answer)));
        used.once('error', (error: NodeJS.ErrnoException) =>
          fail(
            error.code === 'ERR_WORKER_OUT_OF_MEMORY' ? new Error(`it needs more than ${heap} MB of memory`) : error,
          ),
        );
        used.once('exit', code => fail(new Error(`its reader ended with code ${code}`)));
        used.postMessage(job);
      }),
  };
}
