/** The meaning of expressions: names, literals, pipes, calls, slices. */
import { addDim, type Dim, floorDivDim, isConstant, maxDim, minDim, subDim } from '../../../engine/dim/dim.ts';
import type { NameKind } from '../facts.ts';
import { closest } from '../names.ts';
import type {
  AnyNode,
  CallExpression,
  Expression,
  IndexExpression,
  IndexItem,
  Name,
  PipeExpression,
} from '../syntax/ast.ts';
import type { Span } from '../text.ts';
import type { Piped } from './arguments.ts';
import { applyLayer, callMeaning } from './call.ts';
import { type Callee, type CallPlace, libraryCallee, libraryNames } from './callee.ts';
import { type Context, demand, localTarget, record, refer, report } from './context.ts';
import {
  failed,
  isError,
  kindOf,
  type LayerMeaning,
  type Meaning,
  type NumberMeaning,
  type Origin,
  realNumber,
  showTensor,
  type TensorMeaning,
  wholeNumber,
} from './meaning.ts';
import { binaryMeaning, unaryMeaning } from './operators.ts';
import { scanMeaning } from './scan.ts';

export function evaluate(context: Context, e: Expression): Meaning {
  return record(context, e, meaningOf(context, e));
}

function meaningOf(context: Context, e: Expression): Meaning {
  switch (e.kind) {
    case 'missing':
      return failed;
    case 'number':
      return e.whole ? wholeNumber(e.value, { target: localTarget(e), literal: true }) : realNumber(e.value);
    case 'string':
      return { kind: 'string', value: e.value };
    case 'bool':
      return { kind: 'bool', value: e.value };
    case 'list':
      return { kind: 'list', items: e.items.map(i => evaluate(context, i)) };
    case 'tuple':
      return { kind: 'tuple', items: e.items.map(i => evaluate(context, i)) };
    case 'name':
      return nameMeaning(context, e);
    case 'pipe':
      return pipeMeaning(context, e);
    case 'call':
      return invoke(context, e, undefined);
    case 'binary':
      return binaryMeaning(context, e, evaluate(context, e.left), evaluate(context, e.right));
    case 'unary':
      return unaryMeaning(context, e.op, evaluate(context, e.operand), e.operand);
    case 'index':
      return indexMeaning(context, e);
    case 'member':
      return memberMeaning(context, e.object, e.member);
    case 'scan':
      return scanMeaning(context, e);
  }
}

function nameMeaning(context: Context, e: Name): Meaning {
  const found = resolve(context, e, 'value', context.lenient ?? false);
  if (found === undefined) return failed;
  if ('callee' in found)
    return { kind: 'layer', callee: found.callee, given: new Map(), path: '', state: { applied: 0 } };
  const { meaning } = found;
  return meaning.kind === 'number' ? { ...meaning, origin: { target: localTarget(e), literal: false } } : meaning;
}

type Resolved = { readonly meaning: Meaning } | { readonly callee: Callee };

/** A name as a value or something to call; undefined where it is unknown (reported) or broken (silent). */
function resolve(context: Context, e: Name, use: 'value' | 'call', silent = false): Resolved | undefined {
  if (e.name === '') return undefined;
  const binding = context.scope.find(e.name);
  if (binding) {
    binding.used = true;
    refer(context, e, e.name, binding.kind, binding.target);
    return { meaning: binding.meaning };
  }
  const global = context.globals.lookup(e.name);
  if (global?.kind === 'model') {
    refer(context, e, e.name, 'model', global.target);
    return { callee: global.callee };
  }
  if (global?.kind === 'const') {
    refer(context, e, e.name, 'const', global.target);
    return { meaning: global.meaning };
  }
  const callee = libraryFunction(context, e.name);
  if (callee) {
    refer(context, e, e.name, 'library', undefined);
    return { callee };
  }
  if (global) {
    refer(context, e, e.name, global.kind === 'train' ? 'train' : 'data', global.target);
    if (global.kind === 'broken' && global.through) {
      report(context, 'recursive-model', e, { model: e.name, through: global.through });
    }
    if (global.kind !== 'broken') report(context, 'not-a-value', e, { name: e.name, found: `a ${global.kind} block` });
    return undefined;
  }
  if (!silent) unknownName(context, e, use);
  return undefined;
}

function libraryFunction(context: Context, name: string): Callee | undefined {
  for (const place of context.places) {
    const callee = libraryCallee(name, place);
    if (callee) return callee;
  }
  return undefined;
}

const nameKinds: Readonly<Record<CallPlace, NameKind>> = {
  model: 'value',
  metric: 'metric',
  transform: 'transform',
  optimizer: 'optimizer',
  schedule: 'schedule',
  source: 'source',
  stop: 'function',
};

/** A function of tensors is no value by itself, so that none is proposed where a value is wanted. */
function unknownName(context: Context, e: Name, use: 'value' | 'call'): void {
  const functions = use === 'value' && context.places[0] === 'model' ? [] : libraryNames(context.places);
  const names = [...context.scope.names(), ...context.globals.names(), ...functions];
  const kind = nameKinds[context.places[0] ?? 'model'];
  report(context, 'unknown-name', e, { name: e.name, kind, candidates: closest(e.name, names) });
}

function pipeMeaning(context: Context, e: PipeExpression): Meaning {
  const left = evaluate(context, e.left);
  if (!context.emission)
    context.sheet.flows.push({ span: { start: e.operator.start, end: e.stage.end }, meaning: left });
  if (e.stage.kind === 'missing') return failed;
  const result = stageMeaning(context, e.stage, { meaning: left, span: e.left, stage: stageSpan(e.stage) });
  const removable = result.kind === 'tensor' && result.via?.endsWith('softmax');
  const marked = removable ? { ...result, stage: { start: e.left.end, end: e.stage.end } } : result;
  record(context, e.stage, marked);
  if (!context.sheet.shapes.some(s => s.at === e.end)) context.sheet.shapes.push({ at: e.end, meaning: result });
  return marked;
}

/** What to underline of a stage: the name that is called. */
function stageSpan(stage: Expression): Span {
  return stage.kind === 'call' ? stage.callee : stage;
}

function stageMeaning(context: Context, stage: Expression, piped: Piped): Meaning {
  if (stage.kind === 'call') return invoke(context, stage, piped);
  const target = callable(context, stage);
  if (target === undefined) return failed;
  if ('callee' in target) return callMeaning(context, target.callee, [], piped, stage);
  return applyLayer(context, target.layer, [], piped, stage);
}

function invoke(context: Context, e: CallExpression, piped: Piped | undefined): Meaning {
  const numeric = piped ? undefined : numberFunction(context, e);
  if (numeric) return numeric;
  const target = callable(context, e.callee);
  if (target === undefined) {
    for (const arg of e.args) evaluateQuietly(context, arg.value);
    return failed;
  }
  const callee = 'callee' in target ? target.callee : target.layer.callee;
  context.sheet.calls.push({ node: e, callee, piped: piped !== undefined });
  if ('callee' in target) return callMeaning(context, target.callee, e.args, piped, e.callee);
  return applyLayer(context, target.layer, e.args, piped, e.callee);
}

/** The arguments of a call that failed are looked at for names, not for further mistakes. */
function evaluateQuietly(context: Context, e: Expression): void {
  evaluate({ ...context, sheet: { ...context.sheet, facts: [], requirements: [] } }, e);
}

function callable(context: Context, e: Expression): { callee: Callee } | { layer: LayerMeaning } | undefined {
  const resolved = e.kind === 'name' ? resolve(context, e, 'call') : { meaning: evaluate(context, e) };
  if (resolved === undefined) return undefined;
  if ('callee' in resolved) return resolved;
  const { meaning } = resolved;
  record(context, e, meaning);
  if (meaning.kind === 'layer') return { layer: meaning };
  if (!isError(meaning)) report(context, 'not-callable', e, { found: kindOf(meaning) });
  return undefined;
}

const numberFunctions: Readonly<Record<string, { dim?: (a: Dim, b: Dim) => Dim; real: (...x: number[]) => number }>> = {
  min: { dim: minDim, real: Math.min },
  max: { dim: maxDim, real: Math.max },
  sqrt: { real: Math.sqrt },
  log: { real: Math.log },
  exp: { real: Math.exp },
  abs: { real: Math.abs },
};

/** `min(T, 64)`, `sqrt(D)` on hyperparameters alone. */
function numberFunction(context: Context, e: CallExpression): Meaning | undefined {
  if (e.callee.kind !== 'name' || !Object.hasOwn(numberFunctions, e.callee.name)) return undefined;
  const rule = numberFunctions[e.callee.name]!;
  if (e.args.length !== (rule.dim ? 2 : 1) || !e.args.every(a => !a.name && isNumeric(context, a.value)))
    return undefined;
  const values = e.args.map(a => evaluate(context, a.value)).filter((m): m is NumberMeaning => m.kind === 'number');
  if (values.length !== e.args.length) return failed;
  const [a, b] = values;
  refer(context, e.callee, e.callee.name, 'library', undefined);
  if (rule.dim && a?.dim !== undefined && b?.dim !== undefined && a.whole && b.whole)
    return wholeNumber(rule.dim(a.dim, b.dim));
  const reals = values.map(v => v.real);
  return realNumber(reals.every(r => r !== undefined) ? rule.real(...reals) : undefined);
}

function isNumeric(context: Context, e: Expression): boolean {
  if (e.kind === 'number') return true;
  if (e.kind === 'unary') return isNumeric(context, e.operand);
  if (e.kind === 'binary') return isNumeric(context, e.left) && isNumeric(context, e.right);
  if (e.kind === 'call')
    return (
      e.args.length > 0 &&
      e.args.every(a => isNumeric(context, a.value)) &&
      e.callee.kind === 'name' &&
      Object.hasOwn(numberFunctions, e.callee.name)
    );
  if (e.kind !== 'name') return false;
  const binding = context.scope.find(e.name);
  if (binding) return binding.meaning.kind === 'number';
  const global = context.globals.lookup(e.name);
  return global?.kind === 'const' && global.meaning.kind === 'number';
}

/** The result with that name of a model with several is not a thing yet; a member is a part of a layer, for `over` and `freeze`. */
function memberMeaning(context: Context, object: Expression, member: Name): Meaning {
  const meaning = evaluate(context, object);
  if (isError(meaning) || member.name === '') return failed;
  report(context, 'unknown-name', member, { name: member.name, kind: 'field', candidates: [] });
  return failed;
}

/** `x[:, 0]`, `x[..., 1:]`, `x[::2]`: constant indices and ranges with steps; negative indices count from the end. */
function indexMeaning(context: Context, e: IndexExpression): Meaning {
  const object = evaluate(context, e.object);
  const items = e.items.map(i => ({
    item: i,
    from: i.from && evaluate(context, i.from),
    to: i.to && evaluate(context, i.to),
    step: i.step && evaluate(context, i.step),
  }));
  if (isError(object)) return failed;
  if (object.kind === 'tuple') {
    const at = items[0]?.from;
    const index = at?.kind === 'number' && typeof at.dim === 'number' ? at.dim : undefined;
    const picked = index === undefined ? undefined : object.items.at(index);
    if (picked) return picked;
  }
  if (object.kind !== 'tensor') {
    report(context, 'type-mismatch', e.object, { subject: 'index', expected: 'a tensor', found: kindOf(object) });
    return failed;
  }
  return sliceTensor(context, e, object, items);
}

interface Evaluated {
  readonly item: IndexItem;
  readonly from: Meaning | undefined;
  readonly to: Meaning | undefined;
  readonly step: Meaning | undefined;
}

interface Cut {
  readonly start: Dim;
  readonly size: Dim;
  readonly step: Dim;
  readonly drop: boolean;
}

function sliceTensor(context: Context, e: IndexExpression, x: TensorMeaning, items: readonly Evaluated[]): Meaning {
  const rank = x.shape.length;
  const dots = items.findIndex(i => i.item.mode === 'ellipsis');
  const given = items.filter(i => i.item.mode !== 'ellipsis').length;
  if (given > rank) {
    const data = {
      role: 'operands',
      subject: 'index',
      expected: `at most ${rank} axes`,
      found: showTensor(x),
    } as const;
    report(context, 'shape-mismatch', e, data);
    return failed;
  }
  const cuts: Cut[] = x.shape.map(size => ({ start: 0, size, step: 1, drop: false }));
  for (const [i, item] of items.entries()) {
    if (item.item.mode === 'ellipsis') continue;
    const axis = dots >= 0 && i > dots ? rank - (items.length - i) : i;
    const cut = cutOf(context, item, x.shape[axis]!);
    if (cut === undefined) return failed;
    cuts[axis] = cut;
  }
  const kept = cuts.map((c, axis) => ({ ...c, axis })).filter(c => !c.drop);
  const origins: (Origin | undefined)[] = kept.map(c =>
    cuts[c.axis]!.size === x.shape[c.axis] ? x.origins?.[c.axis] : undefined,
  );
  const node = x.node && context.emission && sliceNode(context, x.node, cuts);
  const { dtype, classes } = x;
  const shape = kept.map(c => c.size);
  return { kind: 'tensor', dtype, shape, origins, ...(classes !== undefined && { classes }), ...(node && { node }) };
}

function sliceNode(context: Context, x: NonNullable<TensorMeaning['node']>, cuts: readonly Cut[]) {
  const { b } = context.emission!.at('');
  const part = b.slice(
    x,
    cuts.map(c => c.start),
    cuts.map(c => (c.drop ? 1 : c.size)),
    cuts.map(c => (isConstant(c.step) ? c.step : 1)),
  );
  const dropped = cuts.flatMap((c, axis) => (c.drop ? [axis] : []));
  return dropped.length > 0 ? b.squeeze(part, dropped) : part;
}

function cutOf(context: Context, { item, from, to, step }: Evaluated, size: Dim): Cut | undefined {
  const start = from === undefined ? 0 : positionOf(context, item.from!, from, size, item.mode === 'at');
  if (start === undefined) return undefined;
  if (item.mode === 'at') return { start, size: 1, step: 1, drop: true };
  const end = to === undefined ? size : positionOf(context, item.to!, to, size, false);
  if (end === undefined) return undefined;
  const length = subDim(end, start);
  if (isConstant(length) && length < 1) {
    report(context, 'value-out-of-range', item, {
      subject: 'index',
      expected: 'a range of at least one element',
      found: String(length),
    });
    return undefined;
  }
  if (!needs(context, length, 1, item)) return undefined;
  const by = step === undefined ? 1 : stepOf(context, item.step!, step);
  // The first of them counts, so a rest shorter than a step gives one more: the ceiling of length / step.
  if (by === undefined) return undefined;
  return { start, size: floorDivDim(subDim(addDim(length, by), 1), by), step: by, drop: false };
}

/** A whole number of at least 1; what is still open floats. */
function stepOf(context: Context, node: AnyNode, m: Meaning): Dim | undefined {
  if (isError(m)) return undefined;
  if (m.kind !== 'number' || !m.whole || m.dim === undefined) {
    report(context, 'type-mismatch', node, { subject: 'index', expected: 'a whole number', found: kindOf(m) });
    return undefined;
  }
  if (isConstant(m.dim) && m.dim < 1) {
    const expected = m.dim < 0 ? 'a step of at least 1 (flip turns an axis around)' : 'a step of at least 1';
    report(context, 'value-out-of-range', node, { subject: 'index', expected, found: String(m.dim) });
    return undefined;
  }
  return needs(context, m.dim, 1, node) ? m.dim : undefined;
}

function positionOf(context: Context, node: AnyNode, m: Meaning, size: Dim, single: boolean): Dim | undefined {
  if (isError(m)) return undefined;
  if (m.kind !== 'number' || !m.whole || m.dim === undefined) {
    report(context, 'type-mismatch', node, { subject: 'index', expected: 'a whole number', found: kindOf(m) });
    return undefined;
  }
  const at = isConstant(m.dim) && m.dim < 0 ? subDim(size, -m.dim) : m.dim;
  if (isConstant(at) && (at < 0 || (isConstant(size) && (single ? at >= size : at > size)))) {
    const expected = `an index below ${String(size)}`;
    report(context, 'value-out-of-range', node, { subject: 'index', expected, found: String(m.dim) });
    return undefined;
  }
  const inside = needs(context, at, 0, node) && needs(context, size, single ? addDim(at, 1) : at, node);
  return inside ? at : undefined;
}

/** What depends on sizes that are still open floats to the callers; outside of models all sizes but the batch are numbers. */
function needs(context: Context, left: Dim, right: Dim, span: Span): boolean {
  return !context.rigid || demand(context, { kind: 'atLeast', left, right }, span, 'index');
}
