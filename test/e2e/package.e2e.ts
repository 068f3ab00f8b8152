/** The platform's package, installed from the file into a VS Code that knows nothing of this folder, trains there. */
import { execFileSync } from 'node:child_process';
import { accessSync, constants, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { launchBrowser } from './browser.ts';
import { record } from './figures.ts';
import { installHost, root, startHost } from './host.ts';
import { openWorkbench } from './workbench.ts';
import { createWorkspace } from './workspace.ts';

test('the package installs and trains with what it brings along', { timeout: 300_000 }, async () => {
  installHost();
  const out = mkdtempSync(join(tmpdir(), 'strata-package-'));
  execFileSync(process.execPath, [join(root, 'package.mjs'), '--out', out], { stdio: ['ignore', 'ignore', 'inherit'] });
  const files = readdirSync(out);
  const [universal, platform] = ['-universal-', `-${process.platform}-`].map(part =>
    files.find(file => file.includes(part)),
  );
  const size = statSync(join(out, universal!)).size;
  record({ 'universal package, bytes': size, 'platform package, bytes': statSync(join(out, platform!)).size });
  expect(size).toBeLessThan(2e6);

  const workspace = createWorkspace();
  const host = await startHost({ vsix: [join(out, platform!)], driver: false, settings: { 'strata.device': 'cpu' } });
  const browser = await launchBrowser();
  try {
    const installed = readdirSync(host.extensions).find(name => name.startsWith('strata.strata'));
    accessSync(join(host.extensions, installed!, 'dist/runtime/node'), constants.X_OK);
    const bench = await openWorkbench(browser, host.url, { folder: workspace.folder });
    await bench.open('first.strata');
    const lens = bench.page.locator('.codelens-decoration a', { hasText: /Train$/ }).first();
    await lens.waitFor({ timeout: 60_000 });
    await lens.click();
    await bench.panel.locator('body[data-state=finished]').waitFor({ timeout: 60_000 });
    // The bundled Node is 24 or later: only there V8 has relaxed SIMD at 256 bits.
    expect(await bench.panel.locator('[data-tile=device] .detail').textContent()).toMatch(/relaxed/);
    await bench.picture('package-trained');
    // The manual comes along, and the association of its pages holds where extensions are installed.
    await bench.command('View: Close All Editors');
    await bench.command('Strata: Open Manual');
    await bench.page.locator('.quick-input-list .monaco-list-row', { hasText: 'Contents' }).first().click();
    await bench.panel.locator('h1', { hasText: 'The Strata manual' }).waitFor({ timeout: 60_000 });
    await bench.picture('package-manual');
    await bench.close();
  } finally {
    await browser.close();
    await host.stop();
    workspace.remove();
    rmSync(out, { recursive: true, force: true });
  }
});
