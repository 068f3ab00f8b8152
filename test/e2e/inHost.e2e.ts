/** The mocha suite inside code-server's extension host. */
import { join } from 'node:path';
import { format } from 'node:util';
import { expect, test } from 'vitest';
import { launchBrowser } from './browser.ts';
import { record } from './figures.ts';
import { installHost, root, startHost, workbenchUrl } from './host.ts';
import { bundleSuite, readResult, type SuiteResult } from './suite.ts';
import { createWorkspace } from './workspace.ts';

test('the suite passes in the extension host', { timeout: 240_000 }, async () => {
  installHost();
  const tests = await bundleSuite();
  const workspace = createWorkspace();
  const result = join(workspace.folder, 'result.json');
  const host = await startHost({ env: { STRATA_E2E_RESULT: result }, settings: { 'strata.device': 'cpu' } });
  const browser = await launchBrowser();
  const errors: string[] = [];
  try {
    const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
    const exited = new Promise<number>(resolve => {
      // The workbench calls these two when it runs an extension's tests.
      void page.exposeFunction('codeAutomationLog', (type: string, args: unknown[]) => {
        if (type === 'error') errors.push(format(...args));
      });
      void page.exposeFunction('codeAutomationExit', (code: number) => resolve(code));
    });
    await page.goto(workbenchUrl(host.url, { folder: workspace.folder, extension: root, tests }));
    await exited;
    const found: SuiteResult = readResult(result);
    for (const { title, error, ms } of found.outcomes)
      console.log(error ? `FAILED ${title}\n${error}` : `ok ${title} ${ms} ms`);
    record(found.figures);
    if (found.failures > 0) console.error(errors.join('\n'));
    expect(found.outcomes.filter(outcome => outcome.error)).toEqual([]);
    expect(found.outcomes.length).toBeGreaterThan(5);
    await page.close();
  } finally {
    await browser.close();
    await host.stop();
    workspace.remove();
  }
});
