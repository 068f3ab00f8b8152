/** The view of runs: one line a run, newest first, with its state as icon. */
import * as vscode from 'vscode';
import type { RunState } from '../../engine/train/events.ts';
import type { RunSummary } from '../../server/runs/runs.ts';
import { formatCount, formatLoss } from '../format.ts';
import { commands, views } from '../ids.ts';
import { isLive, type Runs } from '../runs.ts';

const icons: Readonly<Record<RunState, readonly [icon: string, color?: string]>> = {
  starting: ['loading~spin'],
  running: ['sync~spin', 'charts.green'],
  paused: ['debug-pause', 'charts.yellow'],
  finished: ['pass', 'charts.green'],
  stopped: ['circle-slash'],
  failed: ['error', 'errorForeground'],
  died: ['warning', 'charts.orange'],
};

const stateNames: Readonly<Record<RunState, string>> = {
  starting: vscode.l10n.t('starting'),
  running: vscode.l10n.t('running'),
  paused: vscode.l10n.t('paused'),
  finished: vscode.l10n.t('finished'),
  stopped: vscode.l10n.t('stopped'),
  failed: vscode.l10n.t('failed'),
  died: vscode.l10n.t('interrupted'),
};

/** What menus ask for with `viewItem`: `run live`, `run paused`, `run resumable`, `run ended`. */
function contextOf(run: RunSummary): string {
  if (run.state === 'paused') return 'run paused';
  if (isLive(run)) return 'run live';
  return run.resumable ? 'run resumable' : 'run ended';
}

export function createRunsTree(runs: Runs): vscode.Disposable {
  const refreshed = new vscode.EventEmitter<string | undefined>();
  // Folders identify the elements: a new summary of a run is the same element to VS Code.
  const provider: vscode.TreeDataProvider<string> = {
    onDidChangeTreeData: refreshed.event,
    getChildren: folder => (folder === undefined ? runs.all().map(run => run.folder) : []),
    getTreeItem: folder => itemOf(runs, folder),
  };
  const view = vscode.window.createTreeView(views.runs, { treeDataProvider: provider });
  const subscription = runs.onDidChange(run => {
    refreshed.fire(run?.folder);
    const live = runs.all().filter(isLive).length;
    view.badge = live === 0 ? undefined : { value: live, tooltip: vscode.l10n.t('{0} running', live) };
  });
  const visible = view.onDidChangeVisibility(event => {
    if (event.visible) void runs.refresh();
  });
  return vscode.Disposable.from(refreshed, view, subscription, visible);
}

function itemOf(runs: Runs, folder: string): vscode.TreeItem {
  const run = runs.all().find(other => other.folder === folder);
  if (!run) return new vscode.TreeItem(folder);
  const item = new vscode.TreeItem(run.name);
  const [icon, color] = icons[run.state];
  item.id = run.folder;
  item.iconPath = new vscode.ThemeIcon(icon, color === undefined ? undefined : new vscode.ThemeColor(color));
  item.description = describe(run);
  item.tooltip = tooltip(run);
  item.contextValue = contextOf(run);
  item.command = { command: commands.showPanel, title: vscode.l10n.t('Show Training'), arguments: [{ folder }] };
  item.accessibilityInformation = { label: `${run.name}, ${stateNames[run.state]}, ${item.description}` };
  return item;
}

/** What tells runs of one name apart: the numbers of a sweep, how good, and when or how far. */
function describe(run: RunSummary): string {
  const choice = run.choice === undefined ? [] : [run.choice];
  const loss = run.loss === undefined ? [] : [vscode.l10n.t('loss {0}', formatLoss(run.loss))];
  return [...choice, ...loss, run.state === 'finished' ? shortTime(run) : progress(run)].join(' · ');
}

function progress({ step, steps }: RunSummary): string {
  const percent = steps > 0 ? (100 * step) / steps : 0;
  return percent > 0 && percent < 1 ? '<1%' : `${Math.floor(percent)}%`;
}

/** The time of today, the date of other days. */
function shortTime({ started }: RunSummary): string {
  const at = new Date(started);
  const isToday = at.toDateString() === new Date().toDateString();
  return isToday
    ? at.toLocaleTimeString([], { timeStyle: 'short' })
    : at.toLocaleDateString([], { month: 'short', day: 'numeric' });
}

function startedAt(run: RunSummary): string {
  return new Date(run.started).toLocaleString([], { dateStyle: 'medium', timeStyle: 'short' });
}

function tooltip(run: RunSummary): vscode.MarkdownString {
  const text = new vscode.MarkdownString();
  text.appendMarkdown(`**`).appendText(run.name).appendMarkdown(`** · ${stateNames[run.state]}\n\n`);
  text.appendText(`${run.source}\n`);
  text.appendText(`${vscode.l10n.t('started {0}', startedAt(run))}\n`);
  text.appendText(
    vscode.l10n.t('epoch {0}, step {1} of {2}', run.epoch, formatCount(run.step), formatCount(run.steps)),
  );
  if (run.loss !== undefined) text.appendText(`, ${vscode.l10n.t('loss {0}', formatLoss(run.loss))}`);
  return text;
}
