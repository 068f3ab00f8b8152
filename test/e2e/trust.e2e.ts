/** Workspace trust: without it the language works and training is refused with the reason; granted, training is offered at once. */
import { expect, test } from 'vitest';
import { scenario } from './scenario.ts';

const shared = scenario({
  name: 'trust',
  trust: true,
  settings: { 'security.workspace.trust.startupPrompt': 'never' },
});

const lens = (text: RegExp) => shared.bench.page.locator('.codelens-decoration', { hasText: text }).first();

test('an untrusted workspace has the language, and a reason in place of Train', async () => {
  await shared.bench.page.locator('.view-line', { hasText: '[B, 128]' }).first().waitFor({ timeout: 60_000 });
  await lens(/can't train: the workspace is not trusted/).waitFor({ timeout: 30_000 });
  expect(await lens(/Train$/).count()).toBe(0);
  await shared.bench.picture('untrusted');
});

test('trust granted, Train is offered and trains', async () => {
  await shared.bench.command('Workspaces: Manage Workspace Trust');
  await shared.bench.page.getByRole('button', { name: 'Trust', exact: true }).click();
  // Trust restarts what depends on it and dismisses lists that are open: it is there when the page says so.
  await shared.bench.page.getByText('You trust this folder', { exact: true }).waitFor({ timeout: 30_000 });
  await shared.bench.page.locator('.tab', { hasText: 'first.strata' }).click();
  await lens(/Train$/)
    .locator('a')
    .click({ timeout: 30_000 });
  await shared.bench.panel.locator('body[data-state=finished]').waitFor({ timeout: 60_000 });
});
