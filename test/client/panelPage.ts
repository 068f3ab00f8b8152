/** The panel's bundle in a real browser page, with a stand-in for VS Code's side that records what the page says. */
import { build } from 'esbuild';
import type { Browser, Page } from 'playwright-core';
import type { FromPanel, SavedState, ToPanel } from '../../client/panel/messages.ts';
import { bodyClasses, type ThemeName, themes } from './themes.ts';

/** Script and style of the page as the build makes them. */
export async function bundle(): Promise<{ script: string; style: string }> {
  const result = await build({
    entryPoints: ['client/panel/web/main.ts'],
    bundle: true,
    write: false,
    outdir: 'dist',
    target: 'es2022',
    format: 'iife',
  });
  const text = (end: string) => result.outputFiles.find(file => file.path.endsWith(end))?.text ?? '';
  return { script: text('.js'), style: text('.css') };
}

export interface PanelPage {
  readonly page: Page;
  post(...messages: ToPanel[]): Promise<void>;
  /** What the page said so far. */
  said(): Promise<FromPanel[]>;
  saved(): Promise<SavedState>;
  theme(name: ThemeName): Promise<void>;
}

export interface PanelPageOptions {
  readonly theme?: ThemeName;
  readonly width?: number;
  readonly height?: number;
  readonly saved?: SavedState;
  /** Translations, as the host writes them into the page. */
  readonly texts?: Readonly<Record<string, string>>;
}

declare global {
  interface Window {
    said: FromPanel[];
    saved: SavedState | undefined;
  }
}

export async function openPanel(
  browser: Browser,
  { script, style }: { script: string; style: string },
  { theme = 'dark', width = 1280, height = 900, saved, texts = {} }: PanelPageOptions = {},
): Promise<PanelPage> {
  const page = await browser.newPage({ viewport: { width, height } });
  await page.setContent('<!doctype html><html lang="en"><head></head><body></body></html>');
  await page.evaluate(state => {
    window.said = [];
    window.saved = state;
    const api = {
      postMessage: (message: FromPanel) => window.said.push(message),
      getState: () => window.saved,
      setState: (next: SavedState) => {
        window.saved = next;
      },
    };
    Object.assign(window, { acquireVsCodeApi: () => api });
  }, saved);
  await page.evaluate(text => {
    document.body.dataset.texts = text;
  }, JSON.stringify(texts));
  await setTheme(page, theme);
  await page.addStyleTag({ content: style });
  await page.addScriptTag({ content: script });
  return {
    page,
    post: poster(page),
    said: () => page.evaluate(() => window.said),
    saved: () => page.evaluate(() => window.saved ?? {}),
    theme: name => setTheme(page, name),
  };
}

/** Posts, then waits until the page has drawn; as one text, for the protocol is slow at large objects. */
function poster(page: Page): (...messages: ToPanel[]) => Promise<void> {
  return async (...messages) => {
    await page.evaluate(async text => {
      for (const message of JSON.parse(text) as unknown[]) window.postMessage(message, '*');
      await new Promise(resolve => setTimeout(resolve, 0));
    }, JSON.stringify(messages));
    await page.locator('body:not([data-pending])').waitFor({ state: 'attached' });
  };
}

async function setTheme(page: Page, name: ThemeName): Promise<void> {
  await page.evaluate(
    ({ variables, className }) => {
      const style = document.documentElement.style;
      style.cssText = '';
      for (const [key, value] of Object.entries(variables)) style.setProperty(`--vscode-${key}`, value);
      document.body.className = className;
    },
    { variables: themes[name], className: bodyClasses[name] },
  );
}
