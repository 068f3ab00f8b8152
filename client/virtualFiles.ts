/** Sources of folders that are on no disk (a repository on the web, a browser): read by the client, handed to the server. */
import * as vscode from 'vscode';
import { languageId } from './ids.ts';
import type { Server } from './server.ts';

/** More files than this are not looked through for imports and names. */
const maxFiles = 1000;

export function provideVirtualFiles(server: Server, log: vscode.LogOutputChannel): vscode.Disposable {
  const watcher = vscode.workspace.createFileSystemWatcher(`**/*.${languageId}`);
  const send = async (uris: readonly vscode.Uri[]) => {
    const virtual = uris.filter(uri => uri.scheme !== 'file');
    if (virtual.length === 0) return;
    try {
      await server.provide({ files: await Promise.all(virtual.map(read)) });
    } catch (error) {
      log.warn(`virtual files: ${error}`);
    }
  };
  const all = async () => {
    const folders = vscode.workspace.workspaceFolders ?? [];
    if (folders.some(({ uri }) => uri.scheme !== 'file'))
      await send(await vscode.workspace.findFiles(`**/*.${languageId}`, undefined, maxFiles));
  };
  const one = (uri: vscode.Uri) => void send([uri]);
  return vscode.Disposable.from(
    watcher,
    watcher.onDidCreate(one),
    watcher.onDidChange(one),
    watcher.onDidDelete(one),
    vscode.workspace.onDidChangeWorkspaceFolders(all),
    server.onDidChangeState(state => {
      if (state === 'running') void all();
    }),
  );
}

/** Without a text where it is gone. */
async function read(uri: vscode.Uri): Promise<{ uri: string; text?: string }> {
  try {
    return { uri: String(uri), text: new TextDecoder().decode(await vscode.workspace.fs.readFile(uri)) };
  } catch {
    return { uri: String(uri) };
  }
}
