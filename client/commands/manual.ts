/** Strata: Open Manual: the pages that the extension carries, found by name, shown by VS Code's own Markdown preview. */
import * as vscode from 'vscode';
import type { ManualName } from '../../server/manual/manual.ts';
import { commands } from '../ids.ts';

export function registerManual(context: vscode.ExtensionContext): vscode.Disposable {
  const folder = vscode.Uri.joinPath(context.extensionUri, 'dist/strata-manual');
  return vscode.commands.registerCommand(commands.openManual, () => openManual(folder));
}

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
  // Not `vscode.open`: in a browser the pages have web addresses, which that hands to another tab.
  const page = chosen && vscode.Uri.joinPath(folder, chosen.path);
  if (page) await vscode.commands.executeCommand('vscode.openWith', page, 'vscode.markdown.preview.editor');
}
