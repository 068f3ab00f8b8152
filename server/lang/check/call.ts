/** Calls: layer values, applications of library functions and of models, and plans (optimisers, schedules, sources). */
import { isConstant, substituteDim } from '../../../engine/dim/dim.ts';
import { substituteRequirement } from '../../../engine/dim/facts.ts';
import type { Call, CallArgument } from '../../../engine/ir/program.ts';
import type { Argument } from '../syntax/ast.ts';
import type { Span } from '../text.ts';
import { applyLibrary, inputText } from './applyLibrary.ts';
import { type Bound, fillDefaults, type Matched, matchArguments, missing, type Piped } from './arguments.ts';
import type { Callee, PlanPlace } from './callee.ts';
import { type Context, demand, localTarget, madeAt, noteSize, report } from './context.ts';
import {
  failed,
  isError,
  type LayerMeaning,
  type Meaning,
  showMeaning,
  type TensorMeaning,
  tensorMeaning,
  wholeNumber,
} from './meaning.ts';
import { ownName, type SignatureParameter, showOwn } from './signature.ts';
import { resultOf, type Unifier, unifier, unifyTensor } from './unify.ts';

/** The call `span` of a function or model; `calleeSpan` is where its name stands. */
export function callMeaning(
  context: Context,
  callee: Callee,
  args: readonly Argument[],
  piped: Piped | undefined,
  calleeSpan: Span,
): Meaning {
  const matched = matchArguments(context, callee, args, piped);
  if (piped && isError(piped.meaning)) matched.failed = true;
  fillDefaults(context, callee, matched, calleeSpan);
  const tensors = neededTensors(callee);
  if (tensors.length > 0 && tensors.every(p => !matched.bound.has(p.name))) {
    if (matched.failed) return failed;
    const given = new Map([...matched.bound].map(([name, { meaning }]) => [name, meaning]));
    return { kind: 'layer', callee, given, path: '', state: { applied: 0 } };
  }
  for (const p of tensors)
    if (!matched.bound.has(p.name) && !p.optional) missing(context, callee, p, matched, calleeSpan);
  unshared(context, callee, calleeSpan);
  return apply(context, callee, matched, anonymousPath(context, callee, calleeSpan), calleeSpan);
}

/** Application of a layer value. */
export function applyLayer(
  context: Context,
  layer: LayerMeaning,
  args: readonly Argument[],
  piped: Piped | undefined,
  span: Span,
): Meaning {
  const { callee, state } = layer;
  const matched = matchArguments(context, callee, args, piped, layer.given);
  if (piped && isError(piped.meaning)) matched.failed = true;
  // A layer that was named without a call, `act = leaky_relu`, has none of them yet.
  fillDefaults(context, callee, matched, span);
  for (const p of neededTensors(callee)) if (!matched.bound.has(p.name)) missing(context, callee, p, matched, span);
  state.applied++;
  const path = layer.path || anonymousPath(context, callee, span);
  const result = apply(context, callee, matched, path, span, layer);
  if (!isError(result) && state.output === undefined) {
    state.input = inputText(callee, matched);
    state.output = showMeaning(result);
  }
  return result;
}

function neededTensors({ signature }: Callee): readonly SignatureParameter[] {
  return signature.parameters.filter(p => p.type.kind === 'tensor' && !p.optional);
}

/** Applied without a name once more: its weights are not those of the first time. */
function unshared(context: Context, callee: Callee, span: Span): void {
  const { name } = callee.signature;
  const first = callee.model && context.anonymous?.get(name);
  if (callee.model && !first) context.anonymous?.set(name, span);
  if (!first) return;
  const related = [{ target: localTarget(first), role: 'first' as const, text: name }];
  report(context, 'unshared-weights', span, { model: name }, { related });
}

/** It has a name of its own in the program, for its weights or for what it learns from the data. */
function ownsWeights(callee: Callee): boolean {
  return callee.weights || callee.model !== undefined || callee.library?.fn.fitted === true;
}

/** `linear_1`; '' for what needs no name. */
function anonymousPath(context: Context, callee: Callee, span: Span): string {
  const { name } = callee.signature;
  return ownsWeights(callee) ? madeAt(context, context.naming.anonymous(name), name, span) : '';
}

function apply(
  context: Context,
  callee: Callee,
  matched: Matched,
  path: string,
  span: Span,
  layer?: LayerMeaning,
): Meaning {
  if (callee.plan) return matched.failed ? failed : plan(callee, matched, callee.plan);
  const u = unifier(callee.signature, callee.model?.uri);
  bindSizes(u, matched);
  const { requirements } = context.sheet;
  const demanded = requirements.length;
  // What is missing comes first; the shapes are looked at when the call is whole.
  if (matched.failed || !unifyAll(context, callee, matched, u)) {
    // A call that can't be demands nothing of the callers.
    requirements.length = demanded;
    return failed;
  }
  if (!requirementsHold(context, callee, u, span)) return failed;
  if (callee.model) return applyModel(context, callee, matched, u, path, span);
  // Which layer it is shows when the body is run for a call.
  if (!callee.library) return (!context.emission && resultOf(u, callee.signature.results![0]!)) || failed;
  return applyLibrary(context, callee, matched, u, path, span, layer);
}

/** Int parameters are sizes that patterns may speak of. */
function bindSizes(u: Unifier, matched: Matched): void {
  for (const [name, { meaning }] of matched.bound) {
    if (meaning.kind !== 'number' || meaning.dim === undefined) continue;
    u.bindings.set(ownName(name), meaning.dim);
    if (meaning.origin) u.origins.set(ownName(name), meaning.origin);
  }
}

function unifyAll(context: Context, callee: Callee, matched: Matched, u: Unifier): boolean {
  let fits = true;
  for (const parameter of callee.signature.parameters) {
    const bound = matched.bound.get(parameter.name);
    if (parameter.type.kind !== 'tensor' || bound === undefined || !fits) continue;
    const meaning = bound.meaning.kind === 'list' ? vectorOf(context, bound.meaning) : bound.meaning;
    if (meaning.kind !== 'tensor') continue;
    matched.bound.set(parameter.name, { ...bound, meaning });
    const { pattern } = parameter.type;
    const any = takesAnyElement(callee, parameter);
    // A rule of its own says which shapes go together.
    if (any && pattern.restAt === 0 && pattern.dims.length === 0 && pattern.classes === undefined)
      u.rest ??= meaning.shape;
    else fits = unifyTensor(context, u, parameter, pattern, meaning, bound.span, any);
  }
  for (const parameter of callee.signature.parameters) {
    const bound = matched.bound.get(parameter.name);
    if (fits && !matched.failed && parameter.type.kind === 'tensor' && bound?.meaning.kind === 'number') {
      fits = fillNumber(context, u, parameter, bound, matched);
    }
  }
  return fits;
}

/** Shape functions move whatever the elements are, transforms convert them. */
export function takesAnyElement(callee: Callee, parameter: SignatureParameter): boolean {
  const fn = callee.library?.fn;
  if (fn === undefined || parameter.type.kind !== 'tensor') return false;
  return fn.kind === 'transform' || ('type' in fn && fn.type !== undefined);
}

/** A list of numbers where a tensor is wanted is the vector of them: the weights of `cross_entropy(…, weights: [1, 4])`. */
function vectorOf(context: Context, { items }: Extract<Meaning, { kind: 'list' }>): TensorMeaning {
  const b = context.emission?.at('').b;
  const values = items.flatMap(i => (i.kind === 'number' && i.real !== undefined ? [i.real] : []));
  const node = b && values.length === items.length ? b.stack(values.map(v => b.constant(v))) : undefined;
  const vector = { ...tensorMeaning('f32', [items.length]), ...(node && { node }) };
  context.emission?.listener?.filled(vector, values);
  return vector;
}

/** A number where a tensor is wanted is a tensor full of it: the 1 of `bce(d(image), 1)`. */
function fillNumber(
  context: Context,
  u: Unifier,
  parameter: SignatureParameter,
  bound: Bound,
  matched: Matched,
): boolean {
  const pattern = parameter.type.kind === 'tensor' ? resultOf(u, parameter.type.pattern) : undefined;
  if (pattern === undefined || pattern.classes !== undefined || bound.meaning.kind !== 'number') {
    const data = { subject: parameter.name, callee: u.signature.name, expected: 'a tensor', found: 'a number' };
    report(context, 'type-mismatch', bound.span, data);
    return false;
  }
  const value = bound.meaning.real;
  const b = context.emission?.at('').b;
  const node = b && value !== undefined ? b.constant(value, { dtype: 'f32', shape: pattern.shape }) : undefined;
  const meaning = { ...pattern, ...(node && { node }) };
  if (value !== undefined) context.emission?.listener?.filled(meaning, value);
  matched.bound.set(parameter.name, { span: bound.span, meaning });
  return true;
}

function requirementsHold(context: Context, callee: Callee, u: Unifier, span: Span): boolean {
  const { requirements, name } = callee.signature;
  return requirements.every((r, i) => {
    const at = { requirement: requirements.length - i };
    const target = callee.model && { kind: 'global' as const, uri: callee.model.uri, name, ...at };
    const related = target ? [{ target, role: 'requirement' as const, text: name }] : [];
    return demand(context, substituteRequirement(r, u.bindings), span, name, related, showOwn(r));
  });
}

function applyModel(context: Context, callee: Callee, matched: Matched, u: Unifier, path: string, span: Span): Meaning {
  if (context.emission) {
    const values = new Map([...matched.bound].map(([name, { meaning }]) => [name, meaning]));
    for (const [name, dim] of u.bindings) if (!values.has(name.slice(1))) values.set(name.slice(1), wholeNumber(dim));
    if (u.rest) values.set('...', { kind: 'list', items: u.rest.map(d => wholeNumber(d)) });
    return context.rules.instantiate(context, callee, values, path, span);
  }
  const { results, sizes = [], name } = callee.signature;
  for (const [i, note] of sizes.entries()) {
    const within = { kind: 'global' as const, uri: callee.model!.uri, name, size: i };
    if (!noteSize(context, { ...note, size: substituteDim(note.size, u.bindings) }, span, { within })) return failed;
  }
  if (results === undefined) return failed;
  const meanings = results.map(r => resultOf(u, r) ?? failed).map(m => withDeclaredOrigins(callee, m));
  return meanings.length === 1 ? meanings[0]! : { kind: 'tuple', items: meanings };
}

/** Sizes that the model's header states come from there. */
function withDeclaredOrigins(callee: Callee, m: Meaning): Meaning {
  if (m.kind !== 'tensor' || !callee.model) return m;
  const target = { kind: 'global' as const, uri: callee.model.uri, name: callee.signature.name };
  return {
    ...m,
    origins: m.shape.map((d, i) => m.origins?.[i] ?? (isConstant(d) ? { target, literal: false } : undefined)),
  };
}

function plan(callee: Callee, matched: Matched, place: PlanPlace): Meaning {
  const args: Record<string, CallArgument> = {};
  for (const p of callee.signature.parameters) {
    const value = matched.bound.get(p.name)?.meaning;
    const plain = value && planArgument(value);
    if (plain !== undefined) args[p.name] = plain;
  }
  const call: Call = { name: callee.signature.name, args };
  return { kind: 'plan', place, call };
}

function planArgument(m: Meaning): CallArgument | undefined {
  if (m.kind === 'number') return m.real;
  if (m.kind === 'bool' || m.kind === 'string') return m.value;
  if (m.kind === 'plan') return m.call;
  if (m.kind === 'monitor') return m.name;
  if (m.kind === 'list') return m.items.flatMap(i => (i.kind === 'number' && i.real !== undefined ? [i.real] : []));
  return undefined;
}
