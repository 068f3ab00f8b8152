/** Entry of the extension on a machine: the language server is a child of the extension host. */
import * as os from 'node:os';
import * as vscode from 'vscode';
import { type DynamicFeature, LanguageClient, type StaticFeature, TransportKind } from 'vscode-languageclient/node';
import { registerModels } from './commands/models.ts';
import { contexts } from './ids.ts';
import { isCommands } from './server.ts';
import { type StrataApi, start } from './start.ts';
import { registerTasks } from './tasks.ts';

export type { StrataApi } from './start.ts';

class StrataClient extends LanguageClient {
  override registerFeature(feature: StaticFeature | DynamicFeature<unknown>): void {
    if (!isCommands(feature)) super.registerFeature(feature);
  }
}

export function activate(context: vscode.ExtensionContext): StrataApi {
  const module = vscode.Uri.joinPath(context.extensionUri, 'dist/server.js').fsPath;
  context.subscriptions.push(registerTasks(context));
  void vscode.commands.executeCommand('setContext', contexts.hasMachine, true);
  const run = { module, transport: TransportKind.ipc };
  const debug = { ...run, options: { execArgv: ['--nolazy', '--inspect=6017'] } };
  return start(context, {
    makeClient: (id, name, options) => new StrataClient(id, name, { run, debug }, options),
    models: runs => registerModels(context, runs),
    machine: () => [
      `${os.type()} ${os.release()} ${os.arch()}, ${os.cpus().length} × ${os.cpus()[0]?.model ?? 'unknown CPU'}, ${Math.round(os.totalmem() / 2 ** 30)} GiB`,
      `Extension host: Node ${process.versions.node}${process.versions.electron ? `, Electron ${process.versions.electron}` : ''}`,
    ],
  });
}
