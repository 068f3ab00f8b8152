/** The main job in a real VS Code: shapes, a mistake and its fix, Train, the curve, stop, a reload in the middle of a run. */
import { expect, test, vi } from 'vitest';
import { record } from './figures.ts';
import { scenario } from './scenario.ts';

const shared = scenario({ name: 'workbench' });

const number = (text: string) => Number(/-?[\d.]+(e-?\d+)?/.exec(text.replaceAll(',', ''))?.[0]);
const tile = (id: string) => shared.bench.panel.locator(`[data-tile=${id}] .value`);
const lossChart = () => shared.bench.panel.locator('[data-chart=loss] .plot');
/** The lens itself, not `can't train: …`. */
const trainLens = () => shared.bench.page.locator('.codelens-decoration a', { hasText: /Train$/ }).first();

/** First and last training loss from the chart's text. */
async function lossEnds(): Promise<{ first: number; last: number; step: number }> {
  const text = (await lossChart().getAttribute('aria-label')) ?? '';
  const found = /training loss (\S+) at step (\d+), (\S+) at step (\d+)/.exec(text);
  if (!found) throw new Error(`no curve: ${text}`);
  return { first: number(found[1]!), last: number(found[3]!), step: number(found[4]!) };
}

test('the file opens with a shape after every layer', async () => {
  const { page } = shared.bench;
  await page.locator('.view-line', { hasText: '[B, 128]' }).first().waitFor({ timeout: 60_000 });
  expect(await page.locator('.squiggly-error').count()).toBe(0);
  await trainLens().waitFor({ timeout: 30_000 });
  await shared.bench.picture('editor-shapes');
});

test('a typed mistake is underlined, and its quick fix mends it', async () => {
  const { page } = shared.bench;
  await page.locator('.monaco-editor .view-lines').first().click();
  await shared.bench.goTo(6, 14); // fc1 = linea|r(128)
  await page.keyboard.press('Delete');
  const squiggle = page.locator('.squiggly-error').first();
  await squiggle.waitFor({ timeout: 20_000 });
  await shared.bench.picture('editor-mistake');
  await shared.bench.goTo(6, 12);
  const fix = page.locator('.action-widget .monaco-list-row', { hasText: 'linear' }).first();
  // VS Code asks for fixes at the key press: one that comes before it has taken in the diagnostics finds none.
  const ask = async () => {
    await page.keyboard.press('Escape');
    await page.keyboard.press('Control+.');
    await fix.waitFor({ timeout: 3000 });
  };
  await vi.waitFor(ask, { timeout: 30_000, interval: 100 });
  await shared.bench.picture('editor-quick-fix');
  await page.keyboard.press('Enter');
  await squiggle.waitFor({ state: 'detached', timeout: 20_000 });
  await page.locator('.view-line', { hasText: 'linear(128)' }).first().waitFor();
  await page.keyboard.press('Control+s');
  await page.locator('.tab.active.dirty').waitFor({ state: 'detached' });
});

test('Train opens the panel, and the curve falls', async () => {
  await trainLens().waitFor();
  const clicked = Date.now();
  await trainLens().click();
  await tile('loss').filter({ hasText: /\d/ }).waitFor({ timeout: 30_000 });
  record({ 'click to first loss, cold': Date.now() - clicked });
  await shared.bench.panel.locator('[data-state=finished]').first().waitFor({ timeout: 60_000 });
  const { first, last } = await lossEnds();
  expect(first).toBeGreaterThan(2);
  expect(last).toBeLessThan(first / 4);
  expect(await shared.bench.panel.locator('.epochs tbody tr').count()).toBeGreaterThan(3);
  await shared.bench.picture('panel-finished-dark');
});

test('the same on a warm machine shows the first loss soon', async () => {
  const [times, engine]: [number[], number[]] = [[], []];
  for (let run = 0; run < 3; run++) {
    await trainLens().click({ trial: true });
    const clicked = Date.now();
    await trainLens().click();
    await shared.bench.panel.locator('body:not([data-state=finished])').waitFor();
    await tile('loss').filter({ hasText: /\d/ }).waitFor({ timeout: 30_000 });
    times.push(Date.now() - clicked);
    engine.push(shared.workspace.firstStep() - clicked);
    await shared.bench.panel.locator('body[data-state=finished]').waitFor({ timeout: 60_000 });
  }
  const median = (values: number[]) => [...values].sort((a, b) => a - b)[1]!;
  record({ 'click to first loss, warm': median(times), 'click to first step in the engine, warm': median(engine) });
  // The aim is 1.5 s on a quiet machine, which this one may not be: the figure is kept, the test catches hangs.
  expect(Math.min(...times)).toBeLessThan(15_000);
});

test('pause, continue and stop answer', async () => {
  await shared.bench.command('View: Close All Editors');
  await shared.bench.open('endless.strata');
  await trainLens().click();
  await expectState('running');
  await shared.bench.panel.locator('[data-command=pause]').click();
  await expectState('paused');
  const { step } = await lossEnds();
  await shared.bench.picture('panel-paused-dark');
  await shared.bench.panel.locator('[data-command=continue]').click();
  await expectState('running');
  await expect.poll(async () => (await lossEnds()).step, { timeout: 20_000 }).toBeGreaterThan(step);
  await shared.bench.panel.locator('[data-command=stop]').click();
  await expectState('stopped');
  await shared.bench.panel.locator('[data-command=resume]').waitFor();
});

test('the window is reloaded during a run, and the panel comes back with the history', async () => {
  await shared.bench.panel.locator('[data-command=resume]').click();
  await expectState('running');
  await shared.bench.panel.locator('.epochs tbody tr').nth(3).waitFor({ timeout: 30_000 });
  const before = await lossEnds();
  await shared.bench.reload();
  const began = Date.now();
  await tile('loss').filter({ hasText: /\d/ }).waitFor({ timeout: 60_000 });
  record({ 'reload to history': Date.now() - began });
  await expectState('running');
  const after = await lossEnds();
  expect(after.first).toBe(before.first);
  expect(after.step).toBeGreaterThan(before.step);
  expect(await shared.bench.panel.locator('.epochs tbody tr').count()).toBeGreaterThan(3);
  await shared.bench.picture('panel-restored-dark');
});

test('the panel follows the theme: light and high contrast', async () => {
  for (const [theme, name, className] of [
    ['Light Modern', 'light', 'vscode-light'],
    ['Dark High Contrast', 'contrast', 'vscode-high-contrast'],
  ] as const) {
    await shared.bench.theme(theme);
    await shared.bench.panel.locator(`body.${className}`).waitFor({ timeout: 60_000 });
    await expectState('running');
    await shared.bench.picture(`panel-running-${name}`);
  }
  await shared.bench.panel.locator('[data-command=stop]').click();
  await expectState('stopped');
});

test('the view of runs lists them, newest first', async () => {
  await shared.bench.page
    .locator('.activitybar .action-item', { has: shared.bench.page.locator('[aria-label^="Strata"]') })
    .click();
  const view = (name: string) =>
    shared.bench.page.locator('.pane', { has: shared.bench.page.locator('.pane-header', { hasText: name }) });
  const rows = view('Runs').locator('.monaco-list-row', { hasText: 'digits' });
  await expect.poll(() => rows.count(), { timeout: 20_000 }).toBe(5);
  await rows.first().hover();
  expect(await rows.first().getAttribute('aria-label')).toMatch(/^digits, stopped/);
  await rows.first().locator('[aria-label^="Resume Training"]').waitFor();
  // After the reload the panel was in front; the source beside it is shown all the same.
  await view('Model').locator('.monaco-list-row', { hasText: 'SimpleNet' }).waitFor({ timeout: 20_000 });
  await shared.bench.picture('runs-view');
});

test('the walkthrough opens', async () => {
  await shared.bench.command('Welcome: Open Walkthrough...');
  await shared.bench.page.locator('.quick-input-widget input').first().fill('Train your first network');
  await shared.bench.page
    .locator('.quick-input-list .monaco-list-row', { hasText: 'Train your first network' })
    .waitFor();
  await shared.bench.page.keyboard.press('Enter');
  await shared.bench.page.locator('.getting-started-step', { hasText: 'See every shape' }).waitFor({ timeout: 20_000 });
  await shared.bench.picture('walkthrough');
});

async function expectState(state: string): Promise<void> {
  await shared.bench.panel.locator(`.state[data-state=${state}]`).waitFor({ timeout: 30_000 });
}
