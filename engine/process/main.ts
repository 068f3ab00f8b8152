/** Entry of the background process: trains the run of one folder, whoever is watching. `node engine.js <run folder>`. */
import { resolve } from 'node:path';
import { runEngine } from './engine.ts';

const folder = process.argv[2];
if (folder === undefined) {
  process.stderr.write('expected the run folder as argument\n');
  process.exit(2);
}
// A terminal that closes, or a client's Ctrl+C, must not end a run that belongs to the folder.
process.on('SIGHUP', () => {});
const done = await runEngine(resolve(folder));
// Dawn may keep handles open; the run is over and everything is on disk.
process.exit(done.reason === 'failed' ? 1 : 0);
