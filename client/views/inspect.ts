/** Show Graph, Show Kernels, Show Plan: read-only documents beside the source that follow its edits. */
import * as vscode from 'vscode';
import type { InspectParams } from '../../server/lsp/protocol.ts';
import { commands, inspectScheme, languageId } from '../ids.ts';
import { refusal, type Server } from '../server.ts';
import type { Sources } from './sources.ts';

type What = Extract<InspectParams['what'], 'graph' | 'kernels' | 'plan'>;

export function registerInspection(server: Server, sources: Sources): vscode.Disposable {
  const changed = new vscode.EventEmitter<vscode.Uri>();
  const provider: vscode.TextDocumentContentProvider = {
    onDidChange: changed.event,
    provideTextDocumentContent: async shown => {
      const asked = parse(shown);
      if (asked === undefined) return '';
      try {
        return (await server.inspect(asked)).text;
      } catch (error) {
        return `// ${refusal(error).message}\n`;
      }
    },
  };
  const refresh = () => {
    for (const { uri } of vscode.workspace.textDocuments) if (uri.scheme === inspectScheme) changed.fire(uri);
  };
  const show = (what: What) => () => showBeside(server, sources, what);
  return vscode.Disposable.from(
    changed,
    vscode.workspace.registerTextDocumentContentProvider(inspectScheme, provider),
    vscode.commands.registerCommand(commands.showGraph, show('graph')),
    vscode.commands.registerCommand(commands.showKernels, show('kernels')),
    vscode.commands.registerCommand(commands.showPlan, show('plan')),
    sources.onDidChange(refresh),
    // Data files and imports are the server's to watch; it knows better than an answer from before it was there.
    server.onDidChangeState(state => {
      if (state === 'running') refresh();
    }),
  );
}

/** Of the train block at the cursor. */
async function showBeside(server: Server, sources: Sources, what: What): Promise<void> {
  const editor = sourceEditor(sources);
  if (editor === undefined) {
    void vscode.window.showInformationMessage(vscode.l10n.t('Open a Strata file with a train block first.'));
    return;
  }
  const { line, character } = editor.selection.active;
  const uri = String(editor.document.uri);
  try {
    const { train } = await server.inspect({ uri, what, position: { line, character } });
    const shown = inspectUri({ uri, what, ...(train === undefined ? {} : { train }) });
    const options = { viewColumn: vscode.ViewColumn.Beside, preserveFocus: true, preview: true };
    await vscode.window.showTextDocument(await vscode.workspace.openTextDocument(shown), options);
  } catch (error) {
    void vscode.window.showErrorMessage(refusal(error).message);
  }
}

/** The editor in front; from the view's menu, while something else is, the one that shows the view's source. */
function sourceEditor(sources: Sources): vscode.TextEditor | undefined {
  const { activeTextEditor: active, visibleTextEditors } = vscode.window;
  if (active?.document.languageId === languageId) return active;
  return visibleTextEditors.find(({ document }) => document === sources.current());
}

/** The path is what the tab shows, the query what to ask for. */
function inspectUri(asked: InspectParams): vscode.Uri {
  const query = JSON.stringify([asked.uri, asked.what, asked.train]);
  return vscode.Uri.from({ scheme: inspectScheme, path: `/${asked.train ?? 'train'} (${asked.what})`, query });
}

function parse({ query }: vscode.Uri): InspectParams | undefined {
  const [uri, what, train]: readonly unknown[] = JSON.parse(query);
  if (typeof uri !== 'string' || (what !== 'graph' && what !== 'kernels' && what !== 'plan')) return undefined;
  return { uri, what, ...(typeof train === 'string' ? { train } : {}) };
}
