/** The workbench as a person uses it: files, keys, lenses, the panel; with pictures. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, FrameLocator, Page } from 'playwright-core';
import { type Address, artifacts, workbenchUrl } from './host.ts';

export interface Workbench {
  readonly page: Page;
  /** The panel's page, inside VS Code's two frames. */
  readonly panel: FrameLocator;
  /** Moves the cursor of the active editor. */
  goTo(line: number, column: number): Promise<void>;
  /** Opens a file of the workspace by its name. */
  open(name: string): Promise<void>;
  /** Runs a command by its title. */
  command(title: string): Promise<void>;
  /** Picks a colour theme by its label, as in the list of themes; the browser's colour scheme outranks the setting. */
  theme(label: string): Promise<void>;
  /** Keeps `artifacts/NAME.png`. */
  picture(name: string): Promise<void>;
  /** The window reloaded, as after Developer: Reload Window. */
  reload(): Promise<void>;
  close(): Promise<void>;
}

const waiting = { timeout: 60_000 };

export async function openWorkbench(browser: Browser, base: string, address: Address): Promise<Workbench> {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  const page = await context.newPage();
  const ready = () => page.locator('.monaco-workbench .monaco-editor .view-line').first().waitFor(waiting);
  await page.goto(workbenchUrl(base, address));
  if (address.file) await ready();
  else await page.locator('.monaco-workbench .explorer-viewlet').waitFor(waiting);
  const quickInput = page.locator('.quick-input-widget');
  const type = async (text: string) => {
    await quickInput.locator('input').first().waitFor();
    await quickInput.locator('input').first().fill(text);
  };
  // Lists show what was used lately until they have taken in what was typed: Enter would take one of those.
  const pick = async (label: string) => {
    const row = quickInput.locator('.monaco-list-row').getByText(label, { exact: true }).first();
    await row.click(waiting);
    await row.waitFor({ ...waiting, state: 'hidden' });
  };
  return {
    page,
    panel: page.frameLocator('iframe.webview.ready').frameLocator('#active-frame'),
    async goTo(line, column) {
      await page.keyboard.press('Control+g');
      await type(`:${line}:${column}`);
      await page.keyboard.press('Enter');
      await quickInput.waitFor({ state: 'hidden' });
    },
    async open(name) {
      await page.keyboard.press('Control+p');
      await type(name);
      await pick(name);
      await page.locator('.tab.active', { hasText: name }).waitFor(waiting);
      await ready();
    },
    async command(title) {
      await page.keyboard.press('F1');
      await type(`>${title}`);
      await pick(title);
    },
    async theme(label) {
      await page.keyboard.press('F1');
      await type('>Preferences: Color Theme');
      const rows = quickInput.locator('.monaco-list-row');
      await rows
        .filter({ hasText: /^Preferences: Color Theme/ })
        .first()
        .click();
      await quickInput.locator('input[placeholder*="Color Theme"]').waitFor(waiting);
      await type(label);
      await rows.filter({ hasText: label }).first().click();
      await quickInput.waitFor({ state: 'hidden' });
    },
    async picture(name) {
      mkdirSync(artifacts, { recursive: true });
      await page.screenshot({ path: join(artifacts, `${name}.png`) });
    },
    async reload() {
      const loaded = page.waitForEvent('load');
      await page.keyboard.press('F1');
      await type('>Developer: Reload Window');
      await quickInput.locator('.monaco-list-row', { hasText: 'Developer: Reload Window' }).first().waitFor(waiting);
      await page.keyboard.press('Enter');
      await loaded;
      await ready();
    },
    async close() {
      await page.close();
      await context.close();
    },
  };
}
