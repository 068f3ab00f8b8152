/** Commands that use the model of a run: text, predictions, an export. The command line does the work, in a task whose output stays. */
import { dirname, relative } from 'node:path';
import * as vscode from 'vscode';
import { commands, languageId, taskType } from '../ids.ts';
import type { Runs } from '../runs.ts';
import { folderOf, pickRun } from './training.ts';

export function registerModels(context: vscode.ExtensionContext, runs: Runs): vscode.Disposable {
  const program = vscode.Uri.joinPath(context.extensionUri, 'dist/cli.js').fsPath;
  const register = (command: string, name: string, ask: (folder: string) => Promise<readonly string[] | undefined>) =>
    vscode.commands.registerCommand(command, async (target: unknown) => {
      const folder = folderOf(target) ?? (await pickRun(runs, 'any'));
      const args = folder === undefined ? undefined : await ask(folder);
      if (folder !== undefined && args !== undefined) await vscode.tasks.executeTask(task(program, name, folder, args));
    });
  return vscode.Disposable.from(
    register(commands.generate, vscode.l10n.t('Generate Text'), askPrompt),
    register(commands.predict, vscode.l10n.t('Predict'), askFiles),
    register(commands.exportPytorch, vscode.l10n.t('Export to PyTorch'), async folder => ['export', 'pytorch', folder]),
  );
}

async function askPrompt(folder: string): Promise<readonly string[] | undefined> {
  const prompt = await vscode.window.showInputBox({
    title: vscode.l10n.t('Generate Text'),
    prompt: vscode.l10n.t('Text for the model to go on from; leave it empty to begin anew'),
  });
  if (prompt === undefined) return undefined;
  return ['generate', folder, ...(prompt === '' ? [] : ['--prompt', prompt])];
}

async function askFiles(folder: string): Promise<readonly string[] | undefined> {
  const files = await vscode.window.showOpenDialog({
    title: vscode.l10n.t('Predict: files of the kind that the run was trained on'),
    canSelectMany: true,
    defaultUri: vscode.Uri.file(workspaceOf(folder)),
  });
  return files && ['predict', folder, ...files.map(file => shortest(file.fsPath, workspaceOf(folder)))];
}

/** Answers begin with the name of the file: one of the workspace is named as people know it. */
function shortest(path: string, workspace: string): string {
  const way = relative(workspace, path);
  return way.length < path.length && !way.startsWith('..') ? way : path;
}

/** Runs lie in `.strata/runs` of their workspace folder. */
function workspaceOf(folder: string): string {
  return dirname(dirname(dirname(folder)));
}

function task(program: string, name: string, folder: string, args: readonly string[]): vscode.Task {
  const runtime = vscode.workspace.getConfiguration('strata').get<string>('runtime');
  const execution = new vscode.ProcessExecution(process.execPath, [program, ...args], {
    cwd: workspaceOf(folder),
    // The extension host's own program, as plain Node; it hands over to the runtime of the engine.
    env: { ELECTRON_RUN_AS_NODE: '1', ...(runtime ? { STRATA_RUNTIME: runtime } : {}) },
  });
  const made = new vscode.Task(
    { type: taskType, command: args[0] },
    vscode.TaskScope.Workspace,
    name,
    languageId,
    execution,
    [],
  );
  made.presentationOptions = {
    reveal: vscode.TaskRevealKind.Always,
    echo: false,
    clear: true,
    showReuseMessage: false,
  };
  return made;
}
