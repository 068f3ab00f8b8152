/** Diagnostic facts: what is wrong, as data. `server/ide/diagnostics` turns each code into a message, a page and fixes. */
import type { Location, Span, TextEdit } from './text.ts';

/** Another place that explains the mistake. */
export interface Related {
  readonly location: Location;
  /**
   * `first`: the earlier one of two that clash. `declaration`: where `text` (a model, parameter, field) is declared.
   * `size`: where the size `text` comes from. `requirement`: the `where` clause or operation that demands `text`.
   * `value`: an operand whose shape is `text`.
   */
  readonly role: 'first' | 'declaration' | 'size' | 'requirement' | 'value';
  readonly text: string;
}

/** What a name was looked up as. */
export type NameKind =
  | 'value'
  | 'function'
  | 'model'
  | 'data'
  | 'train'
  | 'field'
  | 'argument'
  /** One of a few words that a parameter or a setting takes. */
  | 'word'
  | 'setting'
  | 'dimension'
  | 'axis'
  | 'optimizer'
  | 'schedule'
  | 'metric'
  | 'source'
  | 'transform'
  | 'module';

/** Data by code. Shapes, sizes and types are text as the user writes them: `[B, 784]`, `784`, `index(10)[B]`. */
export interface FactData {
  /** The text is damaged here: `expected` is what the grammar wants (`an expression`, `)`), `found` the offending token's text, '' at the end. */
  'syntax-error': { readonly expected: string; readonly found: string };
  /** A document beyond a budget: its `what` (bytes, nesting, tokens, unrolled turns, terms of a size) is over `limit`; the rest is not checked. */
  'limit-exceeded': { readonly what: 'bytes' | 'nesting' | 'tokens' | 'unrolling' | 'terms'; readonly limit: number };
  /** `candidates`: best first, close in spelling; empty if none is. Of a `word` all that are taken; its `name` is empty where an expression stands. */
  'unknown-name': { readonly name: string; readonly kind: NameKind; readonly candidates: readonly string[] };
  'duplicate-name': {
    readonly name: string;
    readonly what: 'declaration' | 'parameter' | 'argument' | 'setting' | 'field';
  };
  /**
   * `role` argument: `subject` is the parameter of `callee`; result: of the model `subject`; operands: of the operator `subject`;
   * annotation. `axis` counts from 0 within `found`; `expectedSize` and `foundSize` are the sizes there. Absent where the ranks differ.
   */
  'shape-mismatch': {
    readonly role: 'argument' | 'result' | 'operands' | 'annotation';
    readonly subject: string;
    readonly callee?: string;
    readonly expected: string;
    readonly found: string;
    readonly axis?: number;
    readonly expectedSize?: string;
    readonly foundSize?: string;
  };
  /** Labels of `classes` classes against logits whose last axis is `logits`. */
  'class-mismatch': { readonly classes: string; readonly logits: string; readonly callee: string };
  /** Another kind of value: `expected` and `found` are types (`int`, `a tensor`, `index(C)[...]`, `f32`). */
  'type-mismatch': {
    readonly subject: string;
    readonly callee?: string;
    readonly expected: string;
    readonly found: string;
  };
  'missing-argument': {
    readonly callee: string;
    readonly parameter: string;
    readonly type: string;
    readonly signature: string;
  };
  /** `candidates` of its `parameters` are meant perhaps. */
  'unknown-argument': {
    readonly callee: string;
    readonly name: string;
    readonly candidates: readonly string[];
    readonly parameters: readonly string[];
  };
  'too-many-arguments': { readonly callee: string; readonly most: number; readonly found: number };
  /** A number out of its range: `dropout(2)`; `expected` is text such as `a number from 0 to 1`. */
  'value-out-of-range': { readonly subject: string; readonly expected: string; readonly found: string };
  'not-callable': { readonly found: string };
  /** A value of this kind can't stand here: an optimiser among tensors, a layer that was never applied as a result. */
  'not-a-value': { readonly name: string; readonly found: string };
  /** `D % heads == 0` fails: `left` and `right` with numbers in; `remainder` for divisibility. */
  'requirement-failed': {
    readonly callee: string;
    readonly requirement: string;
    readonly left: string;
    readonly right: string;
    readonly remainder?: string;
    readonly kind: 'equal' | 'divides' | 'atLeast';
  };
  /** The value needs to be known when the program is compiled. */
  'not-constant': { readonly subject: string };
  /** A layer value with weights for `expected` (as first applied) is applied to something else. */
  'layer-reuse': { readonly layer: string; readonly expected: string; readonly found: string };
  /** A model that calls itself, directly or through `through`. */
  'recursive-model': { readonly model: string; readonly through: readonly string[] };
  'model-without-result': { readonly model: string };
  /** A source that can't be read; `message` comes from the reader and names the file. */
  'data-missing': { readonly source: string; readonly path: string; readonly message: string };
  'data-malformed': { readonly source: string; readonly path: string; readonly message: string };
  'batch-too-large': { readonly batch: number; readonly samples: number };
  /** A fraction or count that leaves a split, or the training part, empty; `expected` says what is allowed. */
  'split-out-of-range': { readonly split: string; readonly value: string; readonly expected: string };
  /** `random` transforms belong in `augment`, fixed ones and shape changes don't. */
  'misplaced-transform': { readonly name: string; readonly where: 'augment' | 'fields' };
  /** A block lacks what it can't do without: `minimize` in a train block, `batch` in a data block. */
  'missing-statement': { readonly block: string; readonly statement: string };
  'invalid-import': { readonly path: string; readonly reason: 'missing' | 'cycle' };
  /** The grammar has it, training does not yet. */
  unsupported: { readonly what: string };
  /** `cross_entropy` takes logits and applies softmax itself. */
  'softmax-before-cross-entropy': { readonly callee: string };
  /** Nothing reads it. */
  'unused-binding': { readonly name: string; readonly what: 'layer' | 'binding' | 'parameter' | 'import' };
  /** The same model applied anonymously more than once in a train block: two sets of weights. */
  'unshared-weights': { readonly model: string };
  /** A loss whose operands broadcast: `[B, 1]` against `[B]`. */
  'broadcast-target': { readonly callee: string; readonly prediction: string; readonly target: string };
  /** `callee` takes a statistic of one value a channel, in all batches or, where there are `samples`, in the last; `better`: a batch that doesn't. */
  'batch-of-one': {
    readonly callee: string;
    readonly batch: number;
    readonly samples?: number;
    readonly better?: number;
  };
  /**
   * The axis `axis` of `callee` has the size of the batch, which is not known before training. `at`: where the batch stands in the argument,
   * if it does; `piped`: the argument flows into what is underlined.
   */
  'batch-axis': {
    readonly callee: string;
    readonly axis: string;
    readonly size: string;
    readonly at?: number;
    readonly piped: boolean;
  };
  /** A loss whose gradient stops before the `layer` that stands behind `over`, or before all weights. */
  'no-gradient': { readonly layer?: string };
  /** A layer of a train block that takes part, and whose weights no `minimize` moves. */
  'untrained-layer': { readonly layer: string };
  /** One loss raises what the other lowers, and both move `weights`; `over`: what this loss alone moves, empty if that is nothing. */
  'opposing-objectives': { readonly weights: readonly string[]; readonly over: readonly string[] };
}

export type FactCode = keyof FactData;

export type DiagnosticFact = {
  readonly [C in FactCode]: {
    readonly code: C;
    /** The smallest span that explains the mistake. */
    readonly span: Span;
    readonly data: FactData[C];
    readonly related: readonly Related[];
    /** An edit that mends it for certain. */
    readonly fix?: readonly TextEdit[];
  };
}[FactCode];

/** Facts that keep nobody from training. */
const warnings: ReadonlySet<FactCode> = new Set<FactCode>([
  'unused-binding',
  'softmax-before-cross-entropy',
  'unshared-weights',
  'broadcast-target',
  'opposing-objectives',
  'untrained-layer',
  'batch-of-one',
]);

export type Severity = 'error' | 'warning';

export function severityOf(code: FactCode): Severity {
  return warnings.has(code) ? 'warning' : 'error';
}

export function isError({ code }: Pick<DiagnosticFact, 'code'>): boolean {
  return severityOf(code) === 'error';
}
