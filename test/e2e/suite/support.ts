/** What the tests in the host share. */
import assert from 'node:assert/strict';
import * as vscode from 'vscode';

export interface StrataApi {
  readonly activation: number;
  readonly ready: Promise<void>;
}

export async function activated(): Promise<StrataApi> {
  const extension = vscode.extensions.getExtension<StrataApi>('strata.strata');
  assert(extension, 'the extension is installed');
  const api = await extension.activate();
  await api.ready;
  return api;
}

export function record(name: string, value: number): void {
  const { strataFigures } = globalThis as typeof globalThis & { strataFigures?: Record<string, number> };
  if (strataFigures) strataFigures[name] = value;
}

export function workspaceFile(name: string): vscode.Uri {
  const folder = vscode.workspace.workspaceFolders?.[0];
  assert(folder, 'a folder is open');
  return vscode.Uri.joinPath(folder.uri, name);
}

/** An editor with a text that is on no disk. */
export async function untitled(content: string): Promise<vscode.TextDocument> {
  const document = await vscode.workspace.openTextDocument({ language: 'strata', content });
  await vscode.window.showTextDocument(document);
  return document;
}

/** Asks again until the answer is there: servers answer when they have analysed. */
export async function eventually<T>(
  ask: () => T | undefined | Promise<T | undefined>,
  what: string,
  ms = 20_000,
): Promise<T> {
  const deadline = Date.now() + ms;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (Date.now() > deadline) throw new Error(`no ${what} within ${ms} ms`);
    await new Promise(resolve => setTimeout(resolve, 50));
  }
}
