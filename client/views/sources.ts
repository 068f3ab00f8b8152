/** Changes of Strata sources, told when typing pauses: what is derived from them is made anew then. */
import * as vscode from 'vscode';
import { contexts, languageId } from '../ids.ts';

/** Milliseconds without an edit. */
const pause = 400;

export interface Sources extends vscode.Disposable {
  /** One or more have changed, or another one is in front. */
  readonly onDidChange: vscode.Event<void>;
  /** The document in front; the last one while something else is. */
  readonly current: () => vscode.TextDocument | undefined;
}

export function createSources(): Sources {
  const changed = new vscode.EventEmitter<void>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let current: vscode.TextDocument | undefined;
  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(() => changed.fire(), pause);
  };
  const setCurrent = (document: vscode.TextDocument | undefined) => {
    current = document;
    // `editorLangId` is known inside editors alone, not to views.
    void vscode.commands.executeCommand('setContext', contexts.hasSource, document !== undefined);
    changed.fire();
  };
  const look = (editor: vscode.TextEditor | undefined) => {
    if (editor?.document.languageId !== languageId || editor.document === current) return;
    setCurrent(editor.document);
  };
  /** With none so far, one beside whatever is in front will do: after a reload that may be the panel. */
  const lookAround = () => {
    look(vscode.window.activeTextEditor);
    if (current === undefined) vscode.window.visibleTextEditors.forEach(look);
  };
  lookAround();
  const subscription = vscode.Disposable.from(
    changed,
    vscode.window.onDidChangeActiveTextEditor(look),
    vscode.window.onDidChangeVisibleTextEditors(lookAround),
    vscode.workspace.onDidOpenTextDocument(lookAround),
    vscode.workspace.onDidChangeTextDocument(({ document, contentChanges }) => {
      if (document.languageId === languageId && contentChanges.length > 0) soon();
    }),
    vscode.workspace.onDidCloseTextDocument(document => {
      if (document !== current) return;
      setCurrent(undefined);
    }),
  );
  return {
    onDidChange: changed.event,
    current: () => current,
    dispose: () => {
      clearTimeout(timer);
      subscription.dispose();
    },
  };
}
