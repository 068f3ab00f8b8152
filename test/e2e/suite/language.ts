/** The language server's answers as VS Code asks for them. */
import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import { activated, eventually, untitled, workspaceFile } from './support.ts';

const mistaken = `model Net(x: [B, 784]) -> [B, 10] {
  fc1 = linar(128)
  x |> fc1
}
`;

async function open(name: string): Promise<vscode.TextDocument> {
  await activated();
  const document = await vscode.workspace.openTextDocument(workspaceFile(name));
  await vscode.window.showTextDocument(document);
  return document;
}

/** Position right behind the first occurrence of a text. */
function behind(document: vscode.TextDocument, text: string): vscode.Position {
  const at = document.getText().indexOf(text);
  assert(at >= 0, text);
  return document.positionAt(at + text.length);
}

describe('language', () => {
  it('finds nothing wrong with the example', async () => {
    const document = await open('first.strata');
    await eventually(async () => {
      const hints = await vscode.commands.executeCommand<unknown[]>(
        'vscode.executeInlayHintProvider',
        document.uri,
        whole(document),
      );
      return hints.length > 0 ? hints : undefined;
    }, 'inlay hints');
    assert.deepEqual(vscode.languages.getDiagnostics(document.uri), []);
  });

  it('shows shapes as inlay hints', async () => {
    const document = await open('first.strata');
    const hints = await vscode.commands.executeCommand<vscode.InlayHint[]>(
      'vscode.executeInlayHintProvider',
      document.uri,
      whole(document),
    );
    const texts = hints.map(hint =>
      typeof hint.label === 'string' ? hint.label : hint.label.map(part => part.value).join(''),
    );
    assert(
      texts.some(text => text.includes('[B, 128]')),
      texts.join(' | '),
    );
  });

  it('underlines a mistake and offers the fix', async () => {
    await activated();
    const document = await untitled(mistaken);
    const [diagnostic] = await eventually(() => {
      const found = vscode.languages.getDiagnostics(document.uri);
      return found.length > 0 ? found : undefined;
    }, 'diagnostics');
    assert(diagnostic);
    assert.equal(diagnostic.source, 'strata');
    assert.equal(document.getText(diagnostic.range), 'linar');
    const actions = await vscode.commands.executeCommand<vscode.CodeAction[]>(
      'vscode.executeCodeActionProvider',
      document.uri,
      diagnostic.range,
    );
    const fix = actions.find(action => action.edit);
    assert(fix?.edit, actions.map(action => action.title).join());
    await vscode.workspace.applyEdit(fix.edit);
    assert.match(document.getText(), /fc1 = linear\(128\)/);
  });

  it('explains a layer on hover and completes its name', async () => {
    const document = await open('first.strata');
    const at = behind(document, 'fc1 = lin');
    const hovers = await vscode.commands.executeCommand<vscode.Hover[]>(
      'vscode.executeHoverProvider',
      document.uri,
      at,
    );
    const text = hovers
      .flatMap(hover => hover.contents.map(part => (typeof part === 'string' ? part : part.value)))
      .join('\n');
    assert.match(text, /linear/);
    const list = await vscode.commands.executeCommand<vscode.CompletionList>(
      'vscode.executeCompletionItemProvider',
      document.uri,
      at,
    );
    assert(
      list.items.some(
        item => item.label === 'linear' || (typeof item.label === 'object' && item.label.label === 'linear'),
      ),
    );
  });

  it('finds a definition and outlines the file', async () => {
    const document = await open('first.strata');
    const [target] = await vscode.commands.executeCommand<(vscode.Location | vscode.LocationLink)[]>(
      'vscode.executeDefinitionProvider',
      document.uri,
      behind(document, 'net    = Simple'),
    );
    assert(target);
    const range = 'range' in target ? target.range : target.targetRange;
    assert.match(document.lineAt(range.start.line).text, /^model SimpleNet/);
    const symbols = await vscode.commands.executeCommand<vscode.DocumentSymbol[]>(
      'vscode.executeDocumentSymbolProvider',
      document.uri,
    );
    assert.deepEqual(
      symbols.map(symbol => symbol.name),
      ['SimpleNet', 'Digits', 'digits'],
    );
  });

  it('formats', async () => {
    await activated();
    const document = await untitled('model  Net( x:[B,784] )->[B,10]{\nx|>linear( 10 )\n}\n');
    const edits = await vscode.commands.executeCommand<vscode.TextEdit[]>(
      'vscode.executeFormatDocumentProvider',
      document.uri,
      { tabSize: 2, insertSpaces: true },
    );
    const change = new vscode.WorkspaceEdit();
    change.set(document.uri, edits);
    await vscode.workspace.applyEdit(change);
    assert.equal(document.getText(), 'model Net(x: [B, 784]) -> [B, 10] {\n  x |> linear(10)\n}\n');
  });
});

function whole(document: vscode.TextDocument): vscode.Range {
  return new vscode.Range(0, 0, document.lineCount, 0);
}
