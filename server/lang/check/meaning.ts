/** What an expression means to the checker: a tensor's type, a hyperparameter's value, a layer, a plan. In lowering, tensors carry their node. */
import { type Dim, showDim } from '../../../engine/dim/dim.ts';
import type { Graph } from '../../../engine/ir/graph.ts';
import type { Call } from '../../../engine/ir/program.ts';
import type { Value } from '../../../engine/ops/builder.ts';
import type { Place } from '../../../engine/ops/library/library.ts';
import type { Span } from '../text.ts';
import type { Callee } from './callee.ts';
import type { Target } from './records.ts';

export type Element = 'f32' | 'i32' | 'bool';

/** Where the size of an axis comes from. */
export interface Origin {
  readonly target: Target;
  /** The number stands there literally, so another can be put in its place. */
  readonly literal: boolean;
}

export interface TensorMeaning {
  readonly kind: 'tensor';
  readonly dtype: Element;
  /** `index(n)`: the values lie in 0 .. n-1. */
  readonly classes?: Dim;
  /** A rigid `...` is one opaque dimension of that name: nothing in a body can tell its parts apart. */
  readonly shape: readonly Dim[];
  /** By axis. */
  readonly origins?: readonly (Origin | undefined)[];
  /** The field of the data block that it is, in a train block, as long as nothing was done to it. */
  readonly field?: string;
  /** The field whose values it holds in another type: `1.0 * label`, `tokens % 1000` of whole numbers without a known range. */
  readonly converted?: string;
  /** Name of the function it came out of, for lints. */
  readonly via?: string;
  /** The pipeline stage that is `via`, with its `|>`: what to delete to be rid of it. */
  readonly stage?: Span;
  readonly node?: Value;
  /** Of a metric that is made of several means: those, and what makes the metric of them. */
  readonly parts?: { readonly means: Value; readonly finish: Graph; readonly classesOf?: string };
}

/** A number known when the program is compiled. `dim`: as a size (integers, rounded down); `real`: as a real, absent while symbolic. */
export interface NumberMeaning {
  readonly kind: 'number';
  readonly whole: boolean;
  readonly dim?: Dim;
  readonly real?: number;
  readonly origin?: Origin;
}

export interface LayerMeaning {
  readonly kind: 'layer';
  readonly callee: Callee;
  /** Arguments given so far, by parameter. */
  readonly given: ReadonlyMap<string, Meaning>;
  /** `fc1`, `net.fc1`: prefix of its weights' names. */
  readonly path: string;
  readonly state: LayerState;
}

/** What is learnt about a layer value while it is used; shared by all that hold it. */
export interface LayerState {
  applied: number;
  /** Shapes of its weights at the first application, as text. */
  weights?: string;
  /** Number of weights, where the sizes are numbers. */
  count?: number;
  input?: string;
  output?: string;
}

export type Meaning =
  | TensorMeaning
  | NumberMeaning
  | LayerMeaning
  | { readonly kind: 'bool'; readonly value?: boolean }
  | { readonly kind: 'string'; readonly value?: string }
  | { readonly kind: 'list'; readonly items: readonly Meaning[] }
  | { readonly kind: 'tuple'; readonly items: readonly Meaning[] }
  /** A call of an optimiser, schedule, source or stop rule. */
  | { readonly kind: 'plan'; readonly place: Place | 'stop'; readonly call: Call }
  /** The name of a metric: `validation.loss`. */
  | { readonly kind: 'monitor'; readonly name: string }
  /** Had an error, which has been reported; silences what follows from it. */
  | { readonly kind: 'error' };

export const failed: Meaning = { kind: 'error' };

export function isError(m: Meaning): boolean {
  return (
    m.kind === 'error' || (m.kind === 'tuple' && m.items.some(isError)) || (m.kind === 'list' && m.items.some(isError))
  );
}

export function tensorMeaning(dtype: Element, shape: readonly Dim[], classes?: Dim): TensorMeaning {
  return { kind: 'tensor', dtype, shape, ...(classes !== undefined && { classes }) };
}

export function wholeNumber(dim: Dim, origin?: Origin): NumberMeaning {
  return { kind: 'number', whole: true, dim, ...(typeof dim === 'number' && { real: dim }), ...(origin && { origin }) };
}

export function realNumber(real: number | undefined): NumberMeaning {
  return { kind: 'number', whole: false, ...(real !== undefined && { real, dim: Math.floor(real) }) };
}

export function showShape(shape: readonly Dim[]): string {
  return `[${shape.map(showDim).join(', ')}]`;
}

/** As the user writes the type: `[B, 784]`, `index(10)[B]`, `bool[T, T]`. */
export function showTensor({ dtype, classes, shape }: Pick<TensorMeaning, 'dtype' | 'classes' | 'shape'>): string {
  if (classes !== undefined) return `index(${showDim(classes)})${showShape(shape)}`;
  return `${dtype === 'f32' ? '' : dtype === 'i32' ? 'int' : 'bool'}${showShape(shape)}`;
}

/** The kind of a value for people: `[B, 10]`, `int`, `a layer`. */
export function showMeaning(m: Meaning): string {
  switch (m.kind) {
    case 'tensor':
      return showTensor(m);
    case 'number':
      return m.whole ? (m.dim === undefined ? 'int' : showDim(m.dim)) : m.real === undefined ? 'float' : String(m.real);
    case 'bool':
      return m.value === undefined ? 'bool' : String(m.value);
    case 'string':
      return m.value === undefined ? 'string' : JSON.stringify(m.value);
    case 'layer':
      return `layer ${m.callee.signature.name}`;
    case 'list':
      return `[${m.items.map(showMeaning).join(', ')}]`;
    case 'tuple':
      return `(${m.items.map(showMeaning).join(', ')})`;
    case 'plan':
      return `${m.place} ${m.call.name}`;
    case 'monitor':
      return m.name;
    case 'error':
      return '?';
  }
}

/** The kind alone, for "expected a tensor, found …". */
export function kindOf(m: Meaning): string {
  switch (m.kind) {
    case 'tensor':
      return `a tensor ${showTensor(m)}`;
    case 'number':
      return m.whole ? 'a whole number' : 'a number';
    case 'bool':
      return 'a bool';
    case 'string':
      return 'a string';
    case 'layer':
      return m.callee.weights ? 'a layer' : 'a function';
    case 'list':
      return 'a list';
    case 'tuple':
      return `${m.items.length} results`;
    case 'plan':
      return m.place === 'optimizer' ? 'an optimizer' : `a ${m.place}`;
    case 'monitor':
      return 'the name of a metric';
    case 'error':
      return 'an error';
  }
}

/** The field of the data block whose values it holds. */
export function fieldOf({ field, converted }: TensorMeaning): string | undefined {
  return field ?? converted;
}
