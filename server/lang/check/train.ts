/** Checking a train block: fields with the batch dimension, networks, objectives, reports, settings. The same walk lowers it. */
import { dimVar } from '../../../engine/dim/dim.ts';
import type { Call } from '../../../engine/ir/program.ts';
import { closest } from '../names.ts';
import type { Argument, Expression, Setting, TrainDeclaration } from '../syntax/ast.ts';
import { settings } from '../syntax/statements.ts';
import { libraryCallee } from './callee.ts';
import { type Context, localTarget, refer, report } from './context.ts';
import { firstOf, wholeSetting } from './data.ts';
import { failed, isError, kindOf, type Meaning, showMeaning, tensorMeaning, wholeNumber } from './meaning.ts';
import type { Binding } from './scope.ts';
import { bind, unused } from './statements.ts';

export interface TrainFace {
  readonly objectives: Objective[];
  readonly reports: TrainReport[];
  /** Prefixes of the weights that stay as they are. */
  readonly frozen: string[];
  epochs?: number;
  steps?: number;
  seed: number;
  device: 'auto' | 'webgpu' | 'cpu';
  clip?: number;
  stop?: Call;
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

/** The batch dimension of every field. */
export const batchVariable = 'B';

/** `fields`: per sample; undefined where the data is not known, so that names of fields stay silent. */
export function checkTrain(
  context: Context,
  node: TrainDeclaration,
  fields: ReadonlyMap<string, Meaning> | undefined,
): TrainFace {
  const face: TrainFace = { objectives: [], reports: [], frozen: [], seed: 0, device: 'auto' };
  defineFields(context, node, fields);
  const seen = new Map<string, Setting>();
  const made: Binding[] = [];
  const lenient: Context = { ...context, lenient: fields === undefined, anonymous: new Map() };
  for (const s of node.body.statements) {
    if (s.kind === 'bind') bind(lenient, s, made);
    else if (s.kind === 'setting') trainSetting(lenient, s, face, seen);
    else if (s.kind === 'result') {
      context.rules.evaluate(lenient, s.value);
      report(context, 'syntax-error', s, { expected: 'a binding or a setting', found: '' });
    } else if (s.kind !== 'broken') report(context, 'unsupported', s, { what: `${s.kind} in a train block` });
  }
  if (!context.emission) {
    for (const binding of made) unused(context, binding);
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
  const lacks = (statement: string) =>
    report(context, 'missing-statement', node.name, { block: `train ${node.name.name}`, statement });
  if (face.objectives.length === 0 && !seen.has('minimize')) lacks('minimize');
  else if (!seen.has('epochs') && !seen.has('steps')) lacks('epochs');
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
  const several = word === 'minimize' || word === 'report' || word === 'freeze' || word === 'show' || word === 'init';
  if (several) seen.set(word, s);
  else if (!firstOf(context, s, seen)) return;
  const other = word === 'epochs' ? seen.get('steps') : word === 'steps' ? seen.get('epochs') : undefined;
  if (other) {
    const related = [{ target: localTarget(other.keyword), role: 'first' as const, text: other.keyword.name }];
    report(context, 'duplicate-name', s.keyword, { name: word, what: 'setting' }, { related });
  }
  (rules[word] ?? notYet)(context, s, face);
}

const notYet: Rule = (context, s) => {
  for (const arg of s.args) context.rules.evaluate(context, arg.value);
  report(context, 'unsupported', s.keyword, { what: s.keyword.name });
};

const rules: Readonly<Record<string, Rule>> = {
  minimize,
  report: (context, s, face) => {
    for (const arg of s.args) reported(context, arg, face);
  },
  freeze: (context, s, face) => {
    for (const arg of s.args) face.frozen.push(...layerPath(context, arg.value));
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
  device,
  stop: (context, s, face) => {
    const value = s.args[0]?.value;
    const meaning = value && context.rules.evaluate({ ...context, places: ['stop'] }, value);
    if (meaning?.kind === 'plan' && meaning.place === 'stop') {
      face.stop = meaning.call;
      checkMonitor(context, value!, String(meaning.call.args.monitor), face);
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
  const over = s.over?.flatMap(e => layerPath(context, e));
  const using = s.using && context.rules.evaluate({ ...context, places: ['optimizer'] }, s.using);
  if (using === undefined) report(context, 'missing-statement', s.keyword, { block: 'minimize', statement: 'using' });
  const optimizer = using && optimizerOf(context, s.using!, using);
  face.objectives.push({ loss, optimizer, ...(over && { over }) });
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
function layerPath(context: Context, e: Expression): readonly string[] {
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
      subject: 'over',
      expected: 'a layer or model bound above',
      found: kindOf(m),
    });
  return [];
}

function clip(context: Context, s: Setting, face: TrainFace): void {
  const arg = s.args[0];
  const m = arg && context.rules.evaluate(context, arg.value);
  if (!m || isError(m)) return;
  if (m.kind === 'number' && m.real !== undefined && m.real > 0) face.clip = m.real;
  else
    report(context, 'value-out-of-range', arg.value, {
      subject: 'clip',
      expected: 'a number above 0',
      found: showMeaning(m),
    });
}

const devices = ['auto', 'webgpu', 'cpu'] as const;

function device(context: Context, s: Setting, face: TrainFace): void {
  const value = s.args[0]?.value;
  const name = value?.kind === 'name' ? value.name : '';
  const found = devices.find(d => d === name);
  if (found) face.device = found;
  else if (value && value.kind !== 'missing') {
    report(context, 'unknown-name', value, {
      name,
      kind: 'argument',
      candidates: closest(name, devices).concat(devices.filter(d => !closest(name, devices).includes(d))),
    });
  }
}

/** `validation.loss` or a report, on one of the splits. */
function checkMonitor(context: Context, call: Expression, monitor: string, face: TrainFace): void {
  const argument = call.kind === 'call' ? call.args.find(a => a.name?.name === 'monitor')?.value : undefined;
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
