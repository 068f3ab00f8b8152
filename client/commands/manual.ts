/** Strata: Open Manual: the pages that the extension carries, found by name, shown by VS Code's own Markdown preview. */
import * as vscode from 'vscode';
import type { ManualName } from '../../server/manual/manual.ts';
import { commands } from '../ids.ts';

export function registerManual(context: vscode.ExtensionContext): vscode.Disposable {
  const folder = vscode.Uri.joinPath(context.extensionUri, 'dist/strata-manual');
  return vscode.commands.registerCommand(commands.openManual, () => openManual(folder));
}

/** The manifest associates pages of that folder with the preview. */
async function openManual(folder: vscode.Uri): Promise<void> {
  const index = await vscode.workspace.fs.readFile(vscode.Uri.joinPath(folder, 'names.json'));
  const names = JSON.parse(new TextDecoder().decode(index)) as readonly ManualName[];
  const first = {
    label: vscode.l10n.t('Contents'),
    description: '',
    path: 'README.md',
    iconPath: new vscode.ThemeIcon('book'),
  };
  const items = [first, ...names.map(({ name, kind, path }) => ({ label: name, description: kind, path }))];
  const placeHolder = vscode.l10n.t('Search the manual by name');
  const chosen = await vscode.window.showQuickPick(items, { placeHolder, matchOnDescription: true });
  if (chosen) await vscode.commands.executeCommand('vscode.open', vscode.Uri.joinPath(folder, chosen.path));
}
