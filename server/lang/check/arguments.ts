/** Matching of a call's arguments with the parameters, and conversion of hyperparameters to the kind that is asked for. */
import { freeVariables, isConstant } from '../../../engine/dim/dim.ts';
import type { Place } from '../../../engine/ops/library/library.ts';
import { closest } from '../names.ts';
import type { Argument, Expression, Name } from '../syntax/ast.ts';
import type { Span } from '../text.ts';
import { type Callee, keepsShape } from './callee.ts';
import { type Context, localTarget, record, refer, report } from './context.ts';
import { failed, isError, kindOf, type Meaning, showMeaning, wholeNumber } from './meaning.ts';
import { emptySheet } from './records.ts';
import { Scope } from './scope.ts';
import { type HyperKind, type SignatureParameter, showParameterType, unmarked } from './signature.ts';

export interface Bound {
  readonly meaning: Meaning;
  readonly span: Span;
  /** A string that stands there in quotes. */
  readonly quoted?: boolean;
}

/** Arguments by parameter; `failed`: something was wrong and has been reported. */
export interface Matched {
  readonly bound: Map<string, Bound>;
  failed: boolean;
  /** There was an argument too many, which is said once. */
  surplus?: true;
}

export interface Piped extends Bound {
  /** The stage it flows into. */
  readonly stage: Span;
}

/**
 * The first tensor parameter takes what is piped in. Without a pipe, arguments are in order of the parameters if the first is a tensor,
 * and hyperparameters alone (`linear(128)`) if it is not; a string that comes first in the signature too (`einsum`) leaves the order as it is.
 */
export function matchArguments(
  context: Context,
  callee: Callee,
  args: readonly Argument[],
  piped: Piped | undefined,
  given: ReadonlyMap<string, Meaning> = new Map(),
): Matched {
  const matched: Matched = { bound: new Map(), failed: false };
  const open = callee.signature.parameters.filter(p => !given.has(p.name));
  for (const [name, meaning] of given)
    matched.bound.set(name, { meaning, span: piped?.stage ?? args[0] ?? { start: 0, end: 0 } });
  const first = piped && open.find(p => p.type.kind === 'tensor');
  if (piped && first) {
    const meaning = convert(context, callee.signature.name, first, piped.meaning, piped.stage);
    if (isError(meaning)) matched.failed = true;
    matched.bound.set(first.name, { meaning, span: piped.stage });
  }
  if (piped && !first) {
    matched.failed = true;
    const data = { callee: callee.signature.name, most: open.length, found: open.length + 1 };
    report(context, 'too-many-arguments', piped.stage, data);
  }
  let positions: readonly SignatureParameter[] | undefined = piped ? open.filter(p => p !== first) : undefined;
  let position = 0;
  for (const arg of args) {
    if (arg.name) named(context, callee, arg, arg.name.name, matched);
    else {
      const lone = positions === undefined ? context.rules.evaluate(generally(context, open), arg.value) : undefined;
      positions ??= directParameters(open, lone ?? failed);
      positional(context, callee, arg, positions[position++], matched, args, lone);
    }
  }
  return matched;
}

/** Where the first argument stands for is not known yet: names of schedules must be found if that is what the first parameter takes. */
function generally(context: Context, open: readonly SignatureParameter[]): Context {
  return inPlace(context, open[0]);
}

function directParameters(open: readonly SignatureParameter[], first: Meaning): readonly SignatureParameter[] {
  const direct = first.kind === 'tensor' || isError(first);
  const hyper = open.filter(p => p.type.kind !== 'tensor');
  const patternFirst = open[0]?.type.kind === 'string';
  return direct || patternFirst || hyper.length === open.length ? open : hyper.length > 0 ? hyper : open;
}

function named(context: Context, callee: Callee, arg: Argument, name: string, matched: Matched): void {
  const parameter = callee.signature.parameters.find(p => p.name === name);
  const { name: calleeName, parameters } = callee.signature;
  if (parameter === undefined) {
    const fn = callee.library?.fn;
    if (fn && 'sizes' in fn && fn.sizes) {
      size(context, calleeName, arg, name, matched);
      return;
    }
    context.rules.evaluate(context, arg.value);
    matched.failed = true;
    const names = parameters.map(p => p.name);
    const data = { callee: calleeName, name, candidates: closest(name, names), parameters: names };
    report(context, 'unknown-argument', arg.name!, data);
    return;
  }
  const target = callee.model && { kind: 'global' as const, uri: callee.model.uri, name: calleeName, parameter: name };
  refer(context, arg.name!, name, 'parameter', target);
  if (matched.bound.has(name)) {
    matched.failed = true;
    report(context, 'duplicate-name', arg.name!, { name, what: 'argument' });
    return;
  }
  take(context, callee, parameter, arg.value, matched);
}

/** The size of an axis that the pattern of the call names. */
function size(context: Context, callee: string, arg: Argument, name: string, matched: Matched): void {
  const raw = context.rules.evaluate(context, arg.value);
  const meaning = isError(raw) ? failed : converters.int(raw);
  if (meaning === undefined) {
    const found = raw.kind === 'number' ? showMeaning(raw) : kindOf(raw);
    report(context, 'type-mismatch', arg.value, { subject: name, callee, expected: expectations.int, found });
  }
  if (meaning === undefined || isError(meaning)) matched.failed = true;
  matched.bound.set(name, { meaning: meaning ?? failed, span: arg.value });
}

function positional(
  context: Context,
  callee: Callee,
  arg: Argument,
  parameter: SignatureParameter | undefined,
  matched: Matched,
  args: readonly Argument[],
  evaluated: Meaning | undefined,
): void {
  if (parameter === undefined || matched.bound.has(parameter.name)) {
    if (evaluated === undefined) context.rules.evaluate(context, arg.value);
    matched.failed = true;
    const most = callee.signature.parameters.length;
    const span = { start: arg.start, end: args.at(-1)!.end };
    if (!matched.surplus)
      report(context, 'too-many-arguments', span, { callee: callee.signature.name, most, found: args.length });
    matched.surplus = true;
    return;
  }
  const hyper = parameter.type.kind !== 'tensor' && !context.sheet.hints.some(h => h.at === arg.start);
  if (hyper) context.sheet.hints.push({ at: arg.start, name: parameter.name });
  take(context, callee, parameter, arg.value, matched, evaluated);
}

function take(
  context: Context,
  callee: Callee,
  parameter: SignatureParameter,
  value: Expression,
  matched: Matched,
  evaluated?: Meaning,
): void {
  const raw = evaluated ?? argumentMeaning(context, parameter, value);
  const meaning = convert(context, callee.signature.name, parameter, raw, value);
  if (isError(meaning)) matched.failed = true;
  matched.bound.set(parameter.name, { meaning, span: value, quoted: value.kind === 'string' });
}

const placesOf: Partial<Record<HyperKind, readonly Place[]>> = {
  schedule: ['schedule'],
  optimizer: ['optimizer'],
  source: ['source'],
};

function inPlace(context: Context, parameter: SignatureParameter | undefined): Context {
  const kind = parameter?.type.kind;
  const plain = kind === undefined || kind === 'tensor' || kind === 'error' || kind === 'choice';
  const places = plain ? undefined : placesOf[kind];
  return places ? { ...context, places } : context;
}

function argumentMeaning(context: Context, parameter: SignatureParameter, value: Expression): Meaning {
  if (parameter.type.kind === 'metric') return monitorName(context, parameter, value);
  if (parameter.type.kind === 'choice' && value.kind === 'name')
    return record(context, value, chosenWord(context, parameter.type.options, value));
  return context.rules.evaluate(inPlace(context, parameter), value);
}

/** A word of the signature, such as `median`; other names are values where a number may stand too. */
function chosenWord(context: Context, options: readonly string[], word: Name): Meaning {
  if (word.name !== 'float' && options.includes(word.name)) return { kind: 'string', value: word.name };
  const known = context.scope.find(word.name) ?? context.globals.lookup(word.name);
  if (known && options.includes('float')) return context.rules.evaluate(context, word);
  const words = options.filter(o => o !== 'float');
  const near = closest(word.name, words);
  const candidates = [...near, ...words.filter(w => !near.includes(w))];
  report(context, 'unknown-name', word, { name: word.name, kind: 'word', candidates });
  return failed;
}

/** `validation.loss`: a name, not a value. */
function monitorName(context: Context, parameter: SignatureParameter, value: Expression): Meaning {
  const parts: string[] = [];
  let at = value;
  while (at.kind === 'member') {
    parts.unshift(at.member.name);
    at = at.object;
  }
  if (at.kind === 'name') return { kind: 'monitor', name: [at.name, ...parts].join('.') };
  if (value.kind !== 'missing') {
    report(context, 'type-mismatch', value, {
      subject: parameter.name,
      expected: 'the name of a metric, such as validation.loss',
      found: 'something else',
    });
  }
  return failed;
}

const expectations: Readonly<Record<HyperKind, string>> = {
  int: 'a whole number',
  float: 'a number',
  bool: 'true or false',
  string: 'a string',
  path: 'a path in quotes',
  shape: 'a shape such as [B, 64]',
  numbers: 'a list of numbers such as [18, 65]',
  sizes: 'a whole number, or one for each axis such as [3, 5]',
  padding: 'a whole number, one for each axis such as [1, 2], or "same"',
  schedule: 'a number or a schedule',
  optimizer: 'an optimizer',
  source: 'a data source',
  metric: 'the name of a metric',
  layer: 'a layer that keeps the shape of its input, such as relu',
  stop: 'a stop rule',
};

/** The argument as the parameter's kind, or an error that has been reported. */
export function convert(
  context: Context,
  callee: string,
  parameter: SignatureParameter,
  m: Meaning,
  span: Span,
): Meaning {
  const { type, name } = parameter;
  if (isError(m) || type.kind === 'error') return failed;
  const converted =
    type.kind === 'tensor'
      ? asTensor(m)
      : type.kind === 'choice'
        ? asChoice(type.options, m)
        : converters[type.kind](m);
  if (converted) return converted;
  const expected = expectationOf(parameter);
  const found = m.kind === 'number' && type.kind === 'int' ? showMeaning(m) : kindOf(m);
  report(context, 'type-mismatch', span, { subject: name, callee, expected, found });
  return failed;
}

function expectationOf(parameter: SignatureParameter): string {
  const { type } = parameter;
  if (type.kind === 'tensor') return `a tensor ${showParameterType(parameter)}`;
  if (type.kind === 'choice') return type.options.map(o => (o === 'float' ? 'a number' : o)).join(' or ');
  return type.kind === 'error' ? '' : expectations[type.kind];
}

function asChoice(options: readonly string[], m: Meaning): Meaning | undefined {
  if (m.kind === 'number') return options.includes('float') ? converters.float(m) : undefined;
  return m.kind === 'string' && m.value !== undefined && options.includes(m.value) ? m : undefined;
}

/** A number stands for a tensor full of it, a list of numbers for the vector of them. */
function asTensor(m: Meaning): Meaning | undefined {
  if (m.kind === 'list') return m.items.every(i => i.kind === 'number') ? m : undefined;
  return m.kind === 'tensor' || m.kind === 'number' ? m : undefined;
}

/** A whole number, or one an axis. */
function asSizes(m: Meaning): Meaning | undefined {
  if (m.kind !== 'list') return converters.int(m);
  const items = m.items.map(i => converters.int(i));
  return items.every(i => i !== undefined) ? { ...m, items } : undefined;
}

const converters: Readonly<Record<HyperKind, (m: Meaning) => Meaning | undefined>> = {
  int: m => {
    if (m.kind !== 'number' || m.dim === undefined) return m.kind === 'number' && m.real === undefined ? m : undefined;
    const whole = m.whole || (m.real !== undefined && Number.isInteger(m.real));
    return whole ? { ...m, whole: true, ...(isConstant(m.dim) && { real: m.dim }) } : undefined;
  },
  float: m =>
    m.kind === 'number' ? { kind: 'number', whole: false, ...(m.real !== undefined && { real: m.real }) } : undefined,
  bool: m => (m.kind === 'bool' ? m : undefined),
  string: m => (m.kind === 'string' ? m : undefined),
  path: m => (m.kind === 'string' ? m : undefined),
  shape: m => {
    if (m.kind !== 'list') return undefined;
    return m.items.every(i => i.kind === 'number' && i.dim !== undefined) ? m : undefined;
  },
  numbers: m => (m.kind === 'list' && m.items.every(i => i.kind === 'number') ? m : undefined),
  sizes: asSizes,
  padding: m => (m.kind === 'string' && (m.value ?? 'same') === 'same' ? m : asSizes(m)),
  schedule: m => (m.kind === 'number' || (m.kind === 'plan' && m.place === 'schedule') ? m : undefined),
  optimizer: m => (m.kind === 'plan' && m.place === 'optimizer' ? m : undefined),
  source: m => (m.kind === 'plan' && m.place === 'source' ? m : undefined),
  metric: m => (m.kind === 'monitor' ? m : undefined),
  layer: m => (m.kind === 'layer' && keepsShape(m.callee, m.given) ? m : undefined),
  stop: m => (m.kind === 'plan' && m.place === 'stop' ? m : undefined),
};

/** Fills in defaults; reports the first parameter that has none. Tensor parameters are left to the caller. */
export function fillDefaults(context: Context, callee: Callee, matched: Matched, span: Span): void {
  for (const parameter of callee.signature.parameters) {
    if (matched.bound.has(parameter.name) || parameter.type.kind === 'tensor' || parameter.optional) continue;
    if (parameter.fallback) {
      const raw = fallbackMeaning(context, callee, matched, parameter, parameter.fallback);
      const meaning = convert(context, callee.signature.name, parameter, raw, span);
      matched.bound.set(parameter.name, { meaning, span });
    } else if (parameter.type.kind !== 'error') missing(context, callee, parameter, matched, span);
  }
}

/** A default may speak of the parameters before it, and of the number of classes of those that are an index. It stands in the callee, so nothing of it is recorded here. */
function fallbackMeaning(
  context: Context,
  callee: Callee,
  matched: Matched,
  parameter: SignatureParameter,
  fallback: Expression,
): Meaning {
  const scope = new Scope();
  for (const [name, { meaning, span }] of matched.bound) {
    scope.define({ name, kind: 'parameter', meaning, span, target: localTarget(span), used: true });
  }
  for (const { name, type } of callee.signature.parameters) {
    const given = matched.bound.get(name);
    if (type.kind !== 'tensor' || given?.meaning.kind !== 'tensor') continue;
    const [own] = freeVariables(type.pattern.classes ?? 0);
    if (own === undefined || given.meaning.classes === undefined) continue;
    const { span } = given;
    const meaning = wholeNumber(given.meaning.classes);
    scope.define({ name: unmarked(own), kind: 'dimension', meaning, span, target: localTarget(span), used: true });
  }
  const meaning = argumentMeaning({ ...context, scope, sheet: emptySheet() }, parameter, fallback);
  if (meaning.kind !== 'number') return meaning;
  const { origin: _, ...value } = meaning;
  return value;
}

export function missing(
  context: Context,
  callee: Callee,
  parameter: SignatureParameter,
  matched: Matched,
  span: Span,
): void {
  if (!matched.failed) {
    const { name, label } = callee.signature;
    const data = { callee: name, parameter: parameter.name, type: showParameterType(parameter), signature: label };
    report(context, 'missing-argument', span, data);
  }
  matched.failed = true;
}
