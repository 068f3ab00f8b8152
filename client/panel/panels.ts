/** The panels: one a run, opened at the click, restored after a reload, fed with the run's events while they are visible. */
import * as vscode from 'vscode';
import type { RunEvent } from '../../engine/train/events.ts';
import type { RunSummary } from '../../server/runs/runs.ts';
import { viewType } from '../ids.ts';
import { refusal, type Server } from '../server.ts';
import { page } from './html.ts';
import { type FromPanel, parseFromPanel, parseSaved, type ToPanel } from './messages.ts';

export interface Panels extends vscode.Disposable {
  /** Opens a panel at once and starts the run meanwhile. Resolves when the run is known, or undefined when it was refused. */
  start(name: string, source: string, run: () => Promise<RunSummary>): Promise<RunSummary | undefined>;
  show(run: { readonly folder: string; readonly name?: string }): void;
}

interface OpenPanel {
  readonly panel: vscode.WebviewPanel;
  folder?: string;
  name: string;
  source: string;
  problem?: { message: string; code?: string };
  /** The page has said that it listens, and has not been hidden since. */
  ready: boolean;
  /** The history is out: events may follow. */
  streaming: boolean;
  live: boolean;
}

export function createPanels(context: vscode.ExtensionContext, server: Server, log: vscode.LogOutputChannel): Panels {
  const open = new Set<OpenPanel>();
  const host = { context, server, log, open };
  const subscriptions = [
    server.onRunEvents(({ summary, events }) => {
      followSweep(host, summary, events);
      for (const entry of open) {
        if (entry.folder !== summary.folder) continue;
        entry.live = isLiveState(summary);
        if (entry.streaming) post(entry, { type: 'events', summary, events });
      }
    }),
    vscode.window.registerWebviewPanelSerializer(viewType, {
      async deserializeWebviewPanel(panel, state) {
        const { folder } = parseSaved(state);
        // Reloaded between the click and the start: there is no run to come back to.
        if (folder === undefined) panel.dispose();
        else adopt(host, panel, { name: '', source: '', folder });
      },
    }),
    // A new server knows nothing of our attachments.
    server.onDidChangeState(state => {
      if (state !== 'running') return;
      for (const entry of open) if (entry.ready) void sendHistory(host, entry);
    }),
  ];
  return {
    async start(name, source, run) {
      const entry = reusable(open, name, source) ?? adopt(host, createPanel(name), { name, source });
      begin(entry);
      entry.panel.reveal(undefined, true);
      try {
        const summary = await run();
        entry.folder = summary.folder;
        if (entry.ready) await sendHistory(host, entry);
        return summary;
      } catch (error) {
        log.error(`train ${name}: ${refusal(error).message}`);
        entry.live = false;
        fail(entry, error);
        return undefined;
      }
    },
    show(run) {
      const shown = [...open].find(entry => entry.folder === run.folder);
      if (shown) shown.panel.reveal();
      else adopt(host, createPanel(run.name ?? ''), { name: run.name ?? '', source: '', folder: run.folder });
    },
    dispose() {
      for (const subscription of subscriptions) subscription.dispose();
      for (const entry of open) entry.panel.dispose();
    },
  };
}

interface Host {
  readonly context: vscode.ExtensionContext;
  readonly server: Server;
  readonly log: vscode.LogOutputChannel;
  readonly open: Set<OpenPanel>;
}

function isLiveState({ state }: RunSummary): boolean {
  return state === 'starting' || state === 'running' || state === 'paused';
}

/** Training the same block again takes its old panel, unless that run still goes on. */
function reusable(open: ReadonlySet<OpenPanel>, name: string, source: string): OpenPanel | undefined {
  return [...open].find(entry => !entry.live && entry.name === name && entry.source === source);
}

/** The next run of a sweep takes the panel of the one before it. */
function followSweep(host: Host, summary: RunSummary, events: readonly RunEvent[]): void {
  if (summary.choice === undefined || !events.some(event => event.type === 'start')) return;
  const shown = [...host.open].some(entry => entry.folder === summary.folder);
  const entry = shown ? undefined : reusable(host.open, summary.name, summary.source);
  if (entry?.folder === undefined) return;
  begin(entry);
  entry.folder = summary.folder;
  if (entry.ready) void sendHistory(host, entry);
}

function createPanel(name: string): vscode.WebviewPanel {
  const column = { viewColumn: vscode.ViewColumn.Beside, preserveFocus: true };
  return vscode.window.createWebviewPanel(viewType, panelTitle(name), column);
}

function panelTitle(name: string): string {
  return name === '' ? vscode.l10n.t('Training') : vscode.l10n.t('Training: {0}', name);
}

function adopt(
  host: Host,
  panel: vscode.WebviewPanel,
  about: { name: string; source: string; folder?: string },
): OpenPanel {
  const entry: OpenPanel = { panel, ready: false, streaming: false, live: true, ...about };
  const dist = vscode.Uri.joinPath(host.context.extensionUri, 'dist');
  const { webview } = panel;
  host.open.add(entry);
  panel.iconPath = {
    light: vscode.Uri.joinPath(host.context.extensionUri, 'media', 'run-light.svg'),
    dark: vscode.Uri.joinPath(host.context.extensionUri, 'media', 'run-dark.svg'),
  };
  webview.options = { enableScripts: true, localResourceRoots: [dist] };
  webview.onDidReceiveMessage((data: unknown) => {
    const message = parseFromPanel(data);
    if (message) void receive(host, entry, message);
    else host.log.warn('panel: dropped a malformed message');
  });
  panel.onDidChangeViewState(() => {
    // A hidden page is thrown away; shown again it says `ready` anew.
    if (!panel.visible) entry.ready = entry.streaming = false;
  });
  panel.onDidDispose(() => host.open.delete(entry));
  webview.html = page({
    script: String(webview.asWebviewUri(vscode.Uri.joinPath(dist, 'panel.js'))),
    style: String(webview.asWebviewUri(vscode.Uri.joinPath(dist, 'panel.css'))),
    source: webview.cspSource,
    language: vscode.env.language,
    texts: vscode.l10n.bundle ?? {},
    nonce: crypto.randomUUID().replaceAll('-', ''),
  });
  return entry;
}

function begin(entry: OpenPanel): void {
  delete entry.folder;
  delete entry.problem;
  entry.streaming = false;
  entry.live = true;
  if (entry.ready) post(entry, { type: 'starting', name: entry.name, source: entry.source });
}

function post(entry: OpenPanel, message: ToPanel): void {
  void entry.panel.webview.postMessage(message);
}

function fail(entry: OpenPanel, error: unknown): void {
  entry.problem = refusal(error);
  if (entry.ready) post(entry, { type: 'problem', ...entry.problem });
}

async function receive(host: Host, entry: OpenPanel, message: FromPanel): Promise<void> {
  switch (message.type) {
    case 'ready':
      entry.ready = true;
      if (entry.folder !== undefined) return sendHistory(host, entry);
      if (entry.problem) return post(entry, { type: 'problem', ...entry.problem });
      return post(entry, { type: 'starting', name: entry.name, source: entry.source });
    case 'command':
      if (entry.folder !== undefined)
        await vscode.commands.executeCommand(`strata.${message.command}`, { folder: entry.folder });
      return post(entry, { type: 'answered' });
    case 'sample':
      return sendSample(entry, message.path);
    case 'show':
      if (message.what === 'log') return host.log.show();
      if (message.what === 'source')
        await vscode.commands.executeCommand('strata.openSource', { source: entry.source });
      return;
  }
}

const mediaTypes: Readonly<Record<string, string>> = { png: 'image/png', wav: 'audio/wav' };

/** The page may read nothing by itself: images and sounds come to it as data. The path is one of `samples/`. */
async function sendSample(entry: OpenPanel, path: string): Promise<void> {
  const { folder } = entry;
  if (folder === undefined) return;
  const type = mediaTypes[path.slice(path.lastIndexOf('.') + 1)];
  let content: string | null = null;
  try {
    const bytes = Buffer.from(await vscode.workspace.fs.readFile(vscode.Uri.joinPath(vscode.Uri.file(folder), path)));
    content = type === undefined ? bytes.toString('utf8') : `data:${type};base64,${bytes.toString('base64')}`;
  } catch {
    // Deleted by its owner: the page says that it is gone.
  }
  if (entry.folder === folder && entry.ready) post(entry, { type: 'sample', path, content });
}

async function sendHistory(host: Host, entry: OpenPanel): Promise<void> {
  const { folder } = entry;
  if (folder === undefined) return;
  try {
    const history = await host.server.attach(folder);
    if (entry.folder !== folder || !entry.ready) return;
    delete entry.problem;
    entry.name = history.summary.name;
    entry.source = history.summary.source;
    entry.live = isLiveState(history.summary);
    const { choice } = history.summary;
    entry.panel.title = panelTitle(choice === undefined ? entry.name : `${entry.name} ${choice}`);
    post(entry, { type: 'history', history });
    entry.streaming = true;
  } catch (error) {
    host.log.error(`attach ${folder}: ${refusal(error).message}`);
    fail(entry, error);
  }
}
