/** What the language offers to the editor features, the command line and the run manager: types of an immutable snapshot. */
import type { Call, Choice, ColumnSchema, Program } from '../../engine/ir/program.ts';
import type { DiagnosticFact } from './facts.ts';
import type { LineIndex, Location, Span } from './text.ts';

export type { DiagnosticFact, FactCode, FactData, NameKind, Related } from './facts.ts';
export type { Encoding, LineIndex, Location, Position, Span, TextEdit } from './text.ts';

/** What the pure language needs from outside. The calls must be fast (cached) and never throw. */
export interface LangHost {
  /** Text of an imported file; `uri` has been resolved against the importing one. Undefined if it can't be read. */
  readText(uri: string): string | undefined;
  readSchema(source: Call, fromUri: string): SchemaResult;
  /** The names and shapes of the weights that `from` means: the newest run of that name, or a file. Headers alone are read. */
  readWeights?(from: string, fromUri: string): WeightsResult;
  /** We are wrong: the declaration concerned goes unchecked. For the log; tests throw. */
  internalError?(error: unknown): void;
}

export type SchemaResult =
  | { readonly kind: 'schema'; readonly columns: readonly ColumnSchema[]; readonly samples?: number }
  /** Being read: the fields have an unknown type that silences everything; the host analyses again when it is there. */
  | { readonly kind: 'pending' }
  | {
      readonly kind: 'problem';
      readonly code: 'data-missing' | 'data-malformed';
      /** Lower case, one sentence, names the file. */
      readonly message: string;
      /** The argument of the source that is to blame, `images`. */
      readonly argument?: string;
    };

export type WeightsResult =
  | { readonly kind: 'weights'; readonly shapes: ReadonlyMap<string, readonly number[]> }
  | { readonly kind: 'problem'; readonly code: 'data-missing' | 'data-malformed'; readonly message: string };

/** An immutable snapshot of one file. All spans are absolute, in utf-16 units. Nothing here throws. */
export interface Analysis {
  readonly uri: string;
  readonly text: string;
  readonly lines: LineIndex;
  readonly declarations: readonly Declaration[];
  readonly facts: readonly DiagnosticFact[];
  /** Uris of the files this one imports, directly or not; a change of one calls for a new analysis. */
  readonly imports: readonly string[];
  readonly trains: readonly TrainBlock[];
  readonly data: readonly DataBlock[];
  readonly tokens: readonly SemanticToken[];
  readonly folds: readonly Fold[];
  /** In order of position. */
  inlays(within?: Span): readonly Inlay[];
  /** The innermost expression, name or declaration at an offset. */
  hover(offset: number): HoverInfo | undefined;
  symbol(offset: number): NameInfo | undefined;
  /** Spans in this file of a symbol's definition (first) and uses. */
  references(symbol: NameInfo): readonly Span[];
  /** The call around an offset. */
  signature(offset: number): SignatureInfo | undefined;
  /** `foreign`: models of other files that could be imported. */
  completion(offset: number, foreign?: readonly ForeignModel[]): CompletionInfo;
  /** Number of trainable weights of a model, where its sizes are known without a call. */
  parameterCount(model: string): number | undefined;
  /** Spans from the innermost node outwards, for "expand selection". */
  selection(offset: number): readonly Span[];
}

export type DeclarationKind = 'import' | 'const' | 'data' | 'model' | 'train';

export interface Declaration {
  readonly kind: DeclarationKind;
  /** '' where the name is missing. */
  readonly name: string;
  /** `SimpleNet(x: [B, 784]) -> [B, 10]`: the header on one line. */
  readonly detail: string;
  readonly doc: string;
  /** With its doc comment. */
  readonly span: Span;
  readonly nameSpan: Span;
  /** Bindings, parameters and settings, for the outline. */
  readonly children: readonly OutlineItem[];
}

export interface OutlineItem {
  readonly name: string;
  readonly detail: string;
  readonly kind: 'layer' | 'value' | 'field' | 'parameter' | 'setting' | 'objective';
  readonly span: Span;
  readonly nameSpan: Span;
}

export interface TrainBlock {
  readonly name: string;
  readonly span: Span;
  readonly nameSpan: Span;
  /** Name of the data block; '' where it is missing. */
  readonly data: string;
  /** Number of errors that stand in the way of training: in the block and in what it uses. */
  readonly errors: number;
  /** The first of them. */
  readonly firstError?: DiagnosticFact;
  /** Of a sweep; 1 without one. */
  readonly runs: number;
}

export interface DataBlock {
  readonly name: string;
  readonly nameSpan: Span;
  /** As written, for the "data set" card; undefined while the source has errors. */
  readonly source?: Call;
  readonly samples?: number;
  readonly columns: readonly ColumnSchema[];
  /** After the transforms, per sample: `index(10)[]`, `[784]`. */
  readonly fields: readonly { readonly name: string; readonly type: string }[];
}

export interface Inlay {
  readonly offset: number;
  /** `shape`: after a binding or a pipeline stage. `count`: number of weights of a layer. */
  readonly kind: 'shape' | 'count' | 'parameter';
  /** `[B, 128]`, `100,480`, `out:`. */
  readonly text: string;
}

export interface HoverInfo {
  readonly span: Span;
  /** A line of Strata: a signature, `fc1: linear(128)  [B, 784] -> [B, 128]`, `x: [B, 784]`. */
  readonly code: string;
  /** Markdown: the doc comment or the library's text; '' if there is none. */
  readonly doc: string;
  /** Further facts, each a line: `requires D % heads == 0`, `100,480 weights`. */
  readonly notes: readonly string[];
  /** Path of its page in the manual, without ending: `library/model/linear`. */
  readonly topic?: string;
}

export type SymbolKind =
  | 'model'
  | 'data'
  | 'train'
  | 'const'
  | 'import'
  | 'binding'
  | 'parameter'
  | 'dimension'
  | 'field'
  | 'library'
  | 'setting';

export interface NameInfo {
  readonly kind: SymbolKind;
  readonly name: string;
  /** The use or definition at the offset asked for. */
  readonly span: Span;
  /** Absent for what is built in. */
  readonly definition?: Location;
}

export interface SignatureInfo {
  readonly name: string;
  /** The whole header on one line. */
  readonly label: string;
  readonly doc: string;
  /** In order; `start` and `end` within `label`. */
  readonly parameters: readonly { readonly name: string; readonly span: Span }[];
  readonly active: number | undefined;
}

export interface ForeignModel {
  /** On one line, from its name to its body. */
  readonly header: string;
  readonly doc: string;
}

export interface CompletionInfo {
  /** What is replaced: the word at the cursor, empty if there is none. */
  readonly replace: Span;
  readonly items: readonly CompletionItem[];
  /** Shape of what flows into the stage at the cursor, `[B, 784]`. */
  readonly flowing?: string;
  /** What the models of other files that were asked about would be, where one can stand; undefined for a damaged header. */
  readonly foreign?: readonly (CompletionItem | undefined)[];
}

export interface CompletionItem {
  readonly name: string;
  readonly kind:
    | SymbolKind
    | 'function'
    | 'layer'
    | 'keyword'
    | 'argument'
    | 'loss'
    | 'metric'
    | 'optimizer'
    | 'schedule'
    | 'transform'
    | 'source';
  readonly detail: string;
  readonly doc: string;
  /** What to insert, with `$0` where the cursor ends up (LSP snippet syntax). */
  readonly snippet?: string;
  /** Smaller first: 0 fits the kind and shape expected here, 1 fits the kind, 2 is merely in scope. */
  readonly rank: number;
}

export type TokenType =
  | 'keyword'
  | 'type'
  | 'model'
  | 'dataset'
  | 'train'
  | 'function'
  | 'variable'
  | 'parameter'
  | 'property'
  | 'number'
  | 'string'
  | 'comment'
  | 'operator'
  | 'dimension';

export interface SemanticToken {
  readonly span: Span;
  readonly type: TokenType;
  readonly modifiers: readonly ('declaration' | 'documentation' | 'defaultLibrary' | 'readonly')[];
}

export interface Fold {
  /** First and last line, from 0. */
  readonly startLine: number;
  readonly endLine: number;
  readonly kind: 'block' | 'comment';
}

/** The function or model of a layer, and where it is named or, without a name, called. */
export interface MadeLayer {
  readonly kind: string;
  readonly location: Location;
}

export type LowerResult =
  /** `choices`: those of a sweep, each a program of its own; none without one. `layers`: what made those of a path, mostly one. */
  | {
      readonly kind: 'program';
      readonly program: Program;
      readonly choices: readonly Choice[];
      readonly layers: ReadonlyMap<string, readonly MadeLayer[]>;
    }
  /** The errors that stand in the way. */
  | { readonly kind: 'errors'; readonly facts: readonly DiagnosticFact[] }
  | { readonly kind: 'unknown-train'; readonly names: readonly string[] };

/*
 * The functions, each in the file of its name:
 *   analyze.ts        analyze(uri, text, host, previous?: Analysis): Analysis    reuses what `previous` has of unchanged declarations
 *   lower/lower.ts    lower(analysis, train?: string, choice?: Choice): LowerResult      the first train block where no name is given
 *   format/format.ts  format(text): string
 *   format/format.ts  formatEdits(text, within?: Span): readonly TextEdit[]
 *   text.ts           lineIndex(text), applyEdits(text, edits)
 */
