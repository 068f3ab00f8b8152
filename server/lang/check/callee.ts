/** What can be called: a function of the library or a model of the program, with its signature in one form. */
import type { LibraryFunction } from '../../../engine/ops/library/function.ts';
import { findFunction, library, type Place } from '../../../engine/ops/library/library.ts';
import type { ModelDeclaration } from '../syntax/ast.ts';
import { parseSignature } from '../syntax/parse.ts';
import { compileSignature, type Signature } from './signature.ts';

export type PlanPlace = 'optimizer' | 'schedule' | 'source' | 'stop';
/** Where names of functions are looked up: the library's places, and the rules that end a run. */
export type CallPlace = Place | 'stop';

export interface Callee {
  readonly signature: Signature;
  readonly doc: string;
  /** It owns weights, or may. */
  readonly weights: boolean;
  /** A call is not computed but handed to the engine. */
  readonly plan?: PlanPlace;
  readonly library?: { readonly place: Place; readonly fn: LibraryFunction };
  readonly model?: { readonly uri: string; readonly node: ModelDeclaration };
}

const early = 'early(patience: int = 5, monitor: metric = validation.loss, min_delta: float = 0) -> stop';

const stopRules: Readonly<Record<string, Callee>> = {
  early: {
    signature: compileSignature(parseSignature(early), { label: early }),
    doc: 'Ends the run when `monitor` has not got better by more than `min_delta` for `patience` epochs in a row; the best weights are kept.',
    weights: false,
    plan: 'stop',
  },
};

const compiled = new Map<LibraryFunction, Callee>();

/** The library's function of that name at that place; its signature is parsed once. */
export function libraryCallee(name: string, place: CallPlace): Callee | undefined {
  if (place === 'stop') return Object.hasOwn(stopRules, name) ? stopRules[name] : undefined;
  const fn = findFunction(name, place);
  if (fn === undefined) return undefined;
  const known = compiled.get(fn);
  if (known) return known;
  const signature = compileSignature(parseSignature(fn.signature), { label: fn.signature });
  const planned = place === 'optimizer' || place === 'schedule' || place === 'source';
  const callee: Callee = {
    signature,
    doc: fn.doc,
    weights: fn.kind === 'layer',
    library: { place, fn },
    ...(planned && { plan: place }),
  };
  compiled.set(fn, callee);
  return callee;
}

/** Names that can be called at these places. */
export function libraryNames(places: readonly CallPlace[]): readonly string[] {
  return places.flatMap(place => Object.keys(place === 'stop' ? stopRules : library[place]));
}
