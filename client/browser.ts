/** Entry of the extension in a browser: the language server is a worker. Everything but training. */
import * as vscode from 'vscode';
import { type DynamicFeature, LanguageClient, type StaticFeature } from 'vscode-languageclient/browser';
import { isCommands } from './server.ts';
import { type StrataApi, start } from './start.ts';

class StrataClient extends LanguageClient {
  override registerFeature(feature: StaticFeature | DynamicFeature<unknown>): void {
    if (!isCommands(feature)) super.registerFeature(feature);
  }
}

export async function activate(context: vscode.ExtensionContext): Promise<StrataApi> {
  const script = await loadable(vscode.Uri.joinPath(context.extensionUri, 'dist/serverWorker.js'));
  return start(context, {
    makeClient: (id, name, options) => new StrataClient(id, name, new Worker(script), options),
    machine: () => ['Extension host: a browser'],
  });
}

/** A worker is made of what lies on the web; an extension that a remote machine has sent into the browser lies behind VS Code's files. */
async function loadable(script: vscode.Uri): Promise<string> {
  if (/^https?$/.test(script.scheme)) return script.toString(true);
  const code = await vscode.workspace.fs.readFile(script);
  return URL.createObjectURL(new Blob([Uint8Array.from(code)], { type: 'text/javascript' }));
}
