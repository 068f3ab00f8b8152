/** Entry of the background process: trains the run of one folder, whoever is watching. `node engine.js <run folder>`. */
import { resolve } from 'node:path';
import { runEngine } from './engine.ts';

const folder = process.argv[2];
if (folder === undefined) {
  process.stderr.write('expected the run folder as argument\n');
  process.exit(2);
}
// A terminal that closes must not end a run that belongs to its folder; a machine that shuts down stops it with a checkpoint.
const stop = new AbortController();
process.on('SIGHUP', () => {});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop.abort());
const done = await runEngine(resolve(folder), { signal: stop.signal });
// Dawn may keep handles open; the run is over and everything is on disk.
process.exit(done.reason === 'failed' ? 1 : 0);
