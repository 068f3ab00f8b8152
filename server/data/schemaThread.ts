/** Entry of `dist/schemas.js`: the thread in which the language server has data files read. */
import { parentPort } from 'node:worker_threads';
import { runSchemaJob, type SchemaJob } from './schemaJob.ts';

// A mistake of ours ends the thread, which the other side is told of.
parentPort?.on('message', async (job: SchemaJob) => parentPort?.postMessage(await runSchemaJob(job)));
