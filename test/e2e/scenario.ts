/** What the tests of one file share: a VS Code, a browser and a workspace, opened before the first test and closed behind the last. */
import { writeFileSync } from 'node:fs';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll } from 'vitest';
import { launchBrowser } from './browser.ts';
import { type Host, type HostOptions, installHost, root, startHost } from './host.ts';
import { openWorkbench, type Workbench } from './workbench.ts';
import { createWorkspace, type Workspace } from './workspace.ts';

export interface ScenarioOptions extends HostOptions {
  /** Of the picture that is taken at the end. */
  readonly name: string;
  /** Files of the workspace beside its usual ones, by name. */
  readonly files?: () => Readonly<Record<string, string>>;
  /** The file that is open at first. */
  readonly file?: string;
  /** The extension is one of those that are installed from files, not this folder. */
  readonly installed?: boolean;
}

/** Its parts are there from the first test on. */
export interface Scenario {
  readonly bench: Workbench;
  readonly workspace: Workspace;
}

export function scenario({ name, files, file, installed, settings, ...options }: ScenarioOptions): Scenario {
  let host: Host;
  let browser: Browser;
  let workspace: Workspace;
  let bench: Workbench;
  beforeAll(async () => {
    installHost();
    host = await startHost({ ...options, settings: { 'strata.device': 'cpu', ...settings } });
    browser = await launchBrowser();
    workspace = createWorkspace();
    for (const [path, text] of Object.entries(files?.() ?? {})) writeFileSync(workspace.path(path), text);
    const extension = installed ? {} : { extension: root };
    bench = await openWorkbench(browser, host.url, { folder: workspace.folder, ...extension });
    await bench.open(file ?? 'first.strata');
    await bench.theme('Dark Modern');
  });
  afterAll(async () => {
    if (bench) await bench.picture(`last-${name}`);
    await bench?.close();
    await browser?.close();
    await host?.stop();
    workspace?.remove();
  });
  return {
    get bench() {
      return bench;
    },
    get workspace() {
      return workspace;
    },
  };
}
