/** Workspace trust: without it the language works and training is refused with the reason; granted, training is offered at once. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { launchBrowser } from './browser.ts';
import { type Host, installHost, root, startHost } from './host.ts';
import { openWorkbench, type Workbench } from './workbench.ts';
import { createWorkspace, type Workspace } from './workspace.ts';

let host: Host;
let browser: Browser;
let workspace: Workspace;
let bench: Workbench;

beforeAll(async () => {
  installHost();
  const settings = { 'strata.device': 'cpu', 'security.workspace.trust.startupPrompt': 'never' };
  host = await startHost({ trust: true, settings });
  browser = await launchBrowser();
  workspace = createWorkspace();
  bench = await openWorkbench(browser, host.url, { folder: workspace.folder, extension: root });
  await bench.open('first.strata');
});

afterAll(async () => {
  if (bench) await bench.picture('last-trust');
  await bench?.close();
  await browser?.close();
  await host?.stop();
  workspace?.remove();
});

const lens = (text: RegExp) => bench.page.locator('.codelens-decoration', { hasText: text }).first();

test('an untrusted workspace has the language, and a reason in place of Train', async () => {
  await bench.page.locator('.view-line', { hasText: '[B, 128]' }).first().waitFor({ timeout: 60_000 });
  await lens(/can't train: the workspace is not trusted/).waitFor({ timeout: 30_000 });
  expect(await lens(/Train$/).count()).toBe(0);
  await bench.picture('untrusted');
});

test('trust granted, Train is offered and trains', async () => {
  await bench.command('Workspaces: Manage Workspace Trust');
  await bench.page.getByRole('button', { name: 'Trust', exact: true }).click();
  // Trust restarts what depends on it and dismisses lists that are open: it is there when the page says so.
  await bench.page.getByText('You trust this folder', { exact: true }).waitFor({ timeout: 30_000 });
  await bench.page.locator('.tab', { hasText: 'first.strata' }).click();
  await lens(/Train$/)
    .locator('a')
    .click({ timeout: 30_000 });
  await bench.panel.locator('body[data-state=finished]').waitFor({ timeout: 60_000 });
});
