/** Commands that start and steer runs. */
import * as vscode from 'vscode';
import { type RunArguments, serverCommands, type TrainArguments } from '../../server/lsp/protocol.ts';
import { commands } from '../ids.ts';
import type { Panels } from '../panel/panels.ts';
import { isLive, type Runs } from '../runs.ts';
import { refusal, type Server, type ServerCommand } from '../server.ts';

interface Parts {
  readonly server: Server;
  readonly runs: Runs;
  readonly panels: Panels;
}

export function registerTraining(parts: Parts): vscode.Disposable {
  const register = vscode.commands.registerCommand;
  const steer = (command: ServerCommand, wanted: (run: Runs) => string | undefined) =>
    register(serverCommands[command], (target: unknown) =>
      steerRun(parts, command, folderOf(target) ?? wanted(parts.runs)),
    );
  const live = (runs: Runs) => runs.live()?.folder;
  return vscode.Disposable.from(
    register(serverCommands.fetch, (target: unknown) => fetchData(parts, target)),
    register(serverCommands.train, (target: unknown) => train(parts, target)),
    register(serverCommands.resume, (target: unknown) => resume(parts, folderOf(target))),
    steer('pause', live),
    steer('continue', live),
    steer('stop', live),
    register(commands.showPanel, (target: unknown) => showPanel(parts, folderOf(target))),
    register(commands.refreshRuns, () => parts.runs.refresh()),
    register(commands.openSource, (target: unknown) => openSource(parts, target)),
    register(commands.revealRun, (target: unknown) => revealRun(folderOf(target))),
  );
}

/** A tree element is the folder itself; lenses, panel and keybindings pass an object. */
export function folderOf(target: unknown): string | undefined {
  if (typeof target === 'string') return target;
  if (typeof target !== 'object' || target === null || !('folder' in target)) return undefined;
  return typeof target.folder === 'string' ? target.folder : undefined;
}

/** Workspace trust is checked here too: `when` clauses only hide. */
async function demandTrust(): Promise<boolean> {
  if (vscode.workspace.isTrusted) return true;
  const manage = vscode.l10n.t('Manage Workspace Trust');
  const text = vscode.l10n.t('Training runs a program on your data: trust this workspace first.');
  if ((await vscode.window.showWarningMessage(text, manage)) === manage) {
    await vscode.commands.executeCommand('workbench.trust.manage');
  }
  return false;
}

async function train({ server, runs, panels }: Parts, target: unknown): Promise<string | undefined> {
  if (!(await demandTrust())) return undefined;
  const wanted = trainArguments(target) ?? (await chooseTrain());
  if (!wanted) return undefined;
  const device = wanted.device ?? deviceSetting(vscode.Uri.parse(wanted.uri));
  const source = vscode.workspace.asRelativePath(vscode.Uri.parse(wanted.uri), false);
  const summary = await panels.start(wanted.train ?? vscode.l10n.t('training'), source, () =>
    server.execute('train', { ...wanted, ...(device === undefined ? {} : { device }) }),
  );
  if (summary) void runs.refresh();
  return summary?.folder;
}

function deviceSetting(uri: vscode.Uri): TrainArguments['device'] {
  return vscode.workspace.getConfiguration('strata', uri).get<'auto' | 'webgpu' | 'cpu'>('device');
}

function trainArguments(target: unknown): TrainArguments | undefined {
  if (target instanceof vscode.Uri) return undefined; // The editor title passes its file: which block is still open.
  if (typeof target !== 'object' || target === null || !('uri' in target) || typeof target.uri !== 'string')
    return undefined;
  const name = 'train' in target && typeof target.train === 'string' ? target.train : undefined;
  return { uri: target.uri, ...(name === undefined ? {} : { train: name }) };
}

/** The train blocks of the active editor as their lenses offer them; the user chooses when there are several. */
async function chooseTrain(): Promise<TrainArguments | undefined> {
  const document = vscode.window.activeTextEditor?.document;
  if (document?.languageId !== 'strata') {
    void vscode.window.showInformationMessage(vscode.l10n.t('Open a Strata file with a train block first.'));
    return undefined;
  }
  const lenses = await vscode.commands.executeCommand<vscode.CodeLens[]>(
    'vscode.executeCodeLensProvider',
    document.uri,
    100,
  );
  const offered = lenses
    .filter(lens => lens.command?.command === serverCommands.train)
    .flatMap(lens => trainArguments(lens.command?.arguments?.[0]) ?? []);
  // Without an offer the server says why: an error in the program, or no train block.
  if (offered.length < 2) return offered[0] ?? { uri: String(document.uri) };
  const choice = await vscode.window.showQuickPick(
    offered.map(item => ({ label: item.train ?? '', item })),
    { placeHolder: vscode.l10n.t('Which block do you want to train?') },
  );
  return choice?.item;
}

/** The server shows a bar; here is said how it ended. */
async function fetchData({ server }: Parts, target: unknown): Promise<void> {
  if (!(await demandTrust())) return;
  const document = vscode.window.activeTextEditor?.document;
  const uri = trainArguments(target)?.uri ?? (document?.languageId === 'strata' ? String(document.uri) : undefined);
  if (uri === undefined) {
    void vscode.window.showInformationMessage(
      vscode.l10n.t('Open a Strata file that names data by its address first.'),
    );
    return;
  }
  try {
    const { files } = await server.fetch({ uri });
    const text =
      files.length === 0
        ? vscode.l10n.t('All data of this file is there.')
        : vscode.l10n.t('Fetched {0}.', files.map(file => file.url).join(', '));
    void vscode.window.showInformationMessage(text);
  } catch (error) {
    void vscode.window.showErrorMessage(refusal(error).message);
  }
}

async function resume(parts: Parts, folder: string | undefined): Promise<void> {
  if (!(await demandTrust())) return;
  const target = folder ?? (await pickRun(parts.runs, 'resumable'));
  if (target === undefined) return;
  await steerRun(parts, 'resume', target);
  parts.panels.show({ folder: target });
}

async function steerRun({ server, runs }: Parts, command: ServerCommand, folder: string | undefined): Promise<void> {
  if (folder === undefined) {
    void vscode.window.showInformationMessage(vscode.l10n.t('No training is running.'));
    return;
  }
  try {
    await server.execute(command, { folder } satisfies RunArguments);
  } catch (error) {
    void vscode.window.showErrorMessage(refusal(error).message);
    void runs.refresh();
  }
}

async function showPanel({ runs, panels }: Parts, folder: string | undefined): Promise<void> {
  const target = folder ?? runs.live()?.folder ?? (await pickRun(runs, 'any'));
  if (target === undefined) return;
  const name = runs.all().find(run => run.folder === target)?.name;
  panels.show(name === undefined ? { folder: target } : { folder: target, name });
}

export async function pickRun(runs: Runs, which: 'any' | 'resumable'): Promise<string | undefined> {
  await runs.refresh();
  const items = runs
    .all()
    .filter(run => which === 'any' || (run.resumable && !isLive(run)))
    .map(run => ({
      label: run.name,
      description: run.state,
      detail: new Date(run.started).toLocaleString(),
      folder: run.folder,
    }));
  if (items.length === 0) {
    void vscode.window.showInformationMessage(vscode.l10n.t('There is no such run in this workspace yet.'));
    return undefined;
  }
  return (await vscode.window.showQuickPick(items, { placeHolder: vscode.l10n.t('Choose a run') }))?.folder;
}

async function openSource({ runs }: Parts, target: unknown): Promise<void> {
  const run = runs.all().find(other => other.folder === folderOf(target));
  const given = typeof target === 'object' && target !== null && 'source' in target ? target.source : undefined;
  const source = run?.source ?? given;
  if (typeof source !== 'string') return;
  for (const { uri } of vscode.workspace.workspaceFolders ?? []) {
    const file = vscode.Uri.joinPath(uri, source);
    try {
      await vscode.workspace.fs.stat(file);
    } catch {
      continue; // Not in this folder of the workspace.
    }
    await vscode.window.showTextDocument(file, { viewColumn: vscode.ViewColumn.One });
    return;
  }
}

async function revealRun(folder: string | undefined): Promise<void> {
  if (folder !== undefined) await vscode.commands.executeCommand('revealFileInOS', vscode.Uri.file(folder));
}
