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

export function activate(context: vscode.ExtensionContext): StrataApi {
  const script = vscode.Uri.joinPath(context.extensionUri, 'dist/serverWorker.js').toString(true);
  return start(context, {
    makeClient: (id, name, options) => new StrataClient(id, name, new Worker(script), options),
    machine: () => ['Extension host: a browser'],
  });
}
