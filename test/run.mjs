// `npm test`: every check in order, all of them even if one fails, and a closing line. `node test/run.mjs [stage…]` runs some alone.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** A stage that finds what it needs missing says so and exits with this code: skipped, aloud. */
const SKIPPED = 75;

const stages = [
  { name: 'build', command: ['node', 'build.mjs'] },
  { name: 'types', command: ['npx', 'tsc', '--noEmit'] },
  { name: 'lint', command: ['npx', 'biome', 'check', '.'] },
  { name: 'system', command: ['node', 'test/e2e/system.mjs'] },
  { name: 'unit', command: ['npx', 'vitest', 'run'] },
  { name: 'neovim', command: ['node', 'test/e2e/neovim/run.mjs'] },
  { name: 'vscode', command: ['node', 'test/e2e/run.mjs'] },
];

const wanted = process.argv.slice(2);
const chosen = wanted.length === 0 ? stages : stages.filter(stage => wanted.includes(stage.name));
const outcomes = chosen.map(runStage);

console.log('\nstage        outcome  seconds');
for (const { name, outcome, seconds } of outcomes)
  console.log(`${name.padEnd(12)} ${outcome.padEnd(8)} ${seconds.toFixed(1)}`);
const number = outcome => outcomes.filter(each => each.outcome === outcome).length;
console.log(`\n${number('passed')} passed, ${number('failed')} failed, ${number('skipped')} skipped`);
process.exitCode = number('failed') > 0 || outcomes.length === 0 ? 1 : 0;

function runStage({ name, command: [program, ...args] }) {
  console.log(`\n=== ${name}: ${[program, ...args].join(' ')}`);
  const began = performance.now();
  const windows = process.platform === 'win32';
  const { status } = spawnSync(program, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'], shell: windows });
  const outcome = status === 0 ? 'passed' : status === SKIPPED ? 'skipped' : 'failed';
  return { name, outcome, seconds: (performance.now() - began) / 1000 };
}
