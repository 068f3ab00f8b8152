/** What surrounds writing in a real VS Code: model outline, looks inside, refactorings, imports, problems, tasks, the manual, a sweep. */
import { writeFileSync } from 'node:fs';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { launchBrowser } from './browser.ts';
import { type Host, installHost, root, startHost } from './host.ts';
import { openWorkbench, type Workbench } from './workbench.ts';
import { createWorkspace, type Workspace } from './workspace.ts';

const blocks = `/// A residual block of one width.
model Residual(x: [B, D]) -> [B, D] {
  x + (x |> linear(D) |> relu)
}
`;
const broken = `model Wrong(x: [B, 784]) -> [B, 10] {
  x |> linear(12)
}
`;
const sweep = `data Points = moons() {
  batch 64
}

train rates on Points {
  sweep    rate: [0.1, 0.01]
  minimize cross_entropy(point |> linear(2), label) using sgd(lr: rate)
  epochs   1
  device   cpu
}
`;

let host: Host;
let browser: Browser;
let workspace: Workspace;
let bench: Workbench;

beforeAll(async () => {
  installHost();
  host = await startHost({ settings: { 'strata.device': 'cpu', 'terminal.integrated.gpuAcceleration': 'off' } });
  browser = await launchBrowser();
  workspace = createWorkspace();
  writeFileSync(workspace.path('blocks.strata'), blocks);
  writeFileSync(workspace.path('broken.strata'), broken);
  writeFileSync(workspace.path('sweep.strata'), sweep);
  bench = await openWorkbench(browser, host.url, { folder: workspace.folder, extension: root });
  await bench.open('first.strata');
  await bench.theme('Dark Modern');
  await line('[B, 128]').waitFor(slow);
});

afterAll(async () => {
  if (bench) await bench.picture('last-editor');
  await bench?.close();
  await browser?.close();
  await host?.stop();
  workspace?.remove();
});

const slow = { timeout: 60_000 };
const line = (text: string | RegExp) => bench.page.locator('.view-line', { hasText: text }).first();
const treeRow = (text: string | RegExp) => bench.page.locator('.pane-body .monaco-list-row', { hasText: text }).first();
const problem = (text: string) => bench.page.locator('.markers-panel .monaco-list-row', { hasText: text }).first();

async function undoAll(): Promise<void> {
  await bench.command('File: Revert File');
  await bench.page.locator('.tab.active.dirty').waitFor({ state: 'detached' });
}

test('the model view tells layers, shapes and weights, and leads to them', async () => {
  await bench.command('View: Show Strata');
  await treeRow('SimpleNet').waitFor(slow);
  await treeRow('SimpleNet').locator('.monaco-tl-twistie').click();
  await treeRow(/^fc1.*\[B, 128\].*100k/).waitFor();
  await treeRow(/^fc1/).click();
  await bench.page.locator('.statusbar-item', { hasText: 'Ln 6, Col' }).waitFor();
  await bench.picture('editor-model-dark');
});

test.each([
  ['Graph', 'graph', /matmul/],
  ['Kernels', 'kernels', /loop|matmul/],
  ['Plan', 'plan', /digits/],
] as const)('Show %s opens beside the source', async (title, what, text) => {
  await bench.command(`Strata: Show ${title}`);
  await bench.page.locator('.tab', { hasText: `digits (${what})` }).waitFor(slow);
  await line(text).waitFor(slow);
  await bench.picture(`editor-${what}-dark`);
});

test('what is shown beside the source follows its edits', async () => {
  await bench.command('Strata: Show Graph');
  await bench.page.locator('.tab', { hasText: 'digits (graph)' }).waitFor(slow);
  await line(/128/).waitFor(slow);
  await bench.goTo(6, 18); // fc1 = linear(12|8)
  await bench.page.keyboard.press('Backspace');
  await bench.page.keyboard.type('5');
  await bench.page
    .locator('.editor-group-container')
    .nth(1)
    .locator('.view-line', { hasText: /158/ })
    .first()
    .waitFor(slow);
  await undoAll();
  await bench.command('View: Close Editors in Other Groups');
});

test('a selection is extracted to a model', async () => {
  const { page } = bench;
  const action = page.locator('.action-widget .monaco-list-row', { hasText: /extract to/i }).first();
  const ask = async () => {
    await page.keyboard.press('Escape');
    await bench.goTo(6, 3);
    for (const key of ['ArrowDown', 'ArrowDown', 'End']) await page.keyboard.press(`Shift+${key}`);
    await bench.command('Refactor...');
    await action.waitFor({ timeout: 3000 });
  };
  await vi.waitFor(ask, { timeout: 30_000, interval: 100 });
  await bench.picture('editor-refactor-dark');
  await action.click();
  await line('model Part(x: [B, 784])').waitFor();
  await bench.picture('editor-extracted-dark');
  await page.keyboard.press('Escape');
  await undoAll();
});

test('a model of another file is completed with its import', async () => {
  const { page } = bench;
  await bench.goTo(8, 21); // … |> fc2|
  await page.keyboard.press('End');
  await page.keyboard.type(' |> Resid');
  const row = page.locator('.suggest-widget.visible .monaco-list-row', { hasText: 'Residual' }).first();
  await row.waitFor(slow);
  await bench.picture('editor-import-dark');
  await page.keyboard.press('Enter');
  await line('import Residual from "blocks.strata"').waitFor();
  await line('|> Residual').waitFor();
  await page.keyboard.press('Escape');
  await undoAll();
});

test('problems of closed files are listed, and their codes lead to the manual', async () => {
  await bench.command('Problems: Focus on Problems View');
  await problem('expected [B, 10]').waitFor(slow);
  await bench.picture('editor-problems-dark');
  await problem('expected [B, 10]').locator('a', { hasText: 'shape-mismatch' }).click();
  await bench.panel.locator('h1', { hasText: 'shapes that do not fit' }).waitFor(slow);
  await bench.picture('editor-manual-code-dark');
});

test('hovers and Open Manual lead to the page of a name', async () => {
  const { page } = bench;
  await bench.command('View: Close All Editors');
  await bench.open('first.strata');
  await bench.goTo(6, 11);
  await bench.command('Show or Focus Hover');
  await page.locator('.monaco-hover a', { hasText: 'Manual' }).first().click();
  await bench.panel.locator('h1', { hasText: 'linear' }).waitFor(slow);
  await bench.command('Strata: Open Manual');
  await page.locator('.quick-input-widget input').first().fill('self_att');
  await page.locator('.quick-input-list .monaco-list-row', { hasText: 'self_attention' }).first().waitFor();
  await page.keyboard.press('Enter');
  await bench.panel.locator('h1', { hasText: 'self_attention' }).waitFor(slow);
  for (const [theme, name] of [
    ['Light Modern', 'light'],
    ['Dark High Contrast', 'contrast'],
  ] as const) {
    await bench.theme(theme);
    await bench.panel.locator(`body.vscode-${name === 'light' ? 'light' : 'high-contrast'}`).waitFor(slow);
    await bench.picture(`editor-manual-${name}`);
  }
});

test('the check task finds the same, and lists no problem twice', async () => {
  const { page } = bench;
  await bench.command('View: Close All Editors');
  await bench.command('Tasks: Run Build Task');
  await page.locator('.quick-input-list .monaco-list-row', { hasText: 'strata: check' }).first().click(slow);
  await page
    .locator('.xterm-rows', { hasText: /checked:\s1\serror/ })
    .first()
    .waitFor(slow);
  await bench.picture('editor-task-contrast');
  await bench.command('Problems: Focus on Problems View');
  await problem('expected [B, 10]').waitFor(slow);
  expect(await page.locator('.markers-panel .monaco-list-row', { hasText: 'expected [B, 10]' }).count()).toBe(1);
});

test('a sweep trains its runs one after the other', async () => {
  const { page } = bench;
  await bench.open('sweep.strata');
  await page
    .locator('.codelens-decoration a', { hasText: /Train 2 runs$/ })
    .first()
    .click(slow);
  await treeRow(/^rates.*rate=0\.01/).waitFor(slow);
  await bench.panel.locator('body[data-state=finished]').waitFor(slow);
  await page.locator('.tab', { hasText: 'Training: rates rate=0.01' }).waitFor(slow);
  await bench.theme('Light Modern');
  await bench.picture('editor-sweep-light');
});
