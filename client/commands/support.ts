/** Commands for when something is wrong: restart, log, a report to paste into an issue. */
import * as vscode from 'vscode';
import { commands } from '../ids.ts';
import { isLive, type Runs } from '../runs.ts';
import type { Server } from '../server.ts';

interface Parts {
  readonly server: Server;
  readonly runs: Runs;
  readonly log: vscode.LogOutputChannel;
  /** What is told of the machine. */
  readonly machine: () => readonly string[];
}

export function registerSupport(context: vscode.ExtensionContext, parts: Parts): vscode.Disposable {
  const { server, log } = parts;
  const register = vscode.commands.registerCommand;
  return vscode.Disposable.from(
    register(commands.restartServer, () => server.restart()),
    register(commands.showLog, () => log.show()),
    register(commands.copyDiagnostics, async () => {
      await vscode.env.clipboard.writeText(report(context, parts));
      void vscode.window.setStatusBarMessage(vscode.l10n.t('$(check) Copied diagnostics information'), 3000);
    }),
  );
}

/** No names of files, folders or people. */
function report(context: vscode.ExtensionContext, { server, runs, machine }: Parts): string {
  const version: unknown = context.extension.packageJSON.version;
  const all = runs.all();
  const lines = [
    `Strata ${version}`,
    `VS Code ${vscode.version} (${vscode.env.appName}, ${vscode.env.remoteName ?? 'local'}, ui ${vscode.UIKind[vscode.env.uiKind]})`,
    ...machine(),
    `Language server: ${server.state()}`,
    `Workspace: ${vscode.workspace.isTrusted ? 'trusted' : 'restricted'}, ${vscode.workspace.workspaceFolders?.length ?? 0} folders`,
    `Runs: ${all.length}, live ${all.filter(isLive).length}, failed ${all.filter(run => run.state === 'failed' || run.state === 'died').length}`,
    `Settings: device ${vscode.workspace.getConfiguration('strata').get('device')}, runtime ${vscode.workspace.getConfiguration('strata').get('runtime') ? 'set' : 'automatic'}`,
  ];
  return lines.join('\n');
}
