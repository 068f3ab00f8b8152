/** Calls: layer values, applications of library functions and of models, and plans (optimisers, schedules, sources). */
import { type Dim, isConstant } from '../../../engine/dim/dim.ts';
import { substituteRequirement } from '../../../engine/dim/facts.ts';
import type { Call, CallArgument } from '../../../engine/ir/program.ts';
import { GraphBuilder, isValue, type Value } from '../../../engine/ops/builder.ts';
import { fittedType } from '../../../engine/ops/library/fitted.ts';
import type {
  Argument as BuildArgument,
  BuildContext,
  MetricFunction,
  ResultType,
  TensorFunction,
  TransformFunction,
  TypeArguments,
} from '../../../engine/ops/library/function.ts';
import { ShapeError } from '../../../engine/ops/shapeError.ts';
import type { Argument } from '../syntax/ast.ts';
import type { Span } from '../text.ts';
import { type Bound, fillDefaults, type Matched, matchArguments, missing, type Piped } from './arguments.ts';
import type { Callee, PlanPlace } from './callee.ts';
import { type Context, declaredRelated, demand, localTarget, report } from './context.ts';
import {
  failed,
  isError,
  type LayerMeaning,
  type Meaning,
  showMeaning,
  showShape,
  type TensorMeaning,
  tensorMeaning,
  wholeNumber,
} from './meaning.ts';
import { elementCount } from './operators.ts';
import { ownName, type SignatureParameter } from './signature.ts';
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
  for (const p of tensors) if (!matched.bound.has(p.name)) missing(context, callee, p, matched, calleeSpan);
  unshared(context, callee, calleeSpan);
  const path = ownsWeights(callee) ? context.naming.anonymous(callee.signature.name) : '';
  return apply(context, callee, matched, path, calleeSpan);
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
  for (const p of neededTensors(callee)) if (!matched.bound.has(p.name)) missing(context, callee, p, matched, span);
  state.applied++;
  const path = layer.path || (ownsWeights(callee) ? context.naming.anonymous(callee.signature.name) : '');
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

function inputText(callee: Callee, matched: Matched): string {
  const tensors = callee.signature.parameters.filter(p => p.type.kind === 'tensor' && matched.bound.has(p.name));
  return tensors.map(p => showMeaning(matched.bound.get(p.name)!.meaning)).join(', ');
}

/** It has a name of its own in the program, for its weights or for what it learns from the data. */
function ownsWeights(callee: Callee): boolean {
  return callee.weights || callee.model !== undefined || callee.library?.fn.fitted === true;
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
  if (!unifyAll(context, callee, matched, u) || matched.failed) return failed;
  if (!requirementsHold(context, callee, u, span)) return failed;
  if (callee.model) return applyModel(context, callee, matched, u, path, span);
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
  return { ...tensorMeaning('f32', [items.length]), ...(node && { node }) };
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
  matched.bound.set(parameter.name, { span: bound.span, meaning: { ...pattern, ...(node && { node }) } });
  return true;
}

function requirementsHold(context: Context, callee: Callee, u: Unifier, span: Span): boolean {
  const { requirements, name } = callee.signature;
  return requirements.every((r, i) => {
    const at = { requirement: requirements.length - i };
    const target = callee.model && { kind: 'global' as const, uri: callee.model.uri, name, ...at };
    const related = target ? [{ target, role: 'requirement' as const, text: name }] : [];
    return demand(context, substituteRequirement(r, u.bindings), span, name, related);
  });
}

function applyModel(context: Context, callee: Callee, matched: Matched, u: Unifier, path: string, span: Span): Meaning {
  if (context.emission) {
    const values = new Map([...matched.bound].map(([name, { meaning }]) => [name, meaning]));
    for (const [name, dim] of u.bindings) if (!values.has(name.slice(1))) values.set(name.slice(1), wholeNumber(dim));
    if (u.rest) values.set('...', { kind: 'list', items: u.rest.map(d => wholeNumber(d)) });
    return context.rules.instantiate(context, callee, values, path, span);
  }
  const { results } = callee.signature;
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

type Macro = TensorFunction | MetricFunction | TransformFunction;

function applyLibrary(
  context: Context,
  callee: Callee,
  matched: Matched,
  u: Unifier,
  path: string,
  span: Span,
  layer: LayerMeaning | undefined,
): Meaning {
  const fn = callee.library!.fn as Macro;
  const results = libraryResults(context, callee, fn, matched, u, span)?.map(r => ({ ...r, via: fn.name }));
  if (!results?.every(r => hasRoom(context, r, fn.name, span))) return failed;
  if (fn.name === 'cross_entropy') softmaxTwice(context, matched.bound.get('logits'), fn.name);
  const args = buildArguments(matched, u);
  if (!context.emission) {
    const weights = tryBuild(context, fn, matched, args, span);
    return weights && layer && !sameWeights(context, layer, weights, callee, matched, span)
      ? failed
      : together(results);
  }
  try {
    const build = context.emission.at(path);
    const label = path || context.naming.prefix + fn.name;
    const built = build.b.scoped(label, () => fn.build(build, args));
    const nodes = isValue(built) ? [built] : built;
    if (fn.kind === 'metric' && fn.finish) return { ...results[0]!, ...finished(build, fn.finish, nodes[0]!, args) };
    return together(results.map((r, i) => ({ ...r, node: nodes[i]! })));
  } catch (error) {
    reportShapeError(context, error, span, fn.name);
    return failed;
  }
}

function together(results: readonly TensorMeaning[]): Meaning {
  return results.length === 1 ? results[0]! : { kind: 'tuple', items: results };
}

/** The metric of one batch, and how that of many batches comes from their means. */
function finished(
  { b }: BuildContext,
  finish: NonNullable<MetricFunction['finish']>,
  means: Value,
  args: Record<string, BuildArgument>,
): Pick<TensorMeaning, 'node' | 'parts'> {
  const alone = new GraphBuilder();
  const input = alone.input('means', means.type);
  const value = finish(alone, input, args);
  if (value === input) return { node: means };
  const node = finish(b, means, args);
  return { node, parts: { means, finish: alone.finish('finish', [{ name: 'value', value }]) } };
}

/** A kernel that is larger than its image leaves nothing; reported at `span`. */
function hasRoom(context: Context, { shape }: TensorMeaning, callee: string, span: Span): boolean {
  if (!shape.some(d => isConstant(d) && d < 1)) return true;
  const data = { subject: callee, expected: 'a result whose sizes are at least 1', found: showShape(shape) };
  report(context, 'value-out-of-range', span, data, { related: declaredRelated(context, span) });
  return false;
}

/** cross_entropy applies softmax itself. */
function softmaxTwice(context: Context, logits: Bound | undefined, callee: string): void {
  if (logits?.meaning.kind !== 'tensor' || !logits.meaning.via?.endsWith('softmax')) return;
  const { stage } = logits.meaning;
  const fix = stage && [{ span: stage, text: '' }];
  report(context, 'softmax-before-cross-entropy', logits.span, { callee }, fix ? { fix } : {});
}

/** By the function's own rule where it has one, else by its signature. */
function libraryResults(
  context: Context,
  callee: Callee,
  fn: Macro,
  matched: Matched,
  u: Unifier,
  span: Span,
): readonly TensorMeaning[] | undefined {
  if (!('type' in fn) || fn.type === undefined) {
    const found = callee.signature.results?.map(result => resultOf(u, result)) ?? [];
    return found.length > 0 && found.every(r => r !== undefined) ? found : undefined;
  }
  try {
    const known = typeArguments(matched, u);
    const type: ResultType = fn.type(known);
    const required = 'requires' in fn ? (fn.requires?.(known) ?? []) : [];
    if (!required.every(r => demand(context, r, span, fn.name))) return undefined;
    const first = [...matched.bound.values()].find(b => b.meaning.kind === 'tensor')?.meaning;
    const [pattern] = callee.signature.results ?? [];
    const inherited = type.dtype === 'i32' && pattern?.dtype !== 'i32' && first?.kind === 'tensor';
    const classes = type.classes ?? (inherited ? first.classes : undefined);
    const dtype = type.dtype === 'i32' || type.dtype === 'bool' ? type.dtype : 'f32';
    return [{ kind: 'tensor', dtype, shape: type.shape, ...(classes !== undefined && { classes }) }];
  } catch (error) {
    reportShapeError(context, error, span, fn.name);
    return undefined;
  }
}

function typeArguments(matched: Matched, u: Unifier): TypeArguments {
  const types: Record<string, ResultType | Dim | readonly Dim[] | boolean | string> = {};
  for (const [name, { meaning }] of matched.bound) {
    const value = meaning.kind === 'tensor' ? typeOf(meaning) : plainValue(meaning);
    if (value !== undefined) types[name] = value;
  }
  for (const [name, dim] of u.bindings) types[name.slice(1)] ??= dim;
  return types;
}

function typeOf({ dtype, shape, classes }: TensorMeaning): ResultType {
  return { dtype, shape, ...(classes !== undefined && { classes }) };
}

/** `override`: nodes in place of those in the arguments, for trial builds. */
function buildArguments(
  matched: Matched,
  u: Unifier,
  override?: (m: TensorMeaning) => Value,
): Record<string, BuildArgument> {
  const args: Record<string, BuildArgument> = {};
  for (const [name, { meaning }] of matched.bound) {
    args[name] = meaning.kind === 'tensor' ? (override?.(meaning) ?? meaning.node) : plainValue(meaning);
    if (meaning.kind === 'tensor' && meaning.classes !== undefined) args[`${name}.classes`] = meaning.classes;
  }
  for (const [name, dim] of u.bindings) args[name.slice(1)] ??= dim;
  return args;
}

function plainValue(m: Meaning): Dim | readonly Dim[] | boolean | string | undefined {
  switch (m.kind) {
    case 'number':
      return m.whole ? m.dim : m.real;
    case 'bool':
    case 'string':
      return m.value;
    case 'list':
      return m.items.map(i => (i.kind === 'number' ? ((i.whole ? i.dim : i.real) ?? 0) : 0));
    default:
      return undefined;
  }
}

interface Weight {
  readonly name: string;
  readonly shape: readonly Dim[];
}

/** Builds into a graph that is thrown away: finds the weights, and hyperparameters out of range. Undefined where sizes are not known yet. */
function tryBuild(
  context: Context,
  fn: Macro,
  matched: Matched,
  args: Record<string, BuildArgument>,
  span: Span,
): readonly Weight[] | undefined {
  const b = new GraphBuilder();
  const weights: Weight[] = [];
  const fits: string[] = [];
  const trial = { ...args };
  let input = 0;
  for (const [name, { meaning }] of matched.bound) {
    if (meaning.kind === 'tensor')
      trial[name] = b.input(`${input++}`, { dtype: meaning.dtype, shape: batched(context, meaning.shape) });
  }
  try {
    fn.build(trialContext(b, weights, fits), trial);
    if (fits.length > 0) learntInPlace(context, fn, matched, span);
    return weights;
  } catch (error) {
    if (error instanceof ShapeError && error.code === 'bad-attribute' && isNumber(error.problem.found)) {
      reportShapeError(context, error, span, fn.name);
    }
    return undefined;
  }
}

/** Numbers are learnt from the data before there are steps: not in `augment`, and in a train block from its fields as they are. */
function learntInPlace(context: Context, fn: Macro, matched: Matched, span: Span): void {
  if (context.augmenting) report(context, 'misplaced-transform', span, { name: fn.name, where: 'augment' });
  if (context.perSample) return;
  for (const [subject, { meaning, span: at }] of matched.bound) {
    if (meaning.kind !== 'tensor' || meaning.field !== undefined) continue;
    const expected = 'a field of the data block';
    const data = { subject, callee: fn.name, expected, found: showMeaning(meaning) };
    report(context, 'type-mismatch', at, data, { related: declaredRelated(context, at) });
  }
}

/** A refused hyperparameter; a size that is not known yet reads `4 * D`. */
function isNumber(text: string): boolean {
  return text !== '' && Number.isFinite(Number(text));
}

function batched(context: Context, shape: readonly Dim[]): readonly Dim[] {
  return context.perSample ? [1, ...shape] : shape;
}

function trialContext(b: GraphBuilder, weights: Weight[], fits: string[]): BuildContext {
  return {
    b,
    training: true,
    parameter: (name, shape) => {
      weights.push({ name, shape });
      return b.state(name, { dtype: 'f32', shape });
    },
    statistic: (name, shape) => ({ value: b.state(name, { dtype: 'f32', shape }), update: () => undefined }),
    fitted: (name, statistic, values) => {
      fits.push(name);
      return b.input(name, fittedType(statistic, values));
    },
    stream: () => 0,
    uniform: shape => b.constant(0, { dtype: 'f32', shape }),
  };
}

/** A layer value has one set of weights, so every application must need the same. */
function sameWeights(
  context: Context,
  layer: LayerMeaning,
  weights: readonly Weight[],
  callee: Callee,
  matched: Matched,
  span: Span,
): boolean {
  const { state } = layer;
  const text = weights.map(w => `${w.name}${showShape(w.shape)}`).join(' ');
  if (state.weights === undefined) {
    state.weights = text;
    const counts = weights.map(w => elementCount(w.shape));
    if (counts.every(c => c !== undefined)) state.count = counts.reduce((sum, c) => sum + c, 0);
    return true;
  }
  if (state.weights === text) return true;
  const data = {
    layer: layer.path || callee.signature.name,
    expected: state.input ?? '',
    found: inputText(callee, matched),
  };
  report(context, 'layer-reuse', span, data, { related: declaredRelated(context, span) });
  return false;
}

/** A type rule of the engine refused; anything else it throws means that a value is not known yet. */
function reportShapeError(context: Context, error: unknown, span: Span, callee: string): void {
  if (!(error instanceof ShapeError)) {
    report(context, 'not-constant', span, { subject: callee });
    return;
  }
  const { code, expected, found, axis } = error.problem;
  if (code === 'bad-attribute' || code === 'axis-out-of-range') {
    report(context, 'value-out-of-range', span, { subject: callee, expected, found });
  } else if (code === 'dtype-mismatch') {
    report(context, 'type-mismatch', span, { subject: 'x', callee, expected, found });
  } else {
    report(context, 'shape-mismatch', span, {
      role: 'argument',
      subject: 'x',
      callee,
      expected,
      found,
      ...(axis !== undefined && { axis }),
    });
  }
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
