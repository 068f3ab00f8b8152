/** Checking a train block: fields with the batch dimension, networks, objectives, reports, settings. The same walk lowers it. */
import { dimVar } from '../../../engine/dim/dim.ts';
import type { Call, CallArgument } from '../../../engine/ir/program.ts';
import { closest } from '../names.ts';
import { type Argument, type Expression, type Setting, type TrainDeclaration, walk } from '../syntax/ast.ts';
import { settingOf, type TrainSetting, trainSettings } from '../syntax/settings.ts';
import { settings } from '../syntax/statements.ts';
import type { Span } from '../text.ts';
import { checkBatchOfOne } from './batchOfOne.ts';
import { libraryCallee } from './callee.ts';
import { batchVariable, type Context, localTarget, refer, report } from './context.ts';
import { firstOf, wholeSetting } from './data.ts';
import { failed, isError, kindOf, type Meaning, showMeaning, tensorMeaning, wholeNumber } from './meaning.ts';
import { checkObjectives } from './objectives.ts';
import type { Binding } from './scope.ts';
import { generate, type Shown, show } from './show.ts';
import { bind, unused } from './statements.ts';
import { addSweep, type Sweep } from './sweep.ts';

export interface TrainFace {
  readonly objectives: Objective[];
  readonly reports: TrainReport[];
  /** Metrics that stop rules and schedules follow. */
  readonly monitors: { readonly call: Expression; readonly monitor: string }[];
  /** Layers whose weights stay as they are. */
  readonly frozen: LayerPath[];
  /** Layers that start from weights of a run or a file. */
  readonly inits: (LayerPath & { readonly from: string; readonly fromSpan: Span })[];
  readonly sweep: Sweep;
  /** What people see while it trains; none in the walk that makes the training graph. */
  readonly shown: Shown[];
  epochs?: number;
  steps?: number;
  seed: number;
  device: 'auto' | 'webgpu' | 'cpu';
  clip?: number;
  clipValue?: number;
  accumulate?: number;
  average?: number;
  precision?: 'float32' | 'mixed';
  checkpoint?: { readonly every: number; readonly keep?: number };
  stop?: Call;
}

/** Prefix of the names of a layer's weights, and where it is written. */
interface LayerPath {
  readonly path: string;
  readonly span: Span;
}

interface Objective {
  readonly loss: Meaning;
  /** Prefixes of the weights it moves; undefined: all that it depends on. */
  readonly over?: readonly string[];
  readonly optimizer: Call | undefined;
}

interface TrainReport {
  readonly name: string;
  readonly better: 'lower' | 'higher';
  readonly meaning: Meaning;
}

/** `fields`: per sample; undefined where the data is not known, so that names of fields stay silent. */
export function checkTrain(
  context: Context,
  node: TrainDeclaration,
  fields: ReadonlyMap<string, Meaning> | undefined,
): TrainFace {
  const face: TrainFace = {
    objectives: [],
    reports: [],
    monitors: [],
    frozen: [],
    inits: [],
    sweep: { names: [] },
    shown: [],
    seed: 0,
    device: 'auto',
  };
  defineFields(context, node, fields);
  const seen = new Map<string, Setting>();
  const made: Binding[] = [];
  const lenient: Context = { ...context, lenient: fields === undefined, anonymous: new Map(), batchFirst: true };
  for (const s of node.body.statements) {
    if (s.kind === 'bind') bind(lenient, s, made);
    else if (s.kind === 'setting') trainSetting(lenient, s, face, seen);
    else if (s.kind === 'result') {
      context.rules.evaluate(lenient, s.value);
      report(context, 'syntax-error', s, { expected: 'a binding or a setting', found: '' });
    } else if (s.kind !== 'broken') report(context, 'unsupported', s, { what: `${s.kind} in a train block` });
  }
  for (const { call, monitor } of face.monitors) checkMonitor(lenient, call, monitor, face);
  if (!context.emission) {
    for (const binding of made) unused(context, binding);
    checkObjectives(context, node, face, made);
    checkBatchOfOne(context, node);
    demanded(context, node, face, seen);
  }
  return face;
}

function defineFields(
  context: Context,
  node: TrainDeclaration,
  fields: ReadonlyMap<string, Meaning> | undefined,
): void {
  const span = { start: 0, end: 0 };
  const batch: Binding = {
    name: batchVariable,
    kind: 'dimension',
    meaning: wholeNumber(dimVar(batchVariable)),
    span,
    target: { kind: 'global', uri: context.uri, name: node.on.name },
    used: true,
  };
  context.scope.define(batch);
  for (const [name, m] of fields ?? []) {
    const target = { kind: 'global' as const, uri: context.uri, name: node.on.name, parameter: name };
    const whole = batched(m);
    const meaning: Meaning = whole.kind === 'tensor' ? { ...whole, field: name } : whole;
    context.scope.define({ name, kind: 'field', meaning, span, target, used: true });
  }
}

/** A field as the train block sees it: [784] becomes [B, 784]. */
export function batched(m: Meaning): Meaning {
  if (m.kind !== 'tensor') return m;
  const { dtype, shape, classes, node } = m;
  const batch = dimVar(batchVariable);
  return { ...tensorMeaning(dtype, [batch, ...shape], classes), ...(node && { node }) };
}

function demanded(context: Context, node: TrainDeclaration, face: TrainFace, seen: ReadonlyMap<string, Setting>): void {
  const lacks = (statement: string, place: Span = node.name) =>
    report(context, 'missing-statement', place, { block: `train ${node.name.name}`, statement });
  if (face.objectives.length === 0 && !seen.has('minimize')) lacks('minimize');
  else if (!seen.has('epochs') && !seen.has('steps')) lacks('epochs', boundInstead(node, ['epochs', 'steps']));
}

/** `epochs = 10` makes a name where the setting `epochs 10` was meant. */
function boundInstead(node: TrainDeclaration, words: readonly string[]): Span | undefined {
  const names = node.body.statements.flatMap(s => (s.kind === 'bind' ? s.targets : []));
  return names.find(({ name }) => words.includes(name));
}

type Rule = (context: Context, s: Setting, face: TrainFace) => void;

function trainSetting(context: Context, s: Setting, face: TrainFace, seen: Map<string, Setting>): void {
  const word = s.keyword.name;
  if (!settings.train.includes(word)) {
    report(context, 'unknown-name', s.keyword, {
      name: word,
      kind: 'setting',
      candidates: closest(word, settings.train),
    });
    return;
  }
  refer(context, s.keyword, word, 'setting', undefined);
  if (settingOf('train', word)?.several) seen.set(word, s);
  else if (!firstOf(context, s, seen)) return;
  const other = word === 'epochs' ? seen.get('steps') : word === 'steps' ? seen.get('epochs') : undefined;
  if (other) {
    const related = [{ target: localTarget(other.keyword), role: 'first' as const, text: other.keyword.name }];
    report(context, 'duplicate-name', s.keyword, { name: word, what: 'setting' }, { related });
  }
  rules[word as TrainSetting](context, s, face);
}

const rules: Readonly<Record<TrainSetting, Rule>> = {
  minimize,
  report: (context, s, face) => {
    for (const arg of s.args) reported(context, arg, face);
  },
  freeze: (context, s, face) => {
    for (const { value } of s.args)
      face.frozen.push(...layerPath(context, value, 'freeze').map(path => ({ path, span: value })));
  },
  epochs: (context, s, face) => {
    const value = wholeSetting(context, s, 1);
    if (value !== undefined) face.epochs = value;
  },
  steps: (context, s, face) => {
    const value = wholeSetting(context, s, 1);
    if (value !== undefined) face.steps = value;
  },
  seed: (context, s, face) => {
    face.seed = wholeSetting(context, s, 0) ?? face.seed;
  },
  clip,
  accumulate: (context, s, face) => {
    const value = wholeSetting(context, s, 1);
    if (value !== undefined) face.accumulate = value;
  },
  average: (context, s, face) => {
    const value =
      s.args[0] && numberWithin(context, s.args[0], 'average', 'a number from 0 to below 1', x => x >= 0 && x < 1);
    if (value !== undefined) face.average = value;
  },
  checkpoint,
  precision: (context, s, face) => {
    const value = wordOf(context, s, trainSettings.precision.words);
    if (value !== undefined) face.precision = value;
  },
  device: (context, s, face) => {
    face.device = wordOf(context, s, trainSettings.device.words) ?? face.device;
  },
  init,
  show: (context, s, face) => show(context, s, face.shown),
  generate: (context, s, face) => generate(context, s, face.shown, arg => argumentName(context, s, arg, 'prompt')),
  sweep: (context, s, face) => addSweep(context, s, face.sweep),
  stop: (context, s, face) => {
    const value = s.args[0]?.value;
    const meaning = value && context.rules.evaluate({ ...context, places: ['stop'] }, value);
    if (meaning?.kind === 'plan' && meaning.place === 'stop') {
      face.stop = meaning.call;
      face.monitors.push({ call: value!, monitor: String(meaning.call.args.monitor) });
    } else if (meaning && !isError(meaning)) {
      report(context, 'type-mismatch', value!, {
        subject: 'stop',
        expected: 'a stop rule such as early(patience: 5)',
        found: kindOf(meaning),
      });
    }
  },
};

function minimize(context: Context, s: Setting, face: TrainFace): void {
  const value = s.args[0]?.value;
  const loss = value ? scalarLoss(context, value) : failed;
  const over = s.over?.flatMap(e => layerPath(context, e, 'over'));
  const using = s.using && context.rules.evaluate({ ...context, places: ['optimizer'] }, s.using);
  if (using === undefined) report(context, 'missing-statement', s.keyword, { block: 'minimize', statement: 'using' });
  const optimizer = using && optimizerOf(context, s.using!, using);
  if (optimizer) followed(context, s.using!, optimizer.args.lr, face);
  face.objectives.push({ loss, optimizer, ...(over && { over }) });
}

/** The metrics that schedules follow; the reports may stand below, so they are looked at when all is known. */
function followed(context: Context, using: Expression, lr: CallArgument | undefined, face: TrainFace): void {
  if (typeof lr !== 'object' || !('name' in lr)) return;
  if (typeof lr.args.monitor === 'string') face.monitors.push({ call: using, monitor: lr.args.monitor });
  followed(context, using, lr.args.lr, face);
}

function scalarLoss(context: Context, e: Expression): Meaning {
  const loss = context.rules.evaluate(context, e);
  if (isError(loss)) return failed;
  if (loss.kind === 'tensor' && loss.shape.length === 0 && loss.dtype === 'f32') return loss;
  const expected = 'a loss, a tensor of shape []';
  report(context, 'type-mismatch', e, { subject: 'minimize', expected, found: kindOf(loss) });
  return failed;
}

/** `using adam` without brackets takes all defaults. */
function optimizerOf(context: Context, e: Expression, m: Meaning): Call | undefined {
  if (m.kind === 'plan' && m.place === 'optimizer') return m.call;
  if (m.kind === 'layer' && m.callee.plan === 'optimizer' && e.kind === 'name') {
    const bare = context.rules.evaluate(
      { ...context, places: ['optimizer'] },
      { kind: 'call', callee: e, args: [], open: e.end, closed: true, start: e.start, end: e.end },
    );
    if (bare.kind === 'plan') return bare.call;
  }
  if (!isError(m))
    report(context, 'type-mismatch', e, {
      subject: 'using',
      expected: 'an optimizer such as adam()',
      found: kindOf(m),
    });
  return undefined;
}

function reported(context: Context, arg: Argument, face: TrainFace): void {
  const meaning = context.rules.evaluate({ ...context, places: ['metric', 'model'] }, arg.value);
  if (isError(meaning)) return;
  if (meaning.kind !== 'tensor' || meaning.shape.length > 0) {
    report(context, 'type-mismatch', arg.value, {
      subject: 'report',
      expected: 'a metric, a tensor of shape []',
      found: kindOf(meaning),
    });
    return;
  }
  const metric = meaning.via === undefined ? undefined : libraryCallee(meaning.via, 'metric')?.library?.fn;
  const better = metric?.kind === 'metric' ? metric.better : 'lower';
  const base = arg.name?.name ?? (arg.value.kind === 'name' ? arg.value.name : (meaning.via ?? 'value'));
  const taken = face.reports.filter(r => r.name === base || r.name.startsWith(`${base}_`)).length;
  face.reports.push({ name: taken === 0 ? base : `${base}_${taken + 1}`, better, meaning });
}

/** `d`, `encoder.embedding`: the prefix of the weights' names; none if it is no layer (reported). */
function layerPath(context: Context, e: Expression, subject: string): readonly string[] {
  const members: string[] = [];
  let at = e;
  while (at.kind === 'member') {
    members.unshift(at.member.name);
    at = at.object;
  }
  const m = context.rules.evaluate(context, at);
  if (m.kind === 'layer' && m.path !== '') return [[m.path, ...members].join('.')];
  if (!isError(m))
    report(context, 'type-mismatch', e, {
      subject,
      expected: 'a layer or model bound above',
      found: kindOf(m),
    });
  return [];
}

function init(context: Context, s: Setting, face: TrainFace): void {
  const paths = s.args.flatMap(({ value }) => layerPath(context, value, 'init').map(path => ({ path, span: value })));
  const { from } = s;
  if (from === undefined) {
    report(context, 'missing-statement', s.keyword, { block: 'init', statement: 'from' });
    return;
  }
  const m = context.rules.evaluate(context, from);
  if (m.kind !== 'string' || m.value === undefined) {
    const expected = 'the name of a run or the path of a .safetensors file, in quotes';
    if (!isError(m)) report(context, 'type-mismatch', from, { subject: 'from', expected, found: kindOf(m) });
    return;
  }
  const weights = context.readWeights?.(m.value);
  // A run still to be made by a train block of this file is no mistake; who trains this one first is told so then.
  const awaited = weights?.kind === 'problem' && weights.code === 'data-missing' && isTrain(context, m.value);
  if (weights?.kind === 'problem' && !awaited)
    report(context, weights.code, from, { source: 'init', path: '', message: weights.message });
  for (const path of paths) face.inits.push({ ...path, from: m.value, fromSpan: from });
}

function isTrain(context: Context, name: string): boolean {
  return context.globals.lookup(name)?.kind === 'train';
}

function clip(context: Context, s: Setting, face: TrainFace): void {
  for (const arg of s.args) {
    const name = argumentName(context, s, arg, 'norm');
    if (name === undefined) continue;
    const value = numberWithin(context, arg, 'clip', 'a number above 0', x => x > 0);
    if (value !== undefined) face[name === 'value' ? 'clipValue' : 'clip'] = value;
  }
}

function checkpoint(context: Context, s: Setting, face: TrainFace): void {
  const found: { every?: number; keep?: number } = {};
  for (const arg of s.args) {
    const name = argumentName(context, s, arg, 'every');
    if (name === undefined) continue;
    const value = numberWithin(context, arg, name, 'a whole number of at least 1', x => x >= 1 && Number.isInteger(x));
    if (value !== undefined) found[name === 'keep' ? 'keep' : 'every'] = value;
  }
  const { every, keep } = found;
  if (every !== undefined) face.checkpoint = { every, ...(keep !== undefined && { keep }) };
}

/** The name of an argument of a setting, `usual` where it has none; undefined, and reported, where it takes none of that name. */
function argumentName(context: Context, s: Setting, arg: Argument, usual: string): string | undefined {
  const name = arg.name?.name ?? usual;
  const names = Object.keys(settingOf('train', s.keyword.name)?.named ?? {});
  if (names.includes(name)) return name;
  context.rules.evaluate(context, arg.value);
  const candidates = closest(name, names).concat(names.filter(n => !closest(name, names).includes(n)));
  report(context, 'unknown-argument', arg.name ?? arg, { callee: s.keyword.name, name, candidates, parameters: names });
  return undefined;
}

function numberWithin(
  context: Context,
  arg: Argument,
  subject: string,
  expected: string,
  holds: (x: number) => boolean,
): number | undefined {
  const m = context.rules.evaluate(context, arg.value);
  if (isError(m)) return undefined;
  if (m.kind === 'number' && m.real !== undefined && holds(m.real)) return m.real;
  report(context, 'value-out-of-range', arg.value, { subject, expected, found: showMeaning(m) });
  return undefined;
}

/** The one word of a setting that takes words. */
function wordOf<W extends string>(context: Context, s: Setting, words: readonly W[]): W | undefined {
  const value = s.args[0]?.value;
  const name = value?.kind === 'name' ? value.name : '';
  const found = words.find(w => w === name);
  if (found === undefined && value && value.kind !== 'missing') {
    const near = closest(name, words);
    const candidates = near.concat(words.filter(w => !near.includes(w)));
    report(context, 'unknown-name', value, { name, kind: 'word', candidates });
  }
  return found;
}

/** What stands behind `monitor:` in a stop rule, or in a schedule somewhere within an optimiser. */
function monitorArgument(call: Expression): Expression | undefined {
  let found: Expression | undefined;
  walk(call, node => {
    if (node.kind === 'argument' && node.name?.name === 'monitor') found ??= node.value;
  });
  return found;
}

/** `validation.loss` or a report, on one of the splits. */
function checkMonitor(context: Context, call: Expression, monitor: string, face: TrainFace): void {
  const argument = monitorArgument(call);
  const [split, ...rest] = monitor.split('.');
  const names = ['loss', ...face.reports.map(r => r.name)];
  const known = names.flatMap(n => [n, `train.${n}`, `validation.${n}`]);
  const valid = known.includes(monitor) || /^(?:train\.|validation\.)?loss_\d+$/.test(monitor);
  if (valid && split === 'validation' && context.validation === false) {
    const data = { block: 'the data block', statement: 'split validation' };
    report(context, 'missing-statement', argument ?? call, data);
  }
  if (valid || !argument || split === undefined || rest.length > 1) return;
  report(context, 'unknown-name', argument, { name: monitor, kind: 'metric', candidates: closest(monitor, known) });
}
