/** What the losses of a train block move: layers that a gradient never reaches, and losses that pull the same weights apart. */
import { isUnder } from '../../../engine/ir/weightNames.ts';
import { type Expression, type Setting, type TrainDeclaration, walk } from '../syntax/ast.ts';
import { libraryCallee } from './callee.ts';
import { type Context, localTarget, report } from './context.ts';
import { isError } from './meaning.ts';
import type { Binding } from './scope.ts';
import type { TrainFace } from './train.ts';

/** What is known of a value: the layers that its gradient reaches, what it is, and what it says as a loss. */
interface Flow {
  /** Paths of bound layers; anonymous ones have a name of their own. */
  readonly reach: ReadonlySet<string>;
  /** Equal for values that are computed alike, `detach` or not. */
  readonly key: string;
  readonly terms: readonly Term[];
}

/** A part of a loss: `bce(d(fake), 0)` judges `bce(d(fake))` to be 0, `-mean(d(fake))` judges `mean(d(fake))` to be more. */
interface Term {
  readonly judged: string;
  readonly verdict: string;
}

/** A `minimize`: its argument, and the paths of what it moves. */
interface Loss {
  readonly s: Setting;
  readonly value: Expression;
  readonly flow: Flow;
  readonly moved: readonly string[];
}

type Flows = Map<string, Flow>;

const nothing: ReadonlySet<string> = new Set();

/** Statements of a train block run once and in order, so that what stands behind a name is known. `made`: what they bind. */
export function checkObjectives(
  context: Context,
  node: TrainDeclaration,
  face: TrainFace,
  made: readonly Binding[],
): void {
  const flows: Flows = new Map();
  const losses: Loss[] = [];
  let at = 0;
  for (const s of node.body.statements) {
    if (s.kind === 'bind') {
      const flow = flowOf(context, flows, s.value);
      for (const { name } of s.targets) flows.set(name, flow);
    }
    if (s.kind !== 'setting' || s.keyword.name !== 'minimize') continue;
    const objective = face.objectives[at++];
    const value = s.args[0]?.value;
    if (value === undefined || objective === undefined || isError(objective.loss)) continue;
    const flow = flowOf(context, flows, value);
    unreached(context, s, value, flow, objective.over);
    const moved = objective.over ?? [...flow.reach];
    losses.push({ s, value, flow, moved: moved.filter(path => !face.frozen.some(f => isUnder(path, f.path))) });
  }
  for (const [i, second] of losses.entries())
    for (const first of losses.slice(0, i)) {
      if (!opposed(first.flow.terms, second.flow.terms)) continue;
      const shared = second.moved.filter(path => overlaps(path, first.moved));
      if (shared.length > 0) opposing(context, shared, first, second);
    }
  if (losses.length > 0 && losses.length === face.objectives.length) untrained(context, face, made, losses);
}

/** Weights that are used and that nothing moves, though no one says that they are to stay. */
function untrained(context: Context, face: TrainFace, made: readonly Binding[], losses: readonly Loss[]): void {
  const moved = losses.flatMap(loss => loss.moved);
  const kept = [...face.frozen, ...face.inits].map(({ path }) => path);
  for (const { name, span, meaning } of made) {
    if (meaning.kind !== 'layer' || !meaning.callee.weights || meaning.state.applied === 0) continue;
    if (!overlaps(meaning.path, [...moved, ...kept])) report(context, 'untrained-layer', span, { layer: name });
  }
}

/** The gradient of a loss stops before what it is to move. */
function unreached(
  context: Context,
  s: Setting,
  value: Expression,
  { reach }: Flow,
  over: readonly string[] | undefined,
): void {
  if (over === undefined) {
    if (reach.size === 0) report(context, 'no-gradient', value, {});
    return;
  }
  // A path that was no layer has been reported, and then they don't belong together one by one.
  if (s.over?.length !== over.length) return;
  for (const [i, path] of over.entries())
    if (!overlaps(path, [...reach])) report(context, 'no-gradient', s.over[i]!, { layer: path });
}

/** Said of the loss that moves more than its own weights where that shows, else of the later one. */
function opposing(context: Context, shared: readonly string[], first: Loss, second: Loss): void {
  const loose = first.s.over === undefined && ownOf(first, second).length > 0 ? first : second;
  const other = loose === first ? second : first;
  const own = loose.s.over === undefined ? ownOf(loose, other) : [];
  const over = own.every(path => /^[\w.]+$/.test(path)) ? own : [];
  const { end } = loose.value;
  const fix = over.length > 0 ? [{ span: { start: end, end }, text: ` over ${over.join(', ')}` }] : undefined;
  const related = [{ target: localTarget(other.value), role: 'value' as const, text: 'the other loss' }];
  const weights = shared.map(path => path.replace(/@.*/, ''));
  report(context, 'opposing-objectives', loose.value, { weights, over }, { related, ...(fix && { fix }) });
}

/** What it alone moves is likely what it is meant to move. */
function ownOf(loss: Loss, other: Loss): readonly string[] {
  return loss.moved.filter(path => !overlaps(path, other.moved));
}

function overlaps(path: string, paths: readonly string[]): boolean {
  return paths.some(other => isUnder(path, other) || isUnder(other, path));
}

function opposed(a: readonly Term[], b: readonly Term[]): boolean {
  return a.some(x => b.some(y => x.judged === y.judged && x.verdict !== y.verdict));
}

function flowOf(context: Context, flows: Flows, e: Expression): Flow {
  const flow = plainFlow(context, flows, e);
  const meaning = context.sheet.types.get(e);
  const stops = meaning?.kind === 'tensor' && meaning.dtype !== 'f32';
  return stops ? { ...flow, reach: nothing } : flow;
}

function plainFlow(context: Context, flows: Flows, e: Expression): Flow {
  switch (e.kind) {
    case 'name':
      return flows.get(e.name) ?? { reach: nothing, key: e.name, terms: [] };
    case 'number':
    case 'bool':
    case 'string':
      return { reach: nothing, key: String(e.value), terms: [] };
    case 'pipe': {
      const [callee, args] = e.stage.kind === 'call' ? [e.stage.callee, e.stage.args] : [e.stage, []];
      return applied(context, flows, callee, [e.left, ...args.map(a => a.value)]);
    }
    case 'call':
      return applied(
        context,
        flows,
        e.callee,
        e.args.map(a => a.value),
      );
    case 'binary':
    case 'unary':
      return combined(context, flows, e);
    case 'scan':
      return scanned(context, flows, e);
    case 'list':
    case 'tuple':
      return joined(
        e.kind,
        e.items.map(item => flowOf(context, flows, item)),
      );
    // Two slices are alike only where they have one name.
    case 'index':
    case 'member':
      return { ...joined('', [flowOf(context, flows, e.object)]), key: `${e.kind}@${e.start}` };
    case 'missing':
      return { reach: nothing, key: '', terms: [] };
  }
}

function joined(name: string, parts: readonly Flow[], terms: readonly Term[] = []): Flow {
  const reach = new Set(parts.flatMap(p => [...p.reach]));
  return { reach, key: `${name}(${parts.map(p => p.key).join(', ')})`, terms };
}

/** A call: of `detach`, of a bound layer, of one without a name, or of a function. */
function applied(context: Context, flows: Flows, callee: Expression, args: readonly Expression[]): Flow {
  const parts = args.map(a => flowOf(context, flows, a));
  const layer = context.sheet.types.get(callee);
  if (layer?.kind === 'layer' && layer.path !== '') {
    const flow = joined(layer.path, parts);
    return layer.callee.weights ? { ...flow, reach: new Set([...flow.reach, layer.path]) } : flow;
  }
  const name = callee.kind === 'name' ? callee.name : callee.kind;
  const [first] = parts;
  if (name === 'detach' && first) return { reach: nothing, key: first.key, terms: [] };
  const weights = context.globals.lookup(name)?.kind === 'model' || libraryCallee(name, 'model')?.weights;
  if (weights) return joined(name, [...parts, { reach: new Set([`${name}@${callee.start}`]), key: '', terms: [] }]);
  return joined(name, parts, termsOf(name, parts, args));
}

function termsOf(name: string, [prediction, target]: readonly Flow[], args: readonly Expression[]): readonly Term[] {
  if (prediction === undefined || prediction.reach.size === 0) return [];
  if (name === 'mean' || name === 'sum')
    return prediction.terms.length > 0 ? prediction.terms : [{ judged: prediction.key, verdict: '+' }];
  const loss = libraryCallee(name, 'model')?.library?.fn.kind === 'loss';
  const constant = args[1]?.kind === 'number' || (args[1]?.kind === 'unary' && args[1].operand.kind === 'number');
  return loss && constant ? [{ judged: `${name}(${prediction.key})`, verdict: target!.key }] : [];
}

function negated({ judged, verdict }: Term): Term {
  return { judged, verdict: verdict === '+' ? '-' : verdict === '-' ? '+' : `-${verdict}` };
}

/** Sums, differences and multiples of losses, and of what losses are means of. */
function combined(context: Context, flows: Flows, e: Extract<Expression, { kind: 'binary' | 'unary' }>): Flow {
  const parts = (e.kind === 'unary' ? [e.operand] : [e.left, e.right]).map(part => flowOf(context, flows, part));
  const judged = parts.map(({ terms, reach, key }) =>
    terms.length > 0 || reach.size === 0 ? terms : [{ judged: key, verdict: '+' }],
  );
  const [first = [], second = []] = judged;
  if (e.kind === 'unary') return joined(e.op, parts, first.map(negated));
  if (e.op === '+') return joined('+', parts, [...first, ...second]);
  if (e.op === '-') return joined('-', parts, [...first, ...second.map(negated)]);
  const multiple = e.op === '*' || (e.op === '/' && second.length === 0);
  const factor = parts[first.length > 0 ? 1 : 0]!;
  if (!multiple || factor.reach.size > 0) return joined(e.op, parts);
  const terms = [...first, ...second];
  return joined(e.op, parts, factor.key.startsWith('-') ? terms.map(negated) : terms);
}

/** Its body may read anything around it, and own weights. */
function scanned(context: Context, flows: Flows, e: Extract<Expression, { kind: 'scan' }>): Flow {
  const reach = new Set([`scan@${e.start}`]);
  walk(e, n => {
    const read = n.kind === 'name' ? flows.get(n.name)?.reach : undefined;
    const layer = n.kind === 'name' ? context.sheet.types.get(n) : undefined;
    for (const path of read ?? []) reach.add(path);
    if (layer?.kind === 'layer' && layer.path !== '') reach.add(layer.path);
  });
  return { reach, key: `scan@${e.start}`, terms: [] };
}
