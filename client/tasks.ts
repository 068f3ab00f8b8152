/** Tasks: `strata check` over the files of a folder, in the terminal. The Problems view has it already, from the language server. */
import * as vscode from 'vscode';
import { languageId, taskType } from './ids.ts';

/** More files than this make no command line. */
const maxFiles = 500;

export function registerTasks(context: vscode.ExtensionContext): vscode.Disposable {
  const program = vscode.Uri.joinPath(context.extensionUri, 'dist/cli.js').fsPath;
  return vscode.tasks.registerTaskProvider(taskType, {
    provideTasks: async () => {
      const tasks = (vscode.workspace.workspaceFolders ?? []).map(folder => checkTask(program, folder));
      return (await Promise.all(tasks)).flat();
    },
    // A task of tasks.json: its definition stays, the files are those of today.
    resolveTask: async task => {
      const folder = typeof task.scope === 'object' ? task.scope : vscode.workspace.workspaceFolders?.[0];
      const [made] = folder === undefined ? [] : await checkTask(program, folder, task.definition);
      return made;
    },
  });
}

async function checkTask(
  program: string,
  folder: vscode.WorkspaceFolder,
  definition: vscode.TaskDefinition = { type: taskType, command: 'check' },
): Promise<vscode.Task[]> {
  const pattern = new vscode.RelativePattern(folder, `**/*.${languageId}`);
  const files = await vscode.workspace.findFiles(pattern, undefined, maxFiles);
  if (files.length === 0 || folder.uri.scheme !== 'file') return [];
  const names = files.map(file => vscode.workspace.asRelativePath(file, false)).sort();
  // The extension host's own program, as plain Node.
  const env = { ELECTRON_RUN_AS_NODE: '1', NO_COLOR: '1' };
  const execution = new vscode.ProcessExecution(process.execPath, [program, 'check', ...names], {
    cwd: folder.uri.fsPath,
    env,
  });
  const task = new vscode.Task(definition, folder, 'check', languageId, execution);
  task.group = vscode.TaskGroup.Build;
  task.detail = vscode.l10n.t('Check all Strata files of {0}', folder.name);
  return [task];
}
