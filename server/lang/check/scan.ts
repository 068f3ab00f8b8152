/** `scan`: a body walked along axis 1, states handed from turn to turn, the weights shared by all turns. */
import { type Dim, isConstant } from '../../../engine/dim/dim.ts';
import type { Value } from '../../../engine/ops/builder.ts';
import { buildScan } from '../../../engine/ops/scan.ts';
import type { ScanExpression } from '../syntax/ast.ts';
import { bindName, type Context, type LoopTurn, madeAt, maxTurns, noteSize, report, takeTurn } from './context.ts';
import { failed, isError, kindOf, type Meaning, showMeaning, type TensorMeaning } from './meaning.ts';
import { Naming, Scope } from './scope.ts';
import { shapesAgree } from './unify.ts';

/** The results of all turns stacked on axis 1: [B, T, ...]. */
export function scanMeaning(context: Context, e: ScanExpression): Meaning {
  const over = context.rules.evaluate(context, e.over);
  const initial = e.states.map(s => context.rules.evaluate(context, s.initial));
  if (isError(over) || initial.some(isError)) return failed;
  if (over.kind !== 'tensor' || over.shape.length < 2) {
    report(context, 'type-mismatch', e.over, {
      subject: 'scan',
      expected: 'a tensor [B, T, ...]',
      found: kindOf(over),
    });
    return failed;
  }
  const [batch, time, ...rest] = over.shape as readonly [Dim, Dim, ...Dim[]];
  const steps = { wants: 'known', size: time, callee: 'scan', axis: 'T' } as const;
  if (!context.emission && !noteSize(context, steps, e.over, { found: over.shape })) return failed;
  const word = { start: e.start, end: e.start + 'scan'.length };
  const prefix = `${madeAt(context, context.naming.anonymous('scan'), 'scan', word)}.`;
  if (context.emission) return emitted(context, e, over, initial, time, prefix);
  const step: TensorMeaning = { kind: 'tensor', dtype: over.dtype, shape: [batch, ...rest], ...classesOf(over) };
  const result = turn(context, e, step, initial, prefix)?.result;
  if (result?.kind !== 'tensor') return failed;
  const [first, ...others] = result.shape;
  return { kind: 'tensor', dtype: result.dtype, shape: first === undefined ? [time] : [first, time, ...others] };
}

interface Turn {
  readonly states: readonly Meaning[];
  readonly result: Meaning;
}

function turn(
  context: Context,
  e: ScanExpression,
  step: TensorMeaning,
  states: readonly Meaning[],
  prefix: string,
): Turn | undefined {
  const scope = new Scope(context.scope);
  const inner: Context = { ...context, scope, naming: new Naming(prefix), end: e.body.end };
  bindName(inner, e.variable, 'binding', step).used = true;
  for (const [i, { name }] of e.states.entries()) bindName(inner, name, 'binding', states[i]!).used = true;
  // In a scope of its own, so that a state it rebinds counts as read: by the next turn.
  const result = context.rules.block({ ...inner, scope: new Scope(scope) }, e.body);
  const after = e.states.map(s => scope.find(s.name.name)?.meaning ?? failed);
  for (const [i, m] of after.entries()) if (!sameState(context, e, i, states[i]!, m)) return undefined;
  if (result === undefined) {
    report(context, 'model-without-result', e.variable, { model: 'scan' });
    return undefined;
  }
  return { states: after, result };
}

function sameState(context: Context, e: ScanExpression, i: number, before: Meaning, after: Meaning): boolean {
  if (isError(after)) return false;
  if (before.kind !== 'tensor' || after.kind !== 'tensor') return true;
  if (before.dtype === after.dtype && shapesAgree(context, before.shape, after.shape)) return true;
  const { name } = e.states[i]!;
  const data = {
    role: 'operands',
    subject: name.name,
    expected: showMeaning(before),
    found: showMeaning(after),
  } as const;
  report(context, 'shape-mismatch', name, data);
  return false;
}

function emitted(
  context: Context,
  e: ScanExpression,
  over: TensorMeaning,
  initial: readonly Meaning[],
  time: Dim,
  prefix: string,
): Meaning {
  if (!isConstant(time) || time > maxTurns) {
    report(context, 'limit-exceeded', e.over, { what: 'unrolling', limit: maxTurns });
    return failed;
  }
  return looped(context, e, over, initial, time, prefix) ?? unrolled(context, e, over, initial, time, prefix);
}

/** One turn as the body of a loop over time; undefined where turns learn from the data, compare something, or hand on other than f32. */
function looped(
  context: Context,
  e: ScanExpression,
  over: TensorMeaning,
  initial: readonly Meaning[],
  time: number,
  prefix: string,
): Meaning | undefined {
  const { b } = context.emission!.at('');
  const states = initial.filter(isNode);
  if (states.length < initial.length || !takeTurn(context, e.over)) return undefined;
  const sequence = b.transpose(over.node!, swapped(over.shape.length));
  const spec = { carries: states.map(({ node }) => node), sequences: [sequence], length: time };
  let last: TensorMeaning | undefined;
  let built: LoopTurn<Turn | undefined> | undefined;
  const loop = buildScan(b, spec, (carries, [node], declare) => {
    const { shape } = node!.type;
    const step: TensorMeaning = { kind: 'tensor', dtype: over.dtype, shape, node: node!, ...classesOf(over) };
    const before = states.map((state, i) => ({ ...state, node: carries[i]! }));
    built = context.emission!.turn(declare, () => turn(context, e, step, before, prefix));
    if (built?.made === undefined || !isNode(built.made.result)) return undefined;
    last = built.made.result;
    const after = built.made.states.filter(isNode).map(state => state.node);
    if (after.length < states.length) return undefined;
    return { carries: [...after, ...built.carries], outputs: [last.node!] };
  });
  if (loop === undefined) return undefined;
  built!.left(loop.last.slice(states.length));
  const [stacked] = loop.outputs;
  const node = b.transpose(stacked!, swapped(stacked!.type.shape.length));
  return { kind: 'tensor', dtype: last!.dtype, shape: node.type.shape, node };
}

function isNode(meaning: Meaning): meaning is TensorMeaning & { readonly node: Value } {
  return meaning.kind === 'tensor' && meaning.node !== undefined;
}

/** Batch first for time first, and back. */
function swapped(rank: number): number[] {
  return [...Array(rank).keys()].map(axis => (axis < 2 && rank > 1 ? 1 - axis : axis));
}

function unrolled(
  context: Context,
  e: ScanExpression,
  over: TensorMeaning,
  initial: readonly Meaning[],
  time: number,
  prefix: string,
): Meaning {
  const { b } = context.emission!.at('');
  let states = initial;
  const results: Value[] = [];
  let last: TensorMeaning | undefined;
  for (let i = 0; i < time; i++) {
    if (!takeTurn(context, e.over)) return failed;
    const node = b.squeeze(b.sliceAxis(over.node!, 1, i, 1), [1]);
    const step: TensorMeaning = { kind: 'tensor', dtype: over.dtype, shape: node.type.shape, node, ...classesOf(over) };
    const done = turn(context, e, step, states, prefix);
    if (done?.result.kind !== 'tensor' || done.result.node === undefined) return failed;
    states = done.states;
    last = done.result;
    results.push(done.result.node);
  }
  const node = b.stack(results, last!.shape.length === 0 ? 0 : 1);
  return { kind: 'tensor', dtype: last!.dtype, shape: node.type.shape, node };
}

function classesOf({ classes }: TensorMeaning): { classes?: Dim } {
  return classes === undefined ? {} : { classes };
}
