// The in-host suite under @vscode/test-electron: downloads VS Code, or takes the installed one that STRATA_VSCODE names (the executable).
// Where neither can be had it says so and exits 75. `npm run test:electron [-- --version 1.100.0]`
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { downloadAndUnzipVSCode } from '@vscode/test-electron';
import { build } from 'esbuild';

const SKIPPED = 75;
const root = fileURLToPath(new URL('../..', import.meta.url));
const { values } = parseArgs({ options: { version: { type: 'string', default: 'stable' } } });

async function findVsCode() {
  const named = process.env.STRATA_VSCODE;
  if (named) return existsSync(named) ? named : undefined;
  try {
    return await downloadAndUnzipVSCode({ version: values.version, cachePath: join(root, '.cache/vscode') });
  } catch (error) {
    console.log(`no download: ${error instanceof Error ? error.message : error}`);
    return undefined;
  }
}

const executable = await findVsCode();
if (!executable) {
  console.log('skipped: VS Code can be neither downloaded nor found (STRATA_VSCODE names an installed one)');
  process.exitCode = SKIPPED;
} else {
  const outfile = join(root, '.cache/e2e/electron.mjs');
  const entry = join(root, 'test/e2e/electronRun.ts');
  await build({ entryPoints: [entry], bundle: true, outfile, platform: 'node', format: 'esm', packages: 'external' });
  const env = { ...process.env, STRATA_VSCODE: executable, STRATA_ROOT: root };
  process.exitCode = spawnSync(process.execPath, [outfile], { stdio: 'inherit', env }).status ?? 1;
}
