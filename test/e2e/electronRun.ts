/** Runs the in-host suite in the desktop VS Code that STRATA_VSCODE names; electron.mjs finds or downloads one and bundles this. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runTests } from '@vscode/test-electron';
import { bundleSuite, readResult } from './suite.ts';
import { createWorkspace } from './workspace.ts';

const vscodeExecutablePath = process.env.STRATA_VSCODE;
if (!vscodeExecutablePath) throw new Error('STRATA_VSCODE names no VS Code');
const workspace = createWorkspace();
const profile = mkdtempSync(join(tmpdir(), 'strata-profile-'));
const result = join(profile, 'result.json');
try {
  await runTests({
    vscodeExecutablePath,
    extensionDevelopmentPath: process.env.STRATA_ROOT ?? '.',
    extensionTestsPath: await bundleSuite(),
    launchArgs: [
      workspace.folder,
      '--user-data-dir',
      profile,
      '--disable-extensions',
      '--disable-workspace-trust',
      '--no-sandbox',
    ],
    extensionTestsEnv: { STRATA_E2E_RESULT: result },
  });
} finally {
  const { outcomes } = readResult(result);
  for (const { title, error, ms } of outcomes)
    console.log(error ? `FAILED ${title}\n${error}` : `ok ${title} ${ms} ms`);
  workspace.remove();
  rmSync(profile, { recursive: true, force: true });
}
