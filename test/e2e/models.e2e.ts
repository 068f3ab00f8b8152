/** From an address to predictions in a real VS Code: data is fetched, a model trained, asked about new rows and exported. */
import { existsSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { root } from './host.ts';
import { scenario } from './scenario.ts';

const table = readFileSync(join(root, 'examples/data/blossoms.csv'), 'utf8');
const [header, ...rows] = table.trimEnd().split('\n');
let server: Server;

beforeAll(async () => {
  server = createServer((_, response) => response.end(table));
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
});
afterAll(() => server.close());

const program =
  () => `data Flowers = csv("http://127.0.0.1:${(server.address() as AddressInfo).port}/flowers.csv", target: "kind") {
  split validation: 0.2
  batch 16
}

train flowers on Flowers {
  logits = features |> linear(16) |> relu |> linear(3)
  minimize cross_entropy(logits, kind) using adamw(lr: 0.05)
  report   confusion(logits, kind)
  epochs   20
}
`;

const shared = scenario({
  name: 'models',
  settings: { 'terminal.integrated.gpuAcceleration': 'off', 'files.simpleDialog.enable': true },
  file: 'flowers.strata',
  files: () => ({
    'flowers.strata': program(),
    'new.csv': `${header}\n${[rows[0], rows.at(-1)].join('\n')}\n`,
  }),
});

const slow = { timeout: 60_000 };
const lens = (text: RegExp) => shared.bench.page.locator('.codelens-decoration a', { hasText: text }).first();
const terminal = (text: RegExp) => shared.bench.page.locator('.xterm-rows', { hasText: text }).first();
const runRow = () => shared.bench.page.locator('.pane-body .monaco-list-row', { hasText: 'flowers' }).first();

/** An entry of the menu that a run of the view has. */
async function choose(entry: string): Promise<void> {
  const { page } = shared.bench;
  await runRow().click({ button: 'right' });
  const item = page.locator('.context-view .action-item', { hasText: entry }).first();
  await item.waitFor(slow);
  await shared.bench.picture(`models-menu-${entry.split(' ')[0]!.toLowerCase()}`);
  await item.click();
}

test('Fetch downloads the data, pins it, and then the fields are known', async () => {
  const { page } = shared.bench;
  await lens(/Fetch flowers\.csv$/).waitFor(slow);
  await shared.bench.picture('models-fetch');
  await lens(/Fetch flowers\.csv$/).click();
  await page
    .locator('.view-line', { hasText: /sha256=[0-9a-f]{8}/ })
    .first()
    .waitFor(slow);
  await lens(/Train$/).waitFor(slow);
  expect(await lens(/Fetch/).count()).toBe(0);
  await shared.bench.command('Notifications: Show Notifications');
  await page
    .locator('.notifications-center .notification-list-item', { hasText: /Fetched http.*flowers\.csv/ })
    .waitFor(slow);
  await shared.bench.picture('models-fetched');
  await page.keyboard.press('Escape');
});

test('the trained model has a table with the names of the classes', async () => {
  await shared.bench.page.keyboard.press('Control+s');
  await lens(/Train$/).click();
  await shared.bench.panel.locator('body[data-state=finished]').waitFor(slow);
  const names = await shared.bench.panel.locator('.matrices th[scope=row]').allTextContents();
  expect(names).toEqual(['bellflower', 'daisy', 'primrose']);
  await shared.bench.picture('models-confusion');
});

test('Predict says what new rows are', async () => {
  const { page } = shared.bench;
  await shared.bench.command('View: Show Strata');
  await runRow().waitFor(slow);
  await choose('Predict');
  await page.locator('.quick-input-list .monaco-list-row', { hasText: 'new.csv' }).first().click(slow);
  await terminal(/^\s*new\.csv:1\s+kind\s\w+\s\d+\.\d%/).waitFor(slow);
  await shared.bench.picture('models-predicted');
});

test('Export to PyTorch writes the modules and says where', async () => {
  await choose('Export');
  await terminal(/flowers-pytorch.*model\.py/).waitFor(slow);
  expect(existsSync(shared.workspace.path('flowers-pytorch/model.py'))).toBe(true);
  await shared.bench.picture('models-exported');
});
