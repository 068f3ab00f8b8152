/** Stands before the handlers: a message out of turn, or of another shape than they take for granted, is refused as the protocol says; uris get one spelling. */
import * as v from 'valibot';
import { type Connection, ErrorCodes, type Message, ResponseError } from 'vscode-languageserver';
import { canonicalUri } from '../lang/uri.ts';

/** Goes into the options of a connection as its `messageStrategy`. */
export interface Gate {
  handleMessage(message: Message, next: (message: Message) => void | Promise<void>): void | Promise<void>;
  /** The client has asked for the end; all that may follow is `exit`. */
  readonly ended: boolean;
  /** A uri as the client spells it: clients compare what they get with what they have sent. */
  spelled(uri: string): string;
}

/** What a refused request goes on as, so that its answer comes in its turn. */
const refusal = 'strata/refuse';

interface Refusal {
  readonly code: number;
  readonly message: string;
}

const count = v.custom<number>(n => Number.isInteger(n) && Number(n) >= 0, 'expected a whole number from 0');
const position = v.object({ line: count, character: count });
const range = v.object({ start: position, end: position });
const textDocument = v.object({ uri: v.string() });
const whole = v.object({ textDocument });
const placed = v.object({ textDocument, position });
const ranged = v.object({ textDocument, range });
const call = v.object({ item: v.object({ uri: v.string(), selectionRange: range }) });
const folders = v.array(textDocument);

/** By method. Strata's own messages are checked where they are handled. */
const shapes: ReadonlyMap<string, v.GenericSchema> = new Map<string, v.GenericSchema>([
  ['initialize', v.object({ capabilities: v.looseObject({}) })],
  ['textDocument/didOpen', v.object({ textDocument: v.object({ uri: v.string(), text: v.string() }) })],
  [
    'textDocument/didChange',
    v.object({ textDocument, contentChanges: v.array(v.object({ text: v.string(), range: v.optional(range) })) }),
  ],
  ['textDocument/didClose', whole],
  ['textDocument/didSave', whole],
  ['textDocument/completion', placed],
  ['textDocument/hover', placed],
  ['textDocument/signatureHelp', placed],
  ['textDocument/definition', placed],
  ['textDocument/declaration', placed],
  ['textDocument/typeDefinition', placed],
  ['textDocument/linkedEditingRange', placed],
  ['textDocument/documentHighlight', placed],
  ['textDocument/prepareRename', placed],
  ['textDocument/prepareCallHierarchy', placed],
  ['textDocument/references', v.object({ ...placed.entries, context: v.object({ includeDeclaration: v.boolean() }) })],
  ['textDocument/rename', v.object({ ...placed.entries, newName: v.string() })],
  ['textDocument/onTypeFormatting', v.object({ ...placed.entries, ch: v.string() })],
  ['textDocument/documentSymbol', whole],
  ['textDocument/formatting', whole],
  ['textDocument/foldingRange', whole],
  ['textDocument/codeLens', whole],
  ['textDocument/documentLink', whole],
  ['textDocument/diagnostic', whole],
  ['textDocument/semanticTokens/full', whole],
  ['textDocument/semanticTokens/full/delta', v.object({ textDocument, previousResultId: v.string() })],
  ['textDocument/semanticTokens/range', ranged],
  ['textDocument/rangeFormatting', ranged],
  ['textDocument/inlayHint', ranged],
  [
    'textDocument/codeAction',
    v.object({ ...ranged.entries, context: v.object({ only: v.optional(v.array(v.string())) }) }),
  ],
  ['textDocument/selectionRange', v.object({ textDocument, positions: v.array(position) })],
  ['callHierarchy/incomingCalls', call],
  ['callHierarchy/outgoingCalls', call],
  ['completionItem/resolve', v.object({ label: v.string() })],
  ['workspace/symbol', v.object({ query: v.string() })],
  ['workspace/diagnostic', v.object({ previousResultIds: v.array(v.object({ uri: v.string(), value: v.string() })) })],
  ['workspace/didChangeWatchedFiles', v.object({ changes: v.array(textDocument) })],
  ['workspace/didChangeWorkspaceFolders', v.object({ event: v.object({ added: folders, removed: folders }) })],
  ['workspace/willRenameFiles', v.object({ files: v.array(v.object({ oldUri: v.string(), newUri: v.string() })) })],
]);

/** One for each connection. */
export function createGate(): Gate {
  let phase: 'new' | 'serving' | 'ended' = 'new';
  /** Where the client's differ from ours. */
  const spellings = new Map<string, string>();
  const outOfTurn = (method: string): Refusal | undefined => {
    if (phase === 'new' && method !== 'initialize') {
      return { code: ErrorCodes.ServerNotInitialized, message: `${method}: expected initialize first` };
    }
    if (phase === 'serving' && method === 'initialize') {
      return { code: ErrorCodes.InvalidRequest, message: 'initialize: expected once, found a second' };
    }
    if (phase === 'ended')
      return { code: ErrorCodes.InvalidRequest, message: `${method}: expected exit after shutdown` };
    return undefined;
  };
  return {
    get ended() {
      return phase === 'ended';
    },
    spelled: uri => spellings.get(uri) ?? uri,
    handleMessage: (message, next) => {
      const { method, id, params } = (message ?? {}) as Readonly<Record<string, unknown>>;
      if (typeof method !== 'string' || method === 'exit') return next(message);
      const refused = outOfTurn(method) ?? misshapen(method, params);
      if (refused === undefined) {
        if (method === 'initialize') phase = 'serving';
        if (method === 'shutdown') phase = 'ended';
        respell(params, spellings);
        return next(message);
      }
      // Nobody waits for an answer to a notification.
      if (id !== undefined) return next({ jsonrpc: '2.0', id, method: refusal, params: refused } as Message);
    },
  };
}

const uriKeys = new Set(['uri', 'oldUri', 'newUri', 'rootUri']);

/** Uris of the protocol lie less deep; how deep a hostile message is, nobody knows. */
const deepest = 8;

/** Puts the uris of a message into the one spelling, in place, and notes those that had another one. */
function respell(value: unknown, spellings: Map<string, string>, depth = 0): void {
  if (typeof value !== 'object' || value === null || depth > deepest) return;
  const fields = value as Record<string, unknown>;
  for (const [key, field] of Object.entries(fields)) {
    if (typeof field !== 'string') respell(field, spellings, depth + 1);
    else if (uriKeys.has(key)) {
      const uri = canonicalUri(field);
      if (uri !== field) spellings.set(uri, field);
      else spellings.delete(uri);
      fields[key] = uri;
    }
  }
}

function misshapen(method: string, params: unknown): Refusal | undefined {
  const shape = shapes.get(method);
  const parsed = shape && v.safeParse(shape, params);
  if (parsed === undefined || parsed.success) return undefined;
  const [issue] = parsed.issues;
  const place = v.getDotPath(issue) ?? 'params';
  return { code: ErrorCodes.InvalidParams, message: `malformed ${place} of ${method}: ${issue.message}` };
}

/** Answers what the gate refuses. */
export function registerRefusals(connection: Connection): void {
  connection.onRequest(refusal, ({ code, message }: Refusal) => {
    throw new ResponseError(code, message);
  });
}
