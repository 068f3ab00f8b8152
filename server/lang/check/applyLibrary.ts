/** Applying a library function: result types by its signature or its own rule, requirements, trial of its weights, building. */
import { type Dim, isConstant } from '../../../engine/dim/dim.ts';
import type { Reading } from '../../../engine/ir/program.ts';
import { GraphBuilder, isValue, type Value } from '../../../engine/ops/builder.ts';
import { fittedType } from '../../../engine/ops/library/fitted.ts';
import type {
  Argument as BuildArgument,
  BuildContext,
  MetricFunction,
  PatternAxis,
  ResultType,
  TensorFunction,
  TransformFunction,
  TypeArguments,
} from '../../../engine/ops/library/function.ts';
import { ShapeError } from '../../../engine/ops/shapeError.ts';
import { closest } from '../names.ts';
import type { Span } from '../text.ts';
import type { Bound, Matched } from './arguments.ts';
import type { Callee } from './callee.ts';
import { type Context, declaredRelated, demand, madeAt, noteSize, report } from './context.ts';
import { failed, type LayerMeaning, type Meaning, showMeaning, showShape, type TensorMeaning } from './meaning.ts';
import { elementCount } from './operators.ts';
import { ownName, type TensorPattern } from './signature.ts';
import { resultOf, type Unifier } from './unify.ts';

type Macro = TensorFunction | MetricFunction | TransformFunction;

/** What a library function gives for arguments that fit; in lowering it is built, else its weights are tried. */
export function applyLibrary(
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
    if (!sizesFit(context, fn, matched, u, span)) return failed;
    const weights = tryBuild(context, fn, matched, args, span);
    return weights && layer && !sameWeights(context, layer, weights, callee, matched, span)
      ? failed
      : together(results);
  }
  try {
    const build = context.emission.at(path);
    const label = path || madeAt(context, context.naming.prefix + fn.name, fn.name, span);
    const built = build.b.scoped(label, () => fn.build(build, args));
    const nodes = isValue(built) ? [built] : built;
    if (fn.kind === 'loss') compared(context, fn.reads?.(args) ?? 'value', matched);
    if (fn.kind === 'metric' && fn.finish)
      return { ...results[0]!, ...finished(build, fn, fn.finish, nodes[0]!, args, matched) };
    const result = together(results.map((r, i) => ({ ...r, node: nodes[i]! })));
    context.emission.listener?.called(fn.name, path, args, tensorsOf(matched), result);
    return result;
  } catch (error) {
    reportShapeError(context, error, span, fn.name);
    return failed;
  }
}

/** What the function wants of sizes that may be the batch's. */
function sizesFit(context: Context, fn: Macro, matched: Matched, u: Unifier, span: Span): boolean {
  if (!('spread' in fn || 'fixed' in fn)) return true;
  const size = fn.spread?.(typeArguments(matched, u));
  if (size !== undefined) noteSize(context, { wants: 'several', size, callee: fn.name }, span);
  const input = [...matched.bound.values()].find(b => b.meaning.kind === 'tensor');
  const found = input?.meaning.kind === 'tensor' ? input.meaning.shape : [];
  return (fn.fixed ?? []).every(axis => {
    const dim = u.bindings.get(ownName(axis));
    const note = dim !== undefined && ({ wants: 'known', size: dim, callee: fn.name, axis } as const);
    return !note || noteSize(context, note, input?.span ?? span, { found, piped: input?.span.start === span.start });
  });
}

/** A loss takes what the model says first, and a `target`. */
function compared(context: Context, reading: Reading, { bound }: Matched): void {
  const [said] = [...bound.values()];
  const target = bound.get('target');
  if (said?.meaning.kind === 'tensor' && target?.meaning.kind === 'tensor')
    context.emission?.compared(reading, said.meaning, target.meaning);
}

function tensorsOf({ bound }: Matched): ReadonlyMap<string, TensorMeaning> {
  return new Map([...bound].flatMap(([name, { meaning }]) => (meaning.kind === 'tensor' ? [[name, meaning]] : [])));
}

function together(results: readonly TensorMeaning[]): Meaning {
  return results.length === 1 ? results[0]! : { kind: 'tuple', items: results };
}

/** The metric of one batch, and how that of many batches comes from their means. */
function finished(
  { b }: BuildContext,
  { table }: MetricFunction,
  finish: NonNullable<MetricFunction['finish']>,
  means: Value,
  args: Record<string, BuildArgument>,
  { bound }: Matched,
): Pick<TensorMeaning, 'node' | 'parts'> {
  const alone = new GraphBuilder();
  const input = alone.input('means', means.type);
  const value = finish(alone, input, args);
  if (value === input) return { node: means };
  const node = finish(b, means, args);
  const shown = table ? [{ name: 'table', value: table(alone, input, args) }] : [];
  const target = bound.get('target')?.meaning;
  const field = table && target?.kind === 'tensor' ? target.field : undefined;
  const graph = alone.finish('finish', [{ name: 'value', value }, ...shown]);
  return { node, parts: { means, finish: graph, ...(field !== undefined && { classesOf: field }) } };
}

/** A kernel that is larger than its image leaves nothing; reported at `span`, or demanded where sizes are still open. */
function hasRoom(context: Context, { shape }: TensorMeaning, callee: string, span: Span): boolean {
  if (!shape.some(d => isConstant(d) && d < 1))
    return !context.rigid || shape.every(left => demand(context, { kind: 'atLeast', left, right: 1 }, span, callee));
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
    const type = fn.type(known);
    const types: readonly ResultType[] = 'dtype' in type ? [type] : type;
    const required = 'requires' in fn ? (fn.requires?.(known) ?? []) : [];
    for (const r of required)
      if (!demand(context, r.requirement, patternSpan(matched, r.within) ?? span, fn.name)) return undefined;
    if ('axes' in fn) noteAxes(context, fn.axes?.(known) ?? [], matched);
    const first = [...matched.bound.values()].find(b => b.meaning.kind === 'tensor')?.meaning;
    const patterns = callee.signature.results ?? [];
    return types.map((t, i) => computed(t, patterns[i] ?? patterns[0], first?.kind === 'tensor' ? first : undefined));
  } catch (error) {
    reportShapeError(context, error, span, fn.name, matched);
    return undefined;
  }
}

/** A result by a function's own rule: what is moved keeps its classes, unless the signature says what comes out. */
function computed(
  type: ResultType,
  pattern: TensorPattern | undefined,
  input: TensorMeaning | undefined,
): TensorMeaning {
  const moved = type.dtype === 'i32' && pattern?.dtype !== 'i32';
  const classes = 'classes' in type || !moved ? type.classes : input?.classes;
  const dtype = type.dtype === 'i32' || type.dtype === 'bool' ? type.dtype : 'f32';
  return { kind: 'tensor', dtype, shape: type.shape, ...(classes !== undefined && { classes }) };
}

/** Remembers what the names in a pattern stand for, the first time round. */
function noteAxes(context: Context, found: readonly PatternAxis[], matched: Matched): void {
  const { axes } = context.sheet;
  for (const { name, sizes, ...within } of found) {
    const span = patternSpan(matched, within);
    const exact = span !== undefined && span.end - span.start === within.end - within.start;
    if (exact && !axes.some(a => a.span.start === span.start)) axes.push({ span, name, sizes });
  }
}

/** A part of the string that the argument `pattern` is, where it stands in the call and has no escapes. */
function patternSpan(matched: Matched, within: Span | undefined): Span | undefined {
  const pattern = matched.bound.get('pattern');
  if (within === undefined || pattern?.meaning.kind !== 'string' || pattern.meaning.value === undefined)
    return undefined;
  const { start, end } = pattern.span;
  if (!pattern.quoted || end - start !== pattern.meaning.value.length + 2) return pattern.span;
  const last = within.end > within.start ? within.end : within.start + 1;
  return { start: start + 1 + within.start, end: Math.min(end, start + 1 + last) };
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

/** How the language writes tensors of an element type. */
const elementNames: Readonly<Record<string, string>> = { f32: '[...]', i32: 'int[...]', bool: 'bool[...]' };

/** A type rule of the engine refused; anything else it throws means that a value is not known yet. */
function reportShapeError(context: Context, error: unknown, at: Span, callee: string, matched?: Matched): void {
  if (!(error instanceof ShapeError)) {
    report(context, 'not-constant', at, { subject: callee });
    return;
  }
  const { code, expected, found, axis, within, subject = 'x', candidates = [] } = error.problem;
  const span = (matched && patternSpan(matched, within)) ?? at;
  const related = declaredRelated(context, span);
  if (code === 'unknown-axis') {
    report(context, 'unknown-name', span, { name: found, kind: 'axis', candidates: closest(found, candidates) });
  } else if (code === 'bad-attribute' || code === 'axis-out-of-range') {
    report(context, 'value-out-of-range', span, { subject: callee, expected, found }, { related });
  } else if (code === 'dtype-mismatch') {
    const given = matched?.bound.get(subject);
    const place = given?.span ?? span;
    const said = { expected: elementNames[expected] ?? expected, found: given ? showMeaning(given.meaning) : found };
    report(context, 'type-mismatch', place, { subject, callee, ...said }, { related });
  } else {
    const data = { role: 'argument', subject, callee, expected, found, ...(axis !== undefined && { axis }) } as const;
    report(context, 'shape-mismatch', span, data, { related });
  }
}

/** Types of the tensors given, as messages show them. */
export function inputText(callee: Callee, matched: Matched): string {
  const tensors = callee.signature.parameters.filter(p => p.type.kind === 'tensor' && matched.bound.has(p.name));
  return tensors.map(p => showMeaning(matched.bound.get(p.name)!.meaning)).join(', ');
}
