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

/** What a parameter `act: layer` is within the body: any layer that keeps the shape. */
export function anyLayer(name: string): Callee {
  const label = `${name}(x: [...]) -> [...]`;
  return { signature: compileSignature(parseSignature(label), { label }), doc: '', weights: false };
}

/**
 * It takes one tensor, lacks nothing else that was not `given`, and gives a tensor like it: it can stand for any other such layer. Functions
 * with a rule of their own say with it what the signature leaves open, so they are none.
 */
export function keepsShape({ signature, library }: Callee, given: ReadonlyMap<string, unknown> = new Map()): boolean {
  const { parameters, results = [] } = signature;
  const lacking = parameters.filter(p => !p.optional && p.fallback === undefined && !given.has(p.name));
  const first = parameters.find(p => p.type.kind === 'tensor');
  const [result] = results;
  if (first?.type.kind !== 'tensor' || result === undefined || results.length > 1 || lacking.length > 1) return false;
  if (library && 'type' in library.fn && library.fn.type) return false;
  const { via: _, ...plain } = result;
  return JSON.stringify(plain) === JSON.stringify(first.type.pattern);
}

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
