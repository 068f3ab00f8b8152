/**
 * `npm run fuzz [-- seconds [part of a file name …]]`: the property tests with 20 times the cases and seed after seed, until the time is over
 * (300 seconds by default; a round that has begun is ended) or one fails. Its last line says how to repeat that.
 */
import { spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const factor = process.env.STRATA_FUZZ ?? '20';
const [limit = '300', ...parts] = process.argv.slice(2);
const files = readdirSync(join(root, 'test'), { recursive: true })
  .map(name => join('test', name).replaceAll('\\', '/'))
  .filter(name => name.endsWith('.test.ts') && readFileSync(join(root, name), 'utf8').includes('support/fuzz.ts'))
  .filter(name => parts.length === 0 || parts.some(part => name.includes(part)));
if (!(Number(limit) > 0) || files.length === 0) {
  console.error(
    `expected seconds and parts of the names of tests that import test/support/fuzz.ts, found ${process.argv.slice(2).join(' ')}`,
  );
  process.exit(2);
}

const began = performance.now();
let rounds = 0;
do {
  const seed = process.env.STRATA_SEED ?? String(randomInt(1, 2 ** 31));
  const command = ['vitest', 'run', '--testTimeout=1800000', ...files];
  console.log(`\n=== round ${++rounds}, STRATA_SEED=${seed}, STRATA_FUZZ=${factor}`);
  const { status } = spawnSync('npx', command, {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, STRATA_SEED: seed, STRATA_FUZZ: factor },
    shell: process.platform === 'win32',
    // A property that never comes back is a failure too.
    timeout: 3_600_000,
  });
  if (status !== 0) {
    console.error(`\nfailed; to repeat: STRATA_SEED=${seed} STRATA_FUZZ=${factor} npx ${command.join(' ')}`);
    process.exit(1);
  }
} while (process.env.STRATA_SEED === undefined && performance.now() - began < Number(limit) * 1000);
console.log(`\n${rounds} rounds of ${files.length} files passed`);
