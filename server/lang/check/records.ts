/** What checking a declaration leaves behind for the editor: types, uses of names, calls, bindings, and facts with places that survive edits elsewhere. */
import type { Dim } from '../../../engine/dim/dim.ts';
import type { Requirement } from '../../../engine/dim/facts.ts';
import type { SymbolKind } from '../api.ts';
import type { FactCode, FactData, Related } from '../facts.ts';
import type { AnyNode, CallExpression } from '../syntax/ast.ts';
import type { Span, TextEdit } from '../text.ts';
import type { Callee } from './callee.ts';
import type { Meaning } from './meaning.ts';
import type { SizeNote } from './signature.ts';

/**
 * A place. Local ones are relative to the chunk of the declaration that was checked; places in other declarations are named,
 * since those move without this one being checked again.
 */
export type Target =
  | { readonly kind: 'local'; readonly span: Span }
  | {
      readonly kind: 'global';
      readonly uri: string;
      readonly name: string;
      readonly parameter?: string;
      /** What its body demands, counted from the last, 1. */
      readonly requirement?: number;
      /** What its body wants of a size, counted from 0. */
      readonly size?: number;
    };

export interface FactRecord<C extends FactCode = FactCode> {
  readonly code: C;
  readonly span: Span;
  readonly data: FactData[C];
  readonly related: readonly { readonly target: Target; readonly role: Related['role']; readonly text: string }[];
  readonly fix?: readonly TextEdit[];
}

/** A use of a name, or its definition. */
export interface Reference {
  readonly span: Span;
  readonly name: string;
  readonly kind: SymbolKind;
  readonly definition: boolean;
  /** Absent for what is built in. */
  readonly target?: Target;
}

/** A name that is visible from `from` to `to`. */
export interface BindingRecord {
  readonly name: string;
  readonly kind: SymbolKind;
  readonly meaning: Meaning;
  readonly span: Span;
  readonly from: number;
  readonly to: number;
}

export interface CallRecord {
  readonly node: CallExpression;
  readonly callee: Callee;
  /** Set when the first tensor comes through the pipe. */
  readonly piped: boolean;
}

/** What a layer is known by: the place that names it or, without a name, calls it. Loops and models used twice make several of one place. */
export interface LayerSite {
  readonly uri: string;
  /** Name of the model or train block; the span is relative to its chunk. */
  readonly declaration: string;
  readonly span: Span;
  /** The function or model, `repeat`, `scan`. */
  readonly kind: string;
}

/** The result of a binding or a stage, shown behind it. */
export interface ShapeRecord {
  readonly at: number;
  readonly meaning: Meaning;
}

export interface Sheet {
  readonly facts: FactRecord[];
  readonly types: Map<AnyNode, Meaning>;
  readonly references: Reference[];
  readonly bindings: BindingRecord[];
  readonly calls: CallRecord[];
  readonly shapes: ShapeRecord[];
  /** Axes that a string names, each at its place in it. */
  readonly axes: { readonly span: Span; readonly name: string; readonly sizes: readonly Dim[] }[];
  /** What flows into the stage at a pipe operator. */
  readonly flows: { readonly span: Span; readonly meaning: Meaning }[];
  /** Names of parameters before positional hyperparameters. */
  readonly hints: { readonly at: number; readonly name: string }[];
  readonly requirements: { readonly requirement: Requirement; readonly span: Span }[];
  readonly sizes: (SizeNote & { readonly span: Span; readonly within?: Target })[];
}

export function emptySheet(): Sheet {
  return {
    facts: [],
    types: new Map(),
    references: [],
    bindings: [],
    calls: [],
    shapes: [],
    axes: [],
    flows: [],
    hints: [],
    requirements: [],
    sizes: [],
  };
}
