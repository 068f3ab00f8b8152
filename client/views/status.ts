/** The live run in the status bar, and the language server's own line in the language status. */
import * as vscode from 'vscode';
import type { RunSummary } from '../../server/runs/runs.ts';
import { formatLoss } from '../format.ts';
import { commands } from '../ids.ts';
import type { Runs } from '../runs.ts';
import type { Server, ServerState } from '../server.ts';

export function createStatusBar(runs: Runs): vscode.Disposable {
  const item = vscode.window.createStatusBarItem('strata.run', vscode.StatusBarAlignment.Left, 10);
  item.name = vscode.l10n.t('Strata Training');
  const update = () => {
    const run = runs.live();
    if (!run) {
      item.hide();
      return;
    }
    item.text = statusText(run);
    item.tooltip = vscode.l10n.t('Training {0} of {1}: show the panel', run.name, run.source);
    item.command = { command: commands.showPanel, title: '', arguments: [{ folder: run.folder }] };
    item.show();
  };
  return vscode.Disposable.from(item, runs.onDidChange(update));
}

/** `$(sync~spin) digits · epoch 3 · loss 0.1320`. */
function statusText(run: RunSummary): string {
  const icon = run.state === 'paused' ? 'debug-pause' : 'sync~spin';
  const parts = [run.name];
  parts.push(run.state === 'starting' ? vscode.l10n.t('starting') : vscode.l10n.t('epoch {0}', run.epoch));
  if (run.loss !== undefined) parts.push(vscode.l10n.t('loss {0}', formatLoss(run.loss)));
  return `$(${icon}) ${parts.join(' · ')}`;
}

export function createLanguageStatus(server: Server): vscode.Disposable {
  const item = vscode.languages.createLanguageStatusItem('strata.server', { language: 'strata' });
  item.name = vscode.l10n.t('Strata Language Server');
  const update = (state: ServerState) => {
    item.busy = state === 'starting';
    item.text = state === 'stopped' ? vscode.l10n.t('Strata: stopped') : 'Strata';
    item.detail = state === 'running' && !vscode.workspace.isTrusted ? restricted() : details[state];
    item.severity =
      state === 'stopped' ? vscode.LanguageStatusSeverity.Error : vscode.LanguageStatusSeverity.Information;
    item.command =
      state === 'stopped'
        ? { command: commands.restartServer, title: vscode.l10n.t('Restart') }
        : { command: commands.showLog, title: vscode.l10n.t('Show Log') };
  };
  update(server.state());
  return vscode.Disposable.from(
    item,
    server.onDidChangeState(update),
    vscode.workspace.onDidGrantWorkspaceTrust(() => update(server.state())),
  );
}

const details: Readonly<Record<ServerState, string>> = {
  starting: vscode.l10n.t('the language server is starting'),
  running: vscode.l10n.t('language server'),
  stopped: vscode.l10n.t('the language server is not running'),
};

function restricted(): string {
  return vscode.l10n.t('training is off until you trust this workspace');
}
