/** The statements of model bodies: bindings, results, `repeat`, `if`; and the lint for what nothing reads. */
import { isConstant } from '../../../engine/dim/dim.ts';
import type { Bind, Block, IfStatement, Name, RepeatStatement, Statement } from '../syntax/ast.ts';
import { bindName, type Context, madeAt, maxTurns, report, takeTurn } from './context.ts';
import { headerContext } from './header.ts';
import {
  failed,
  isError,
  kindOf,
  type LayerMeaning,
  type Meaning,
  showMeaning,
  showTensor,
  type TensorMeaning,
} from './meaning.ts';
import { type Binding, Naming, Scope } from './scope.ts';
import { rigid, showPattern, tensorPattern } from './signature.ts';
import { shapesAgree } from './unify.ts';

/** Runs the statements in the context's scope; the result is that of the last expression. */
export function block(context: Context, body: Block): Meaning | undefined {
  let result: Meaning | undefined;
  const made: Binding[] = [];
  for (const s of body.statements) result = statement(context, s, made) ?? result;
  if (!context.emission) for (const binding of made) unused(context, binding);
  return result;
}

function statement(context: Context, s: Statement, made: Binding[]): Meaning | undefined {
  switch (s.kind) {
    case 'bind':
      bind(context, s, made);
      return undefined;
    case 'result':
      if (!s.damaged) return context.rules.evaluate(context, s.value);
      context.rules.evaluate(muted(context), s.value);
      return failed;
    case 'repeat':
      repeat(context, s);
      return undefined;
    case 'if':
      return conditional(context, s);
    case 'setting':
      report(context, 'unknown-name', s.keyword, { name: s.keyword.name, kind: 'setting', candidates: [] });
      return undefined;
    case 'broken':
      return undefined;
  }
}

export function bind(context: Context, s: Bind, made: Binding[]): void {
  const value = annotated(context, s, context.rules.evaluate(s.damaged ? muted(context) : context, s.value));
  const [only] = s.targets;
  if (s.targets.length === 1 && only) {
    const meaning = named(context, only, value);
    keep(context, only, meaning, made);
    shapeHint(context, s, meaning);
    return;
  }
  const items = value.kind === 'tuple' && value.items.length === s.targets.length ? value.items : undefined;
  if (items === undefined && !isError(value)) {
    report(context, 'type-mismatch', s.value, {
      subject: '=',
      expected: `${s.targets.length} results`,
      found: kindOf(value),
    });
  }
  for (const [i, target] of s.targets.entries()) keep(context, target, items?.[i] ?? failed, made);
}

/** What a damaged statement seems to get wrong, or to demand of callers, is not said. */
function muted(context: Context): Context {
  return { ...context, sheet: { ...context.sheet, facts: [], requirements: [] } };
}

function keep(context: Context, name: Bind['targets'][number], meaning: Meaning, made: Binding[]): void {
  // What rebinds an outer name is handed to the next turn of a loop, or read after it.
  const carried = context.scope.find(name.name) !== undefined && !context.scope.owns(name.name);
  const binding = bindName(context, name, 'binding', meaning, true);
  binding.used = carried;
  if (name.name !== '') made.push(binding);
}

/** A layer gets the name it is bound to, `net.fc1`; one that has a name keeps it. */
function named(context: Context, { name, start, end }: Name, m: Meaning): Meaning {
  if (m.kind !== 'layer' || m.path !== '') return m;
  const path = madeAt(context, context.naming.bound(name), m.callee.signature.name, { start, end });
  return { ...m, path } satisfies LayerMeaning;
}

function shapeHint(context: Context, s: Bind, meaning: Meaning): void {
  const { shapes } = context.sheet;
  if (meaning.kind !== 'number' && !shapes.some(h => h.at === s.end)) shapes.push({ at: s.end, meaning });
}

/** `x: [B, 10] = …` */
function annotated(context: Context, s: Bind, value: Meaning): Meaning {
  if (s.annotation === undefined || isError(value)) return value;
  const pattern = tensorPattern(s.annotation, headerContext(context, ''));
  if (pattern === undefined || value.kind !== 'tensor') return value;
  const dims = pattern.dims.map(rigid);
  const fits =
    pattern.restAt !== undefined || (pattern.dtype === value.dtype && shapesAgree(context, dims, value.shape));
  if (fits) return value;
  const data = {
    role: 'annotation',
    subject: s.targets[0]!.name,
    expected: showPattern(pattern),
    found: showTensor(value),
  } as const;
  report(context, 'shape-mismatch', s.value, data);
  return failed;
}

/** Fresh weights each turn. What the body rebinds must keep its shape, unless the number of turns is known. */
function repeat(context: Context, s: RepeatStatement): void {
  const count = context.rules.evaluate(context, s.count);
  const turns = count.kind === 'number' && count.whole && typeof count.dim === 'number' ? count.dim : undefined;
  if (!isError(count) && (count.kind !== 'number' || !count.whole)) {
    report(context, 'type-mismatch', s.count, { subject: 'repeat', expected: 'a whole number', found: kindOf(count) });
  }
  if (turns !== undefined && (turns < 0 || turns > maxTurns)) {
    report(context, 'value-out-of-range', s.count, {
      subject: 'repeat',
      expected: `a number from 0 to ${maxTurns}`,
      found: String(turns),
    });
    return;
  }
  const word = { start: s.start, end: s.start + 'repeat'.length };
  const prefix = `${madeAt(context, context.naming.anonymous('repeat'), 'repeat', word)}.`;
  const most = turns ?? 1;
  for (let i = 0; i < most; i++) {
    if (!takeTurn(context, s.count)) return;
    const before = context.scope.bindings();
    const scope = new Scope(context.scope);
    context.rules.block({ ...context, scope, naming: new Naming(`${prefix}${i}.`), end: s.body.end }, s.body);
    if (context.emission) continue;
    if (!changedShape(context, s, before, turns === undefined)) return;
  }
}

/** True if a rebound name has another shape than before, so that another turn may differ. Reported where the turns are not known. */
function changedShape(
  context: Context,
  s: RepeatStatement,
  before: ReadonlyMap<string, Binding>,
  complain: boolean,
): boolean {
  for (const [name, { meaning: old }] of before) {
    const now = context.scope.find(name)?.meaning;
    if (now === undefined || now === old || old.kind !== 'tensor' || now.kind !== 'tensor') continue;
    if (shapesAgree(context, old.shape, now.shape)) continue;
    if (complain) {
      const data = { role: 'operands', subject: name, expected: showMeaning(old), found: showMeaning(now) } as const;
      report(context, 'shape-mismatch', s.count, data);
    }
    return true;
  }
  return false;
}

/** A known condition selects; an unknown one checks both branches, which must agree. */
function conditional(context: Context, s: IfStatement): Meaning | undefined {
  const condition = context.rules.evaluate(context, s.condition);
  if (!isError(condition) && condition.kind !== 'bool') {
    report(context, 'type-mismatch', s.condition, {
      subject: 'if',
      expected: 'true or false',
      found: kindOf(condition),
    });
  }
  if (isError(condition) && context.emission) return failed;
  const known = condition.kind === 'bool' ? condition.value : undefined;
  if (known !== undefined) {
    const chosen = known ? s.then : s.otherwise;
    return chosen && context.rules.block({ ...context, scope: new Scope(context.scope), end: chosen.end }, chosen);
  }
  if (context.emission) {
    report(context, 'not-constant', s.condition, { subject: 'if' });
    return failed;
  }
  const [yes, no] = [s.then, s.otherwise].map(b => branch(context, b));
  return join(context, s, yes!, no!);
}

interface Branch {
  readonly result: Meaning | undefined;
  readonly rebound: ReadonlyMap<string, Binding>;
}

/** Rebinds nothing outside, so that the other branch sees the same beginning. */
function branch(context: Context, b: Block | undefined): Branch {
  const scope = new Scope(context.scope, true);
  const result = b && context.rules.block({ ...context, scope, end: b.end }, b);
  return { result, rebound: scope.bindings() };
}

function join(context: Context, s: IfStatement, yes: Branch, no: Branch): Meaning | undefined {
  for (const [name, old] of context.scope.bindings()) {
    const [a, b] = [yes.rebound.get(name)!, no.rebound.get(name)!];
    if (a === old && b === old) continue;
    const agreed = agree(context, a.meaning, b.meaning);
    if (agreed === undefined) disagree(context, s, name, a.meaning, b.meaning);
    context.scope.assign({ ...(a === old ? b : a), meaning: agreed ?? failed, used: true });
  }
  if (yes.result === undefined || no.result === undefined) return yes.result ?? no.result;
  const agreed = agree(context, yes.result, no.result);
  if (agreed === undefined) disagree(context, s, 'if', yes.result, no.result);
  return agreed ?? failed;
}

function agree(context: Context, a: Meaning, b: Meaning): Meaning | undefined {
  if (a === b || isError(a)) return a;
  if (isError(b)) return b;
  if (a.kind === 'tensor' && b.kind === 'tensor') {
    return a.dtype === b.dtype && shapesAgree(context, a.shape, b.shape) ? plainTensor(a) : undefined;
  }
  if (a.kind !== b.kind) return undefined;
  if (a.kind === 'number')
    return isConstant(a.dim ?? 0) && a.real === (b as typeof a).real ? a : { kind: 'number', whole: a.whole };
  return a;
}

function plainTensor({ dtype, shape, classes }: TensorMeaning): TensorMeaning {
  return { kind: 'tensor', dtype, shape, ...(classes !== undefined && { classes }) };
}

function disagree(context: Context, s: IfStatement, subject: string, a: Meaning, b: Meaning): void {
  const data = { role: 'operands', subject, expected: showMeaning(a), found: showMeaning(b) } as const;
  report(context, 'shape-mismatch', s.condition, data);
}

/** Names that begin with `_` are meant to be unused. */
export function unused(context: Context, binding: Binding): void {
  if (binding.used || binding.name.startsWith('_') || isError(binding.meaning)) return;
  const what = binding.kind === 'parameter' ? 'parameter' : binding.meaning.kind === 'layer' ? 'layer' : 'binding';
  report(context, 'unused-binding', binding.span, { name: binding.name, what });
}
