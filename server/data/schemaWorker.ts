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
  const rest = (used: Worker): void => {
    used.removeAllListeners();
    // A program that has nothing else to do waits for a job, but not for a thread at rest.
    used.unref();
    resting = setTimeout(end, idle);
    resting.unref();
  };
  const doJob = (job: SchemaJob): Promise<SchemaAnswer> => {
    clearTimeout(resting);
    worker ??= new Worker(entry, { resourceLimits: { maxOldGenerationSizeMb: heap } });
    const used = worker;
    used.ref();
    let limit: ReturnType<typeof setTimeout> | undefined;
    const answer = new Promise<SchemaAnswer>((resolve, reject) => {
      limit = setTimeout(() => reject(new Error(`reading it takes more than ${patience / 1000} s`)), patience);
      used.once('message', resolve);
      used.once('error', error => reject(reasonOf(error)));
      used.once('exit', code => reject(new Error(`its reader ended with code ${code}`)));
      used.postMessage(job);
    });
    answer.catch(end);
    return answer.finally(() => {
      clearTimeout(limit);
      rest(used);
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
