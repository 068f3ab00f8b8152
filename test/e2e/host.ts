/** A real VS Code for tests: code-server (Microsoft's workbench, server and extension host) from the npm registry, kept in .cache. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = process.env.STRATA_ROOT ?? fileURLToPath(new URL('../..', import.meta.url));
export const artifacts = join(root, 'artifacts');
const version = '4.139.1';

/** Where an installed one is: STRATA_VSCODE_HOST, or the project's cache. */
const home = process.env.STRATA_VSCODE_HOST ?? join(root, '.cache/vscode-host');
const codeServer = join(home, 'node_modules/code-server');
const node = process.env.STRATA_E2E_NODE ?? process.execPath;

/** Twenty seconds on the first call, nothing after. Throws when the registry can't be reached. */
export function installHost(): void {
  const workbench = join(codeServer, 'lib/vscode');
  if (existsSync(join(workbench, 'node_modules/.package-lock.json'))) return;
  console.log(`installing code-server ${version} into ${home}`);
  mkdirSync(home, { recursive: true });
  // Its own install script compiles native parts that the tests do without.
  const manifest = {
    name: 'vscode-host',
    private: true,
    allowScripts: { 'code-server': false },
    dependencies: { 'code-server': version },
  };
  writeFileSync(join(home, 'package.json'), JSON.stringify(manifest, null, 2));
  // The lifecycle variables of an outer npm, and this project's settings, are not for this install.
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('npm_'));
  const env = { ...Object.fromEntries(kept), PATH: `${dirname(node)}:${process.env.PATH}` };
  const npm = (cwd: string, args: string[]) =>
    execFileSync('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts', ...args], {
      cwd,
      env,
      stdio: 'inherit',
    });
  npm(home, []);
  npm(workbench, ['--omit=dev']);
}

export interface HostOptions {
  readonly settings?: Readonly<Record<string, unknown>>;
  readonly env?: Readonly<Record<string, string>>;
  /** Extensions to install from files. */
  readonly vsix?: readonly string[];
  /** The payload of the address is obeyed only with the smoke test driver; it hides notification toasts. Default true. */
  readonly driver?: boolean;
  /** Workspaces start untrusted. Default false. */
  readonly trust?: boolean;
}

export interface Host {
  readonly url: string;
  /** Its own folder: user data, extensions, log. */
  readonly folder: string;
  readonly extensions: string;
  stop(): Promise<void>;
}

const quiet = {
  // A modal editor closes by keys alone, and loses them with the button that was clicked.
  'workbench.editor.useModal': 'off',
  'workbench.startupEditor': 'none',
  'workbench.tips.enabled': false,
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'telemetry.telemetryLevel': 'off',
  'extensions.autoCheckUpdates': false,
  'extensions.ignoreRecommendations': true,
  'update.mode': 'none',
  'chat.disableAIFeatures': true,
  'git.enabled': false,
  'files.autoSave': 'off',
  'window.commandCenter': false,
};

export async function startHost({
  settings = {},
  env = {},
  vsix = [],
  driver = true,
  trust = false,
}: HostOptions = {}): Promise<Host> {
  const folder = mkdtempSync(join(tmpdir(), 'strata-vscode-'));
  const [data, extensions, log, config] = ['data', 'extensions', 'server.log', 'config.yaml'].map(name =>
    join(folder, name),
  ) as [string, string, string, string];
  mkdirSync(join(data, 'User'), { recursive: true });
  mkdirSync(extensions);
  // Not the user's own.
  writeFileSync(config, '');
  const user = { ...quiet, 'security.workspace.trust.enabled': trust, ...settings };
  writeFileSync(join(data, 'User/settings.json'), JSON.stringify(user, null, 1));
  const common = [
    join(codeServer, 'out/node/entry.js'),
    '--config',
    config,
    '--user-data-dir',
    data,
    '--extensions-dir',
    extensions,
  ];
  const variables = { ...ownHome(folder), ...env };
  for (const file of vsix)
    execFileSync(node, [...common, '--install-extension', file], {
      env: variables,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
  const port = await freePort();
  const flags = [
    '--auth',
    'none',
    '--bind-addr',
    `127.0.0.1:${port}`,
    '--ignore-last-opened',
    '--disable-telemetry',
    '--disable-update-check',
  ];
  if (!trust) flags.push('--disable-workspace-trust');
  if (driver) flags.push('--vscode-option', 'enable-smoke-test-driver');
  const output = openSync(log, 'a');
  const child = spawn(node, [...common, ...flags, '--disable-getting-started-override'], {
    stdio: ['ignore', output, output],
    detached: true,
    env: variables,
  });
  const url = `http://127.0.0.1:${port}`;
  await answering(`${url}/healthz`, child, log);
  return { url, folder, extensions, stop: () => stop(child, folder) };
}

/** Keeps the user's own settings and caches out of it. */
function ownHome(folder: string): NodeJS.ProcessEnv {
  const own = join(folder, 'home');
  mkdirSync(own, { recursive: true });
  const xdg = {
    XDG_CONFIG_HOME: join(own, '.config'),
    XDG_DATA_HOME: join(own, '.local/share'),
    XDG_CACHE_HOME: join(own, '.cache'),
  };
  return { ...process.env, HOME: own, ...xdg };
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() =>
        address && typeof address === 'object' ? resolve(address.port) : reject(new Error('no port')),
      );
    });
  });
}

async function answering(url: string, child: ChildProcess, log: string): Promise<void> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    if (child.exitCode !== null || Date.now() > deadline)
      throw new Error(`code-server did not start:\n${readFileSync(log, 'utf8')}`);
    try {
      if ((await fetch(url)).ok) return;
    } catch {
      // Not listening yet.
    }
    await new Promise(resolve => setTimeout(resolve, 100));
  }
}

async function stop(child: ChildProcess, folder: string): Promise<void> {
  const gone = new Promise(resolve => child.once('exit', resolve));
  const signal = (name: NodeJS.Signals) => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, name);
    } catch {
      // The group is gone.
    }
  };
  if (child.exitCode === null) {
    signal('SIGTERM');
    await Promise.race([gone, new Promise(resolve => setTimeout(resolve, 5000))]);
  }
  signal('SIGKILL');
  if (!process.env.STRATA_KEEP) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}

export interface Address {
  readonly folder: string;
  /** A file to open. */
  readonly file?: string;
  /** Folder of the extension under development. */
  readonly extension?: string;
  /** Module that runs tests inside the extension host. */
  readonly tests?: string;
}

/** The workbench's address; `payload` is what a desktop VS Code takes as command line. */
export function workbenchUrl(base: string, { folder, file, extension, tests }: Address): string {
  const remote = (path: string) => `vscode-remote://${new URL(base).host}${path}`;
  const payload: [string, string][] = [];
  if (extension) payload.push(['extensionDevelopmentPath', remote(extension)]);
  if (tests) payload.push(['extensionTestsPath', remote(tests)]);
  if (file) payload.push(['openFile', remote(file)]);
  return `${base}/?folder=${encodeURIComponent(folder)}&payload=${encodeURIComponent(JSON.stringify(payload))}`;
}
