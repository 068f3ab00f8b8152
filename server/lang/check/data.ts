/** Checking a data block: the source's schema, fields through their transforms, splits and batches. The same walk lowers it. */
import type { Call, ColumnSchema } from '../../../engine/ir/program.ts';
import type { LangHost } from '../api.ts';
import { closest } from '../names.ts';
import {
  type Argument,
  type Bind,
  type DataDeclaration,
  type Expression,
  type Name,
  type Setting,
  walk,
} from '../syntax/ast.ts';
import { settings } from '../syntax/statements.ts';
import { libraryCallee } from './callee.ts';
import { bindName, type Context, declaredRelated, localTarget, refer, report } from './context.ts';
import {
  failed,
  isError,
  kindOf,
  type Meaning,
  showMeaning,
  showTensor,
  type TensorMeaning,
  tensorMeaning,
} from './meaning.ts';
import { Naming, Scope } from './scope.ts';
import { shapesAgree } from './unify.ts';

export interface DataFace {
  readonly name: string;
  readonly source?: Call;
  readonly test?: Call;
  readonly columns: readonly ColumnSchema[];
  readonly samples?: number;
  /** Those that the splits leave for training. */
  readonly training?: number;
  readonly split: { validation?: number; test?: number };
  readonly batch: number;
  readonly shuffle: boolean;
  /** The label whose classes are to come equally often. */
  readonly balance?: string;
  /** Per sample, after the transforms; undefined where the source is not known. */
  readonly fields?: ReadonlyMap<string, Meaning>;
}

/** Samples a step where the block says nothing. */
const defaultBatch = 32;

export function checkData(context: Context, node: DataDeclaration, host: LangHost): DataFace {
  const source = sourceCall(context, node.source);
  const schema = source && readSchema(context, node.source, source, host);
  const fields = new Map<string, Meaning>();
  for (const column of schema?.columns ?? []) defineField(context, node, column.name, fieldOf(column), fields);
  const face: Draft = { split: {}, batch: defaultBatch, shuffle: true };
  const inner: Context = { ...context, places: ['transform'], perSample: true };
  const seen = new Map<string, Setting>();
  for (const s of node.body?.statements ?? []) {
    if (s.kind === 'bind') transformFields(inner, s, fields, schema === undefined, 'fields');
    else if (s.kind === 'setting') dataSetting(inner, s, { face, fields, seen, host, schema });
    else if (s.kind === 'result')
      report(context, 'syntax-error', s, { expected: 'a field, as in image = image |> flatten', found: '' });
  }
  checkBalance({ ...inner, lenient: schema === undefined }, face, seen);
  const training = schema && checkCounts(context, node, face, seen, schema.samples);
  return {
    name: node.name.name,
    ...(source && { source }),
    ...(face.test && { test: face.test }),
    columns: schema?.columns ?? [],
    ...(schema?.samples !== undefined && { samples: schema.samples }),
    ...(training !== undefined && { training }),
    split: face.split,
    batch: face.batch,
    shuffle: face.shuffle,
    ...(face.balance && { balance: face.balance.name }),
    ...(schema && { fields }),
  };
}

interface Draft {
  split: { validation?: number; test?: number };
  test?: Call;
  batch: number;
  shuffle: boolean;
  balance?: Name;
}

interface Schema {
  readonly columns: readonly ColumnSchema[];
  readonly samples?: number;
}

function sourceCall(context: Context, e: Expression): Call | undefined {
  const meaning = context.rules.evaluate({ ...context, places: ['source'] }, e);
  if (meaning.kind === 'plan' && meaning.place === 'source') return meaning.call;
  if (!isError(meaning))
    report(context, 'type-mismatch', e, {
      subject: 'source',
      expected: 'a data source such as digits()',
      found: kindOf(meaning),
    });
  return undefined;
}

function readSchema(context: Context, e: Expression, source: Call, host: LangHost): Schema | undefined {
  const result = host.readSchema(source, context.uri);
  if (result.kind === 'schema') return result;
  if (result.kind === 'problem') {
    const { span, path } = blamed(e, result.argument);
    report(context, result.code, span, { source: source.name, path, message: result.message });
  }
  return undefined;
}

/** The argument that names the file, or the whole source. */
function blamed(e: Expression, argument: string | undefined): { span: Expression; path: string } {
  const args = e.kind === 'call' ? e.args : [];
  const arg = args.find(a => a.name?.name === argument) ?? args.find(a => !a.name && a.value.kind === 'string');
  const value = arg?.value;
  return { span: value ?? e, path: value?.kind === 'string' ? value.value : '' };
}

/** Bytes and floats are f32 to the program; whole numbers stay what they are. */
export function fieldOf({ dtype, shape, classes }: ColumnSchema): TensorMeaning {
  if (classes !== undefined) return tensorMeaning('i32', shape, classes);
  return tensorMeaning(dtype === 'bool' ? 'bool' : dtype === 'i32' || dtype === 'u32' ? 'i32' : 'f32', shape);
}

function defineField(
  context: Context,
  node: DataDeclaration,
  name: string,
  meaning: Meaning,
  fields: Map<string, Meaning>,
): void {
  const span = { start: node.source.start, end: node.source.end };
  fields.set(name, meaning);
  context.scope.define({ name, kind: 'field', meaning, span, target: localTarget(node.source), used: true });
}

type Where = 'fields' | 'augment';

/** `image = image |> …`: a field anew, or several that a transform gives together. In `augment` they keep their shapes. */
function transformFields(
  context: Context,
  s: Bind,
  fields: Map<string, Meaning>,
  unknown: boolean,
  where: Where,
): void {
  const before = context.sheet.facts.length;
  const value = context.rules.evaluate({ ...context, lenient: unknown }, s.value);
  if (context.sheet.facts.length === before) misplacedTransforms(context, s.value, where);
  const values = s.targets.length === 1 ? [value] : severalValues(context, s, value);
  const kept = s.targets.map((target, i) => transformField(context, s, target, values[i]!, fields, unknown, where));
  const meaning: Meaning = kept.length === 1 ? kept[0]! : { kind: 'tuple', items: kept };
  const hinted = isError(meaning) || context.sheet.shapes.some(h => h.at === s.end);
  if (!hinted) context.sheet.shapes.push({ at: s.end, meaning });
}

function severalValues(context: Context, s: Bind, value: Meaning): readonly Meaning[] {
  if (value.kind === 'tuple' && value.items.length === s.targets.length) return value.items;
  if (!isError(value)) {
    const expected = `${s.targets.length} results`;
    report(context, 'type-mismatch', s.value, { subject: '=', expected, found: kindOf(value) });
  }
  return s.targets.map(() => failed);
}

function transformField(
  context: Context,
  s: Bind,
  target: Name,
  value: Meaning,
  fields: Map<string, Meaning>,
  unknown: boolean,
  where: Where,
): Meaning {
  if (target.name === '') return failed;
  const old = fields.get(target.name);
  if (where === 'augment' && old === undefined && !unknown) {
    const candidates = closest(target.name, fields.keys());
    report(context, 'unknown-name', target, { name: target.name, kind: 'field', candidates });
    return failed;
  }
  const kept = where === 'augment' ? sameField(context, s, target, old, value) : fieldValue(context, s, target, value);
  if (where === 'fields') fields.set(target.name, kept);
  bindName(context, target, 'field', kept).used = true;
  return kept;
}

function fieldValue(context: Context, s: Bind, target: Name, value: Meaning): Meaning {
  if (value.kind === 'tensor' || isError(value)) return value;
  report(context, 'type-mismatch', s.value, { subject: target.name, expected: 'a tensor', found: kindOf(value) });
  return failed;
}

function sameField(context: Context, s: Bind, target: Name, old: Meaning | undefined, value: Meaning): Meaning {
  if (old?.kind !== 'tensor' || value.kind !== 'tensor')
    return value.kind === 'tensor' ? value : fieldValue(context, s, target, value);
  if (showTensor(old) === showTensor(value) || agree(context, old, value)) return value;
  const data = {
    role: 'annotation',
    subject: target.name,
    expected: showTensor(old),
    found: showTensor(value),
  } as const;
  report(context, 'shape-mismatch', s.value, data);
  return failed;
}

/** Element, shape and number of classes. */
function agree(context: Context, a: TensorMeaning, b: TensorMeaning): boolean {
  return a.dtype === b.dtype && a.classes === b.classes && shapesAgree(context, a.shape, b.shape);
}

/** Random transforms stand in `augment`, where they are drawn anew each step. */
function misplacedTransforms(context: Context, e: Expression, where: Where): void {
  walk(e, node => {
    const callee = node.kind === 'call' ? node.callee : node.kind === 'pipe' ? node.stage : undefined;
    if (callee?.kind !== 'name' || context.scope.find(callee.name)) return;
    const fn = libraryCallee(callee.name, 'transform')?.library?.fn;
    if (fn?.kind === 'transform' && fn.random && !fn.once && where === 'fields')
      report(context, 'misplaced-transform', callee, { name: callee.name, where });
  });
}

/** In lowering: runs the block's transforms on `fields`, whose meanings carry nodes. */
export function emitFields(context: Context, node: DataDeclaration, fields: Map<string, Meaning>): void {
  for (const [name, meaning] of fields) defineField(context, node, name, meaning, fields);
  const namings = new Map<string, Naming>();
  for (const s of node.body?.statements ?? []) {
    if (s.kind !== 'bind') continue;
    // What is learnt for a field has the field's name in front, however often it is bound.
    const field = s.targets[0]?.name ?? '';
    const naming = namings.get(field) ?? new Naming(`${field}.`);
    namings.set(field, naming);
    transformFields({ ...context, naming }, s, fields, false, 'fields');
  }
}

/** In lowering: the fields that an `augment` block changes, with their nodes. */
export function emitAugment(
  context: Context,
  block: Setting,
  fields: Map<string, Meaning>,
): ReadonlyMap<string, Meaning> {
  const changed = new Map<string, Meaning>();
  for (const [name, meaning] of fields) {
    const target = localTarget(block);
    context.scope.define({ name, kind: 'field', meaning, span: block, target, used: true });
  }
  for (const s of block.body?.statements ?? []) {
    if (s.kind !== 'bind') continue;
    transformFields(context, s, fields, false, 'augment');
    for (const { name } of s.targets)
      if (fields.has(name)) changed.set(name, context.scope.find(name)?.meaning ?? failed);
  }
  return changed;
}

interface DataState {
  readonly face: Draft;
  readonly fields: Map<string, Meaning>;
  readonly seen: Map<string, Setting>;
  readonly host: LangHost;
  readonly schema: Schema | undefined;
}

function dataSetting(context: Context, s: Setting, state: DataState): void {
  const word = s.keyword.name;
  if (!settings.data.includes(word)) {
    report(context, 'unknown-name', s.keyword, {
      name: word,
      kind: 'setting',
      candidates: closest(word, settings.data),
    });
    return;
  }
  refer(context, s.keyword, word, 'setting', undefined);
  if (firstOf(context, s, state.seen)) dataRules[word]?.(context, s, state);
}

/** A setting stands once in a block. */
export function firstOf(context: Context, s: Setting, seen: Map<string, Setting>): boolean {
  const before = seen.get(s.keyword.name);
  if (before === undefined) {
    seen.set(s.keyword.name, s);
    return true;
  }
  const related = [{ target: localTarget(before.keyword), role: 'first' as const, text: s.keyword.name }];
  report(context, 'duplicate-name', s.keyword, { name: s.keyword.name, what: 'setting' }, { related });
  return false;
}

const dataRules: Readonly<Record<string, (context: Context, s: Setting, state: DataState) => void>> = {
  augment: (context, s, { fields, schema }) => {
    const inner: Context = { ...context, scope: new Scope(context.scope, true), end: s.end, augmenting: true };
    for (const statement of s.body?.statements ?? []) {
      if (statement.kind === 'bind') transformFields(inner, statement, fields, schema === undefined, 'augment');
    }
  },
  split: (context, s, { face }) => {
    for (const arg of s.args) splitPart(context, arg, face);
  },
  test: (context, s, state) => {
    const value = s.args[0]?.value;
    const call = value && sourceCall(context, value);
    if (!value || !call) return;
    state.face.test = call;
    const test = readSchema(context, value, call, state.host);
    if (test && state.schema) sameColumns(context, value, state.schema, test);
  },
  batch: (context, s, { face }) => {
    face.batch = wholeSetting(context, s, 1) ?? face.batch;
  },
  shuffle: (context, s, { face }) => {
    const value = s.args[0] && context.rules.evaluate(context, s.args[0].value);
    if (value?.kind === 'bool' && value.value !== undefined) face.shuffle = value.value;
    else if (value && !isError(value))
      report(context, 'type-mismatch', s.args[0]!.value, {
        subject: 'shuffle',
        expected: 'true or false',
        found: kindOf(value),
      });
  },
  sample: (context, s, { face }) => {
    const value = s.args[0]?.value;
    const by = value?.kind === 'call' && value.callee.kind === 'name' ? value.callee : undefined;
    const [label, surplus] = value?.kind === 'call' ? value.args : [];
    if (by?.name === 'balanced' && label?.value.kind === 'name' && label.value.name !== '' && !surplus) {
      refer(context, by, by.name, 'library', undefined);
      face.balance = label.value;
    } else if (value && value.kind !== 'missing') {
      const expected = 'balanced with the name of a label, as in balanced(label)';
      report(context, 'type-mismatch', value, { subject: 'sample', expected, found: 'something else' });
    }
  },
};

/** Samples are balanced by a field as it is after all transforms, and drawn in an order of their own. */
function checkBalance(context: Context, face: Draft, seen: ReadonlyMap<string, Setting>): void {
  if (face.balance === undefined) return;
  const label = context.rules.evaluate(context, face.balance);
  const fits = label.kind === 'tensor' && typeof label.classes === 'number' && label.shape.length === 0;
  if (!fits && !isError(label)) {
    const expected = 'a class a sample, such as index(10)[]';
    const data = { subject: 'label', callee: 'balanced', expected, found: showMeaning(label) };
    report(context, 'type-mismatch', face.balance, data, { related: declaredRelated(context, face.balance) });
  }
  const shuffle = seen.get('shuffle');
  if (face.shuffle || shuffle === undefined) return;
  const data = { subject: 'shuffle', expected: 'true, since sample draws in random order', found: 'false' };
  report(context, 'value-out-of-range', shuffle.args[0]?.value ?? shuffle, data);
}

/** The test source holds the same columns. */
function sameColumns(context: Context, e: Expression, train: Schema, test: Schema): void {
  for (const column of train.columns) {
    const other = test.columns.find(c => c.name === column.name);
    const [a, b] = [fieldOf(column), other && fieldOf(classesOf(column, other))];
    if (b && showTensor(a) === showTensor(b)) continue;
    const data = {
      role: 'annotation',
      subject: column.name,
      expected: showTensor(a),
      found: b ? showTensor(b) : 'no such column',
    } as const;
    report(context, 'shape-mismatch', e, data);
    return;
  }
}

/** Test data may lack classes; where both have names, loading matches those. */
function classesOf(train: ColumnSchema, test: ColumnSchema): ColumnSchema {
  if (train.classes === undefined || test.classes === undefined) return test;
  const named = train.classNames !== undefined && test.classNames !== undefined;
  return named || test.classes <= train.classes ? { ...test, classes: train.classes } : test;
}

/** The one whole number of a setting, at least `least`. */
export function wholeSetting(context: Context, s: Setting, least: number): number | undefined {
  const arg = s.args[0];
  const value = arg && context.rules.evaluate(context, arg.value);
  if (!value || isError(value)) return undefined;
  const real = value.kind === 'number' ? value.real : undefined;
  if (real !== undefined && Number.isInteger(real) && real >= least) return real;
  const subject = s.keyword.name;
  const expected = least === 0 ? 'a whole number of at least 0' : `a whole number of at least ${least}`;
  if (value.kind === 'number')
    report(context, 'value-out-of-range', arg.value, { subject, expected, found: showMeaning(value) });
  else report(context, 'type-mismatch', arg.value, { subject, expected, found: kindOf(value) });
  return undefined;
}

const splitParts = ['validation', 'test'];

function splitPart(context: Context, arg: Argument, face: Draft): void {
  const name = arg.name?.name;
  if (name !== 'validation' && name !== 'test') {
    const span = arg.name ?? arg;
    if (arg.value.kind !== 'missing')
      report(context, 'unknown-argument', span, {
        callee: 'split',
        name: name ?? '',
        candidates: closest(name ?? '', splitParts),
        parameters: splitParts,
      });
    return;
  }
  const value = context.rules.evaluate(context, arg.value);
  if (isError(value)) return;
  const part = value.kind === 'number' ? value.real : undefined;
  if (part !== undefined && part > 0 && (part < 1 || Number.isInteger(part))) {
    face.split[name] = part;
    return;
  }
  const data = {
    split: name,
    value: showMeaning(value),
    expected: 'a fraction between 0 and 1, or a number of samples',
  };
  report(context, 'split-out-of-range', arg.value, data);
}

/** Every part gets at least one sample, and a batch is no larger than the training part, whose size comes back where all is well. */
function checkCounts(
  context: Context,
  node: DataDeclaration,
  face: Draft,
  seen: Map<string, Setting>,
  samples: number | undefined,
): number | undefined {
  const split = seen.get('split');
  const { validation = 0, test = 0 } = face.split;
  const argument = (name: string) => split?.args.find(a => a.name?.name === name)?.value ?? split ?? node.name;
  if (validation < 1 && test < 1 && validation + test >= 1) {
    const expected = `less than ${Number((1 - validation).toPrecision(6))}, what validation leaves`;
    report(context, 'split-out-of-range', argument('test'), { split: 'test', value: String(test), expected });
    return undefined;
  }
  if (samples === undefined) return undefined;
  const counted = { validation: countOf(validation, samples), test: countOf(test, samples) };
  for (const [name, part] of [
    ['validation', validation],
    ['test', test],
  ] as const) {
    if (part === 0) continue;
    if (counted[name] >= 1 && counted[name] < samples) continue;
    const expected = `a part of the ${samples} samples that is not empty and leaves some for training`;
    report(context, 'split-out-of-range', argument(name), { split: name, value: String(part), expected });
    return undefined;
  }
  const left = samples - counted.validation - counted.test;
  if (left < 1) {
    const expected = `parts that leave some of the ${samples} samples for training`;
    report(context, 'split-out-of-range', argument('test'), { split: 'test', value: String(test), expected });
    return undefined;
  }
  if (face.batch <= left) return left;
  const at = seen.get('batch')?.args[0]?.value ?? node.name;
  report(context, 'batch-too-large', at, { batch: face.batch, samples: left });
  return undefined;
}

function countOf(part: number, samples: number): number {
  return part < 1 ? Math.round(part * samples) : part;
}
