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
  let last: Promise<unknown> = Promise.resolve();
  const end = (): void => {
    void worker?.terminate();
    worker = undefined;
  };
  const start = (): Worker => {
    const started = new Worker(entry, { resourceLimits: { maxOldGenerationSizeMb: heap } });
    // Also one that dies at rest must not take the server with it.
    started.on('error', () => {});
    started.on('exit', () => {
      if (worker === started) worker = undefined;
    });
    return started;
  };
  const doJob = (job: SchemaJob): Promise<SchemaAnswer> => {
    clearTimeout(resting);
    worker ??= start();
    const used = worker;
    used.ref();
    return new Promise<SchemaAnswer>((resolve, reject) => {
      const settle = (finish: () => void): void => {
        clearTimeout(limit);
        used.off('message', answered).off('error', failed).off('exit', ended);
        // A program that has nothing else to do waits for a job, but not for a thread at rest.
        used.unref();
        resting = setTimeout(end, idle);
        resting.unref();
        finish();
      };
      const fail = (error: Error): void => {
        end();
        settle(() => reject(error));
      };
      const answered = (answer: SchemaAnswer): void => settle(() => resolve(answer));
      const failed = (error: NodeJS.ErrnoException): void => fail(reasonOf(error));
      const ended = (code: number): void => fail(new Error(`its reader ended with code ${code}`));
      const limit = setTimeout(() => fail(new Error(`reading it takes more than ${patience / 1000} s`)), patience);
      used.on('message', answered).on('error', failed).on('exit', ended);
      used.postMessage(job);
    });
  };
  return {
    run: job => {
      const answer = last.then(() => doJob(job));
      last = answer.catch(() => {});
      return answer;
    },
  };
}

function reasonOf(error: NodeJS.ErrnoException): Error {
  return error.code === 'ERR_WORKER_OUT_OF_MEMORY' ? new Error(`it needs more than ${heap} MB of memory`) : error;
}
