/** What surrounds writing in a real VS Code: model outline, looks inside, refactorings, imports, problems, tasks, the manual, a sweep. */
import { beforeAll, expect, test, vi } from 'vitest';
import { scenario } from './scenario.ts';

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

const shared = scenario({
  name: 'editor',
  settings: { 'terminal.integrated.gpuAcceleration': 'off' },
  files: () => ({ 'blocks.strata': blocks, 'broken.strata': broken, 'sweep.strata': sweep }),
});

beforeAll(async () => {
  await line('[B, 128]').waitFor(slow);
});

const slow = { timeout: 60_000 };
const line = (text: string | RegExp) => shared.bench.page.locator('.view-line', { hasText: text }).first();
const treeRow = (text: string | RegExp) =>
  shared.bench.page.locator('.pane-body .monaco-list-row', { hasText: text }).first();
const problem = (text: string) =>
  shared.bench.page.locator('.markers-panel .monaco-list-row', { hasText: text }).first();

async function undoAll(): Promise<void> {
  await shared.bench.command('File: Revert File');
  await shared.bench.page.locator('.tab.active.dirty').waitFor({ state: 'detached' });
}

test('the model view tells layers, shapes and weights, and leads to them', async () => {
  await shared.bench.command('View: Show Strata');
  await treeRow('SimpleNet').waitFor(slow);
  await treeRow('SimpleNet').locator('.monaco-tl-twistie').click();
  await treeRow(/^fc1.*\[B, 128\].*100k/).waitFor();
  await treeRow(/^fc1/).click();
  await shared.bench.page.locator('.statusbar-item', { hasText: 'Ln 6, Col' }).waitFor();
  await shared.bench.picture('editor-model-dark');
});

test.each([
  ['Graph', 'graph', /matmul/],
  ['Kernels', 'kernels', /loop|matmul/],
  ['Plan', 'plan', /digits/],
] as const)('Show %s opens beside the source', async (title, what, text) => {
  await shared.bench.command(`Strata: Show ${title}`);
  await shared.bench.page.locator('.tab', { hasText: `digits (${what})` }).waitFor(slow);
  await line(text).waitFor(slow);
  await shared.bench.picture(`editor-${what}-dark`);
});

test('what is shown beside the source follows its edits', async () => {
  await shared.bench.command('Strata: Show Graph');
  await shared.bench.page.locator('.tab', { hasText: 'digits (graph)' }).waitFor(slow);
  await line(/128/).waitFor(slow);
  await shared.bench.goTo(6, 18); // fc1 = linear(12|8)
  await shared.bench.page.keyboard.press('Backspace');
  await shared.bench.page.keyboard.type('5');
  await shared.bench.page
    .locator('.editor-group-container')
    .nth(1)
    .locator('.view-line', { hasText: /158/ })
    .first()
    .waitFor(slow);
  await undoAll();
  await shared.bench.command('View: Close Editors in Other Groups');
});

test('a selection is extracted to a model', async () => {
  const { page } = shared.bench;
  const action = page.locator('.action-widget .monaco-list-row', { hasText: /extract to/i }).first();
  const ask = async () => {
    await page.keyboard.press('Escape');
    await shared.bench.goTo(6, 3);
    for (const key of ['ArrowDown', 'ArrowDown', 'End']) await page.keyboard.press(`Shift+${key}`);
    await shared.bench.command('Refactor...');
    await action.waitFor({ timeout: 3000 });
  };
  await vi.waitFor(ask, { timeout: 30_000, interval: 100 });
  await shared.bench.picture('editor-refactor-dark');
  await action.click();
  await line('model Part(x: [B, 784])').waitFor();
  await shared.bench.picture('editor-extracted-dark');
  await page.keyboard.press('Escape');
  await undoAll();
});

test('a model of another file is completed with its import', async () => {
  const { page } = shared.bench;
  await shared.bench.goTo(8, 21); // … |> fc2|
  await page.keyboard.press('End');
  await page.keyboard.type(' |> Resid');
  const row = page.locator('.suggest-widget.visible .monaco-list-row', { hasText: 'Residual' }).first();
  await row.waitFor(slow);
  await shared.bench.picture('editor-import-dark');
  await page.keyboard.press('Enter');
  await line('import Residual from "blocks.strata"').waitFor();
  await line('|> Residual').waitFor();
  await page.keyboard.press('Escape');
  await undoAll();
});

test('problems of closed files are listed, and their codes lead to the manual', async () => {
  await shared.bench.command('Problems: Focus on Problems View');
  await problem('expected [B, 10]').waitFor(slow);
  await shared.bench.picture('editor-problems-dark');
  await problem('expected [B, 10]').locator('a', { hasText: 'shape-mismatch' }).click();
  await shared.bench.panel.locator('h1', { hasText: 'shapes that do not fit' }).waitFor(slow);
  await shared.bench.picture('editor-manual-code-dark');
});

test('hovers and Open Manual lead to the page of a name', async () => {
  const { page } = shared.bench;
  await shared.bench.command('View: Close All Editors');
  await shared.bench.open('first.strata');
  await shared.bench.goTo(6, 11);
  await shared.bench.command('Show or Focus Hover');
  await page.locator('.monaco-hover a', { hasText: 'Manual' }).first().click();
  await shared.bench.panel.locator('h1', { hasText: 'linear' }).waitFor(slow);
  await shared.bench.command('Strata: Open Manual');
  await page.locator('.quick-input-widget input').first().fill('self_att');
  await page.locator('.quick-input-list .monaco-list-row', { hasText: 'self_attention' }).first().waitFor();
  await page.keyboard.press('Enter');
  await shared.bench.panel.locator('h1', { hasText: 'self_attention' }).waitFor(slow);
  for (const [theme, name] of [
    ['Light Modern', 'light'],
    ['Dark High Contrast', 'contrast'],
  ] as const) {
    await shared.bench.theme(theme);
    await shared.bench.panel.locator(`body.vscode-${name === 'light' ? 'light' : 'high-contrast'}`).waitFor(slow);
    await shared.bench.picture(`editor-manual-${name}`);
  }
});

test('the check task finds the same, and lists no problem twice', async () => {
  const { page } = shared.bench;
  await shared.bench.command('View: Close All Editors');
  await shared.bench.command('Tasks: Run Build Task');
  await page.locator('.quick-input-list .monaco-list-row', { hasText: 'strata: check' }).first().click(slow);
  await page
    .locator('.xterm-rows', { hasText: /checked:\s1\serror/ })
    .first()
    .waitFor(slow);
  await shared.bench.picture('editor-task-contrast');
  await shared.bench.command('Problems: Focus on Problems View');
  await problem('expected [B, 10]').waitFor(slow);
  expect(await page.locator('.markers-panel .monaco-list-row', { hasText: 'expected [B, 10]' }).count()).toBe(1);
});

test('a sweep trains its runs one after the other', async () => {
  const { page } = shared.bench;
  await shared.bench.open('sweep.strata');
  await page
    .locator('.codelens-decoration a', { hasText: /Train 2 runs$/ })
    .first()
    .click(slow);
  await treeRow(/^rates.*rate=0\.01/).waitFor(slow);
  await shared.bench.panel.locator('body[data-state=finished]').waitFor(slow);
  await page.locator('.tab', { hasText: 'Training: rates rate=0.01' }).waitFor(slow);
  await shared.bench.theme('Light Modern');
  await shared.bench.picture('editor-sweep-light');
});
