// Runs the scenario in a headless Neovim against dist/server.js. `node test/e2e/neovim/run.mjs`; skips aloud without Neovim.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const here = import.meta.dirname ?? new URL('.', import.meta.url).pathname;
const project = resolve(here, '../../..');
const server = join(project, 'dist/server.js');

if (spawnSync('nvim', ['--version']).error) {
  console.log('SKIPPED: the Neovim scenario needs nvim on the PATH (Debian: apt-get install neovim)');
  process.exit(0);
}
if (!existsSync(server)) {
  console.error('dist/server.js is missing: run "npm run build" first');
  process.exit(1);
}

const root = realpathSync(mkdtempSync(join(tmpdir(), 'strata-neovim-')));
const file = join(root, 'first.strata');
cpSync(join(project, 'examples/first.strata'), file);
try {
  const { status, error } = spawnSync(
    'nvim',
    ['--headless', '-u', 'NONE', '-n', '-c', `luafile ${join(here, 'scenario.lua')}`],
    {
      stdio: ['ignore', 'inherit', 'inherit'],
      timeout: 120_000,
      env: {
        ...process.env,
        STRATA_NODE: process.execPath,
        STRATA_SERVER: server,
        STRATA_FILE: file,
        STRATA_ROOT: root,
        // Neovim keeps its state and log files out of the user's.
        XDG_STATE_HOME: root,
        XDG_CACHE_HOME: root,
        XDG_DATA_HOME: root,
      },
    },
  );
  if (error) console.error(String(error));
  console.log(status === 0 ? '\nNeovim scenario passed' : '\nNeovim scenario failed');
  process.exitCode = status ?? 1;
} finally {
  rmSync(root, { recursive: true, force: true });
}
