/** Asking the client to ask again: what it shows of a document may change without an edit of it. */
import { CodeLensRefreshRequest, DiagnosticRefreshRequest, InlayHintRefreshRequest } from 'vscode-languageserver';
import type { Session } from './session.ts';

export type View = 'diagnostics' | 'inlayHint' | 'codeLens';

const requests = {
  diagnostics: DiagnosticRefreshRequest.type,
  inlayHint: InlayHintRefreshRequest.type,
  codeLens: CodeLensRefreshRequest.type,
} as const;

/** Sends what the client supports; a client that goes away meanwhile needs no answer. */
export function refresh({ connection, capabilities }: Session, ...views: readonly View[]): void {
  for (const view of views) {
    if (capabilities.workspace?.[view]?.refreshSupport !== true) continue;
    void connection.sendRequest(requests[view]).catch(() => {});
  }
}
