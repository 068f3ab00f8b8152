// The tests in a real VS Code: checks what they need, then runs them. Exits 75 (skipped) where something is missing, and says what.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromiumPath, ensureSystem } from './system.mjs';

const SKIPPED = 75;
const root = fileURLToPath(new URL('../..', import.meta.url));

function reasonToSkip() {
  ensureSystem();
  if (chromiumPath() === undefined)
    return 'no Chromium on this machine (apt-get install chromium, or set STRATA_CHROMIUM)';
  if (!existsSync(join(root, 'dist/extension.cjs'))) return 'nothing is built yet (npm run build)';
  if (ownNode() === undefined) return `no Node 24 from the registry for ${process.platform}-${process.arch}`;
  if (!isInstalled() && !canInstall()) return 'VS Code is not installed yet, and the npm registry can not be reached';
  return undefined;
}

/** What `installHost` in host.ts looks for. */
function isInstalled() {
  const home = process.env.STRATA_VSCODE_HOST ?? join(root, '.cache/vscode-host');
  return existsSync(join(home, 'node_modules/code-server/lib/vscode/node_modules/.package-lock.json'));
}

function canInstall() {
  const options = { stdio: 'ignore', timeout: 60_000, shell: process.platform === 'win32' };
  return spawnSync('npm', ['view', 'code-server@4.139.1', 'version'], options).status === 0;
}

/** code-server 4.139 needs Node 24: the binary that the registry package of the platform carries. */
function ownNode() {
  const platform = process.platform === 'win32' ? 'win' : process.platform;
  try {
    const require = createRequire(join(root, 'package.json'));
    return join(dirname(require.resolve(`node-${platform}-${process.arch}/package.json`)), 'bin/node');
  } catch {
    return undefined;
  }
}

const reason = reasonToSkip();
if (reason) {
  console.log(`skipped: ${reason}`);
  process.exitCode = SKIPPED;
} else {
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  const args = [vitest, 'run', '--config', join(root, 'test/e2e/vitest.config.ts'), ...process.argv.slice(2)];
  const env = { ...process.env, STRATA_E2E_NODE: ownNode() };
  const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit', env });
  process.exitCode = status ?? 1;
}
