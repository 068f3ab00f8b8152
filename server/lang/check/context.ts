/** What every rule of the checker works with: names, places, assumptions, the sheet it writes on, and in lowering the graph it builds. */

import { type Dim, dimVar, freeVariables, isConstant, modDim, sameDim, showDim } from '../../../engine/dim/dim.ts';
import { decide, type Requirement, showRequirement } from '../../../engine/dim/facts.ts';
import type { Choice, Reading } from '../../../engine/ir/program.ts';
import type { Value } from '../../../engine/ops/builder.ts';
import type { Arguments, BuildContext } from '../../../engine/ops/library/function.ts';
import type { DeclareCarry } from '../../../engine/ops/scan.ts';
import type { SymbolKind, WeightsResult } from '../api.ts';
import type { FactCode, FactData } from '../facts.ts';
import type { AnyNode, Block, Expression, Name } from '../syntax/ast.ts';
import type { Span } from '../text.ts';
import type { Callee, CallPlace } from './callee.ts';
import type { Meaning, Origin, TensorMeaning } from './meaning.ts';
import type { FactRecord, LayerSite, Sheet, Target } from './records.ts';
import type { Binding, Naming, Scope } from './scope.ts';
import type { SizeNote } from './signature.ts';

/** A declaration seen from another. */
export type Global = { readonly target: Target } & (
  | { readonly kind: 'model'; readonly callee: Callee }
  | { readonly kind: 'const'; readonly meaning: Meaning }
  | { readonly kind: 'data' }
  | { readonly kind: 'train' }
  /** Exists, but is damaged: silent. `through`: it is being looked at from within itself, by way of these. */
  | { readonly kind: 'broken'; readonly through?: readonly string[] }
);

export interface Globals {
  lookup(name: string): Global | undefined;
  names(): readonly string[];
}

/** Builds graph nodes; with a layer's path it is the BuildContext of the library's macros. */
export interface Emission {
  readonly training: boolean;
  /** By path, in order of the first use; functions without weights have one path for all of a model's calls. */
  readonly layers: Map<string, LayerSite[]>;
  at(path: string): BuildContext;
  /**
   * What `make` builds as one turn of a loop, which is built once and repeated. Running statistics that it changes are handed from turn to turn:
   * `declare` makes a carry of each. Undefined, with all of it taken back, if `make` learnt from the data or compared something.
   */
  turn<T>(declare: DeclareCarry, make: () => T): LoopTurn<T> | undefined;
  /** Hears what is built, in order. */
  readonly listener?: EmissionListener;
  /** A loss was built of what the model says and what it should say. */
  compared(reading: Reading, said: TensorMeaning, target: TensorMeaning): void;
}

export interface LoopTurn<T> {
  readonly made: T;
  /** The declared carries after the turn. */
  readonly carries: readonly Value[];
  /** Tells what they are after the last turn. */
  left(last: readonly Value[]): void;
}

/** Hears what a program is made of while it is lowered: for those who write it down in another language. */
export interface EmissionListener {
  /** A library function was built; `path` names the layer, '' where it has no weights. `args` are those of the macro. */
  called(fn: string, path: string, args: Arguments, tensors: ReadonlyMap<string, TensorMeaning>, result: Meaning): void;
  /** An expression or a name that is bound was given its meaning. */
  met(node: AnyNode, meaning: Meaning): void;
  /** A number, or a list of them, became a tensor. */
  filled(tensor: TensorMeaning, value: number | readonly number[]): void;
  entered(model: string, path: string, values: ReadonlyMap<string, Meaning>): void;
  left(result: Meaning): void;
  /** A loss compared what the model says with `target`. */
  compared(said: TensorMeaning, target: TensorMeaning): void;
}

export interface Context {
  readonly globals: Globals;
  readonly uri: string;
  /** Name of the declaration that is walked. */
  readonly declaration: string;
  readonly sheet: Sheet;
  readonly scope: Scope;
  readonly naming: Naming;
  /** Where library names are looked up, first to last. */
  readonly places: readonly CallPlace[];
  /** Requirements that may be taken for granted. */
  readonly assumed: readonly Requirement[];
  /** In a model body, what can't be decided becomes a requirement of the model; elsewhere it is an error. */
  readonly rigid: boolean;
  /** Shapes speak of one sample while nodes hold a batch: the fields of data blocks. */
  readonly perSample: boolean;
  /** Within `augment`, where nothing can be learnt from the data any more. */
  readonly augmenting?: true;
  /** Something that brings names is missing (a data file), so unknown values stay silent. */
  readonly lenient?: boolean;
  /** False where the data of a train block has no validation split. */
  readonly validation?: boolean;
  /** The variable `B` stands for the batch: in train blocks, and in models whose inputs begin with it. */
  readonly batchFirst?: true;
  /** Of the data of a train block, where they are known: training samples, and how many make a batch. */
  readonly batches?: { readonly samples: number; readonly batch: number };
  /** The names and shapes in what `init … from` names; undefined where the host knows no runs. */
  readonly readWeights?: (from: string) => WeightsResult | undefined;
  /** In lowering: the hyperparameters of one run of a sweep. */
  readonly choice?: Choice;
  /** Models applied without a name so far, where doing it twice is likely a mistake. */
  readonly anonymous?: Map<string, Span>;
  /** What is left of the turns of loops and the bodies of models that one check or lowering may run. */
  readonly budget: { turns: number };
  /** End of the region where names bound now are visible. */
  readonly end: number;
  readonly emission?: Emission;
  readonly rules: Rules;
}

/** Rules that call each other across files. */
export interface Rules {
  evaluate(context: Context, expression: Expression): Meaning;
  block(context: Context, block: Block): Meaning | undefined;
  /** In lowering: runs the body of a model with the given parameters. */
  instantiate(context: Context, callee: Callee, scope: ReadonlyMap<string, Meaning>, path: string, span: Span): Meaning;
}

export type RelatedRecord = FactRecord['related'][number];

/** The batch dimension of every field of a train block. */
export const batchVariable = 'B';

/** Enough for any net, and little enough that no program stalls the editor. */
export const maxTurns = 10_000;
/** A check needs another turn of a loop only where a shape changes from turn to turn. */
export const maxCheckedTurns = 500;

/** Takes one turn of the budget; false, and reported at `span`, when there is none left. */
export function takeTurn(context: Context, span: Span): boolean {
  if (context.budget.turns-- > 0) return true;
  report(context, 'limit-exceeded', span, { what: 'unrolling', limit: maxTurns });
  return false;
}

/** Notes a fact, unless the same was said of that span: one mistake, one diagnostic. */
export function report<C extends FactCode>(
  context: Context,
  code: C,
  span: Span,
  data: FactData[C],
  more: { readonly related?: readonly RelatedRecord[]; readonly fix?: FactRecord['fix'] } = {},
): void {
  const { facts } = context.sheet;
  if (facts.some(f => f.code === code && f.span.start === span.start && f.span.end === span.end)) return;
  const { start, end } = span;
  facts.push({ code, span: { start, end }, data, related: more.related ?? [], ...(more.fix && { fix: more.fix }) });
}

/** Remembers what a node means; the first turn of a loop counts. */
export function record(context: Context, node: AnyNode, meaning: Meaning): Meaning {
  if (!context.sheet.types.has(node)) context.sheet.types.set(node, meaning);
  context.emission?.listener?.met(node, meaning);
  return meaning;
}

/** In lowering: the layer of that path is made, or a function without weights applied, by what stands at `span`. */
export function madeAt(
  { emission, uri, declaration }: Context,
  path: string,
  kind: string,
  { start, end }: Span,
): string {
  const sites = emission?.layers.get(path) ?? [];
  if (!sites.some(s => s.span.start === start)) sites.push({ uri, declaration, span: { start, end }, kind });
  emission?.layers.set(path, sites);
  return path;
}

export function localTarget({ start, end }: Span): Target {
  return { kind: 'local', span: { start, end } };
}

export function refer(
  context: Context,
  span: Span,
  name: string,
  kind: SymbolKind,
  target: Target | undefined,
  definition = false,
): void {
  const { references } = context.sheet;
  if (references.some(r => r.span.start === span.start && r.span.end === span.end)) return;
  references.push({ span: { start: span.start, end: span.end }, name, kind, definition, ...(target && { target }) });
}

/** Brings a name into scope from here to the end of the region. */
export function bindName(context: Context, name: Name, kind: SymbolKind, meaning: Meaning, outward = false): Binding {
  const { start, end } = name;
  const target = localTarget(name);
  const binding: Binding = { name: name.name, kind, meaning, span: { start, end }, target, used: false };
  if (name.name === '') return binding;
  if (outward) context.scope.assign(binding);
  else context.scope.define(binding);
  refer(context, name, name.name, kind, target, true);
  record(context, name, meaning);
  const { bindings } = context.sheet;
  if (!bindings.some(b => b.span.start === start)) {
    bindings.push({ name: name.name, kind, meaning, span: binding.span, from: end, to: context.end });
  }
  return binding;
}

/** Holds, is an error here, or floats to the callers of this model. `callee`: who demands it; `text`: in what words. */
export function demand(
  context: Context,
  requirement: Requirement,
  span: Span,
  callee: string,
  related: readonly RelatedRecord[] = [],
  text = showRequirement(requirement),
): boolean {
  const known = [...context.assumed, ...context.sheet.requirements.map(r => r.requirement)];
  const verdict = decide(requirement, known);
  if (verdict === 'holds') return true;
  if (verdict === 'unknown' && context.rigid) {
    context.sheet.requirements.push({ requirement, span: { start: span.start, end: span.end } });
    return true;
  }
  const { kind, left, right } = requirement;
  const remainder = kind === 'divides' && right !== 0 ? modDim(left, right) : undefined;
  report(
    context,
    'requirement-failed',
    span,
    {
      callee,
      requirement: text,
      left: showDim(left),
      right: showDim(right),
      kind,
      ...(remainder !== undefined && isConstant(remainder) && { remainder: String(remainder) }),
    },
    { related },
  );
  return false;
}

interface NotedAt {
  /** The place in a model that wants it. */
  readonly within?: Target;
  /** Shape of the argument at the span, and whether it is piped into what stands there. */
  readonly found?: readonly Dim[];
  readonly piped?: boolean;
}

/**
 * Notes what is wanted of a size that the callers may bring; the same once. False, and reported at `span`, if it is the batch, whose size
 * differs from step to step.
 */
export function noteSize(
  context: Context,
  note: SizeNote,
  span: Span,
  { within, found = [], piped = false }: NotedAt = {},
): boolean {
  const { size, callee, wants, axis } = note;
  if (isConstant(size)) return true;
  if (wants === 'known' && context.batchFirst && freeVariables(size).has(batchVariable)) {
    const at = found.findIndex(d => sameDim(d, dimVar(batchVariable)));
    const related = within ? [{ target: within, role: 'requirement' as const, text: axis ?? '' }] : [];
    const data = { callee, axis: axis ?? '', size: showDim(size), ...(at > 0 && { at }), piped };
    report(context, 'batch-axis', span, data, { related });
    return false;
  }
  const { sizes } = context.sheet;
  if (sizes.some(s => sameDim(s.size, size) && s.callee === callee && s.wants === wants && s.axis === axis))
    return true;
  sizes.push({ ...note, span: { start: span.start, end: span.end }, ...(within && { within }) });
  return true;
}

/** "This is declared here": where the name that stands at `span` comes from. */
export function declaredRelated(context: Context, span: Span): readonly RelatedRecord[] {
  const use = context.sheet.references.find(r => r.span.start === span.start && r.span.end === span.end);
  return use?.target === undefined || use.definition
    ? []
    : [{ target: use.target, role: 'declaration', text: use.name }];
}

/** "This size comes from here." */
export function sizeRelated(origin: Origin | undefined, text: string): readonly RelatedRecord[] {
  return origin === undefined ? [] : [{ target: origin.target, role: 'size', text }];
}
