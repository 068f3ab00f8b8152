/**
 * The extension for browsers in the web extension host of a real VS Code: a worker in a frame of its own origin, under the policy that
 * VS Code for the web has there. The language works; what needs a machine isn't offered.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { root } from './host.ts';
import { scenario } from './scenario.ts';

const out = mkdtempSync(join(tmpdir(), 'strata-web-'));
execFileSync(process.execPath, [join(root, 'package.mjs'), '--target', 'web', '--out', out], {
  stdio: ['ignore', 'ignore', 'inherit'],
});
afterAll(() => rmSync(out, { recursive: true, force: true }));

const shared = scenario({
  name: 'web',
  vsix: readdirSync(out).map(name => join(out, name)),
  installed: true,
  driver: false,
  files: () => ({
    'user.strata': 'import SimpleNet from "first.strata"\n\nmodel Two(x: [B, 784]) -> [B, 10] {\n  x |> SimpleNet\n}\n',
  }),
});
const slow = { timeout: 60_000 };
const line = (text: string | RegExp) => shared.bench.page.locator('.view-line', { hasText: text }).first();

test('shapes, lenses and hovers come from a worker in the page', async () => {
  const { page } = shared.bench;
  await line('[B, 128]').waitFor(slow);
  await page
    .locator('.codelens-decoration', { hasText: "can't train: training needs a machine, and this is a browser" })
    .first()
    .waitFor(slow);
  expect(page.workers().length).toBeGreaterThan(0);
  await shared.bench.goTo(6, 11);
  await shared.bench.command('Show or Focus Hover');
  await page.locator('.monaco-hover', { hasText: 'torch.nn.Linear' }).first().waitFor(slow);
  await shared.bench.picture('web-hover');
  await page.keyboard.press('Escape');
});

test('a mistake is underlined and mended, and other files are known', async () => {
  const { page } = shared.bench;
  await shared.bench.goTo(7, 16); // fc2 = linear(1|0)
  await page.keyboard.press('Delete');
  await page.keyboard.type('2');
  await page.locator('.squiggly-error').first().waitFor(slow);
  await shared.bench.picture('web-mistake');
  await shared.bench.command('File: Revert File');
  await page
    .locator('.squiggly-error')
    .first()
    .waitFor({ ...slow, state: 'detached' });
  await shared.bench.open('user.strata');
  await line(/SimpleNet\s*\[B,\s10\]/).waitFor(slow);
  await shared.bench.goTo(4, 10);
  await page.keyboard.press('F12');
  await page.locator('.tab.active', { hasText: 'first.strata' }).waitFor(slow);
  await page.locator('.statusbar-item', { hasText: 'Ln 5, Col' }).waitFor(slow);
});

test('names are completed, and looks inside open', async () => {
  const { page } = shared.bench;
  await shared.bench.goTo(8, 1);
  await page.keyboard.press('End');
  await page.keyboard.type(' |> sof');
  await page.locator('.suggest-widget.visible .monaco-list-row', { hasText: 'softmax' }).first().waitFor(slow);
  await shared.bench.picture('web-completion');
  await page.keyboard.press('Escape');
  await shared.bench.command('File: Revert File');
  await shared.bench.command('Strata: Show Graph');
  await page.locator('.tab', { hasText: 'digits (graph)' }).waitFor(slow);
  await line(/matmul/).waitFor(slow);
});
