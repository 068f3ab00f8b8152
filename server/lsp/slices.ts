/** Long work in small pieces: other requests and edits are served in between, and a request that was cancelled ends. */
import {
  type CancellationToken,
  LSPErrorCodes,
  ResponseError,
  type WorkDoneProgressReporter,
} from 'vscode-languageserver';
import type { Analysis, NameInfo } from '../lang/api.ts';
import { filesNaming, type Session } from './session.ts';

/** Milliseconds of work between two looks at what else has come. */
const slice = 10;

/** Rejects with LSP's "request cancelled" when the client has lost interest. */
export async function inSlices<T>(
  items: Iterable<T>,
  token: CancellationToken,
  visit: (item: T) => void,
): Promise<void> {
  let began = performance.now();
  for (const item of items) {
    visit(item);
    if (performance.now() - began < slice) continue;
    await new Promise(resolve => setTimeout(resolve, 0));
    if (token.isCancellationRequested) throw new ResponseError(LSPErrorCodes.RequestCancelled, 'cancelled');
    began = performance.now();
  }
}

export interface Search {
  /** The document in which the search began; an edit of it meanwhile makes the places that were found worthless. */
  readonly uri: string;
  readonly symbol: NameInfo;
  readonly token: CancellationToken;
  /** A bar in clients that have asked for one. */
  readonly progress: WorkDoneProgressReporter;
}

/** Visits the files in which the symbol may be used. Rejects where the text changed under it, or the client cancelled. */
export async function searchFiles(session: Session, search: Search, visit: (file: Analysis) => void): Promise<void> {
  const { workspace, say } = session;
  const { uri, symbol, token, progress } = search;
  const stamp = workspace.stamp(uri);
  progress.begin(say('searching', symbol.name), undefined, undefined, true);
  try {
    await inSlices(filesNaming(workspace, uri, symbol), token, file => {
      if (workspace.stamp(uri) !== stamp)
        throw new ResponseError(LSPErrorCodes.ContentModified, 'the text has changed meanwhile');
      visit(file);
    });
  } finally {
    progress.done();
  }
}
