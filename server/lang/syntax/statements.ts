/** Recursive descent over the statements of a block; a damaged line costs that line alone. */
import { closest } from '../names.ts';
import type {
  Argument,
  Bind,
  Block,
  Expression,
  IfStatement,
  Name,
  Setting,
  Statement,
  TypeExpression,
} from './ast.ts';
import type { BlockKind, Cursor } from './cursor.ts';
import { argument, expression, typeExpression } from './expressions.ts';
import { dataSettings, trainSettings } from './settings.ts';

/** Words that begin a setting, by block. */
export const settings: Readonly<Record<BlockKind, readonly string[]>> = {
  model: [],
  augment: [],
  data: Object.keys(dataSettings),
  train: Object.keys(trainSettings),
};

/** `{ statements }`. `outermost`: the body of a declaration, which surplus `}` don't end. */
export function block(p: Cursor, kind: BlockKind, outermost = false): Block {
  const { start } = p.token;
  const indent = p.indent;
  const before = p.problems.length;
  p.resume('{', ahead => p.peek(ahead).text === '{');
  if (p.take('{') === undefined) {
    p.problem('{');
    if (p.extraCloses === 0) return p.emptyBlock();
    // Its `}` is there, so what follows is the body; not what stands in its place.
    p.extraCloses--;
    if (!p.atLineStart && !p.sameLine(1)) p.drop();
  }
  const statements = p.braced(() => p.nested(() => body(p, kind, outermost, indent)) ?? []);
  if (p.take('}') === undefined) p.problem('}');
  const damaged = p.problems.length > before;
  return { kind: 'block', statements, ...(damaged && { damaged }), start, end: Math.max(start, p.previousEnd) };
}

function body(p: Cursor, kind: BlockKind, outermost: boolean, indent: number): readonly Statement[] {
  const statements: Statement[] = [];
  while (!p.atEnd && !p.startsDeclaration() && !outdented(p, outermost, indent)) {
    if (p.is('}')) {
      // One that stands where the block's own does is that.
      const own = outermost ? p.extraCloses === 0 || (p.atLineStart && p.indent === 0) : !p.earlyClose;
      if (own) break;
      p.extraCloses--;
      p.problem('a statement');
      p.next();
      continue;
    }
    const whole = statement(p, kind);
    const damaged = !p.endsStatement();
    if (damaged) {
      p.problem('a new line');
      p.skipStatement();
    }
    // What is left of a damaged result is no result.
    const { start } = whole;
    if (damaged && whole.kind === 'result') statements.push({ kind: 'broken', start, end: p.previousEnd });
    else statements.push(damaged && whole.kind === 'bind' ? { ...whole, damaged } : whole);
  }
  return statements;
}

/** Where a `}` is missing in this declaration, a line not indented beyond the block's own ends the block. */
function outdented(p: Cursor, outermost: boolean, indent: number): boolean {
  if (outermost || p.missingCloses === 0 || !p.atLineStart || p.is('}') || p.indent > indent) return false;
  p.missingCloses--;
  return true;
}

function statement(p: Cursor, kind: BlockKind): Statement {
  if (p.is('|>') || (p.is('{') && p.missingCloses > 0)) {
    p.problem('a statement');
    p.drop();
  }
  p.begin();
  const { start, text } = p.token;
  const before = p.problems.length;
  if (kind === 'model' && text === 'repeat') return repeat(p);
  if (kind === 'model' && text === 'if') return conditional(p);
  if (p.token.kind === 'name') {
    if (isBinding(p)) return bind(p);
    if (isSetting(p, kind)) return setting(p);
    if (lacksEquals(p)) return bind(p);
  }
  const value = expression(p);
  if (value.kind === 'missing' && p.token.start === start) {
    p.skipOne();
    p.skipStatement();
    return { kind: 'broken', start, end: p.previousEnd };
  }
  const damaged = p.problems.length > before;
  return { kind: 'result', value, ...(damaged && { damaged }), start, end: p.previousEnd };
}

/** `x =`, `x: type =`, `a, b =`. */
function isBinding(p: Cursor): boolean {
  const ahead = p.namesAhead();
  return p.sameLine(ahead) && (p.peek(ahead).text === '=' || (ahead === 1 && p.peek(ahead).text === ':'));
}

/** `fc1 linear(128)`: two words and a bracket are a binding whose `=` is missing. */
function lacksEquals(p: Cursor): boolean {
  return p.sameLine(1) && p.peek(1).kind === 'name' && p.sameLine(2) && p.peek(2).text === '(';
}

function isSetting(p: Cursor, kind: BlockKind): boolean {
  const words = settings[kind];
  const { text } = p.token;
  const after = p.peek(1);
  if (words.includes(text)) return !p.sameLine(1) || !['=', '|>', '.'].includes(after.text);
  const joined =
    p.sameLine(1) &&
    (after.kind === 'name' || after.kind === 'number' || after.kind === 'string' || after.text === '{');
  return joined && closest(text, words).length > 0;
}

function bind(p: Cursor): Bind {
  const { start } = p.token;
  const targets: Name[] = [p.name('a name')];
  while (p.take(',')) targets.push(p.name('a name'));
  const before = p.problems.length;
  let annotation: TypeExpression | undefined;
  if (p.take(':')) annotation = typeExpression(p);
  p.expect('=');
  const value = expression(p);
  const damaged = p.problems.length > before;
  return {
    kind: 'bind',
    targets,
    ...(annotation && { annotation }),
    value,
    ...(damaged && { damaged }),
    start,
    end: p.previousEnd,
  };
}

function repeat(p: Cursor): Statement {
  const { start } = p.next();
  const count = expression(p);
  const body = block(p, 'model');
  return { kind: 'repeat', count, body, start, end: p.previousEnd };
}

function conditional(p: Cursor): IfStatement {
  const { start } = p.next();
  const condition = expression(p);
  const then = block(p, 'model');
  let otherwise: Block | undefined;
  if (p.take('else')) {
    if (p.is('if')) {
      const inner = p.nested(() => conditional(p));
      otherwise = inner && { kind: 'block', statements: [inner], start: inner.start, end: inner.end };
    } else otherwise = block(p, 'model');
  }
  return { kind: 'if', condition, then, ...(otherwise && { otherwise }), start, end: p.previousEnd };
}

/** `word arguments [over names] [using call] [from value]`, or `word { … }`. */
function setting(p: Cursor): Setting {
  const { start } = p.token;
  const keyword = p.name('a setting');
  if (p.is('{') && !p.atLineStart) {
    const body = block(p, 'augment');
    return { kind: 'setting', keyword, args: [], body, start, end: p.previousEnd };
  }
  const args = commaSeparated(p, () => argument(p));
  const over = p.take('over') ? commaSeparated(p, () => expression(p)) : undefined;
  const using = p.take('using') ? expression(p) : undefined;
  const from = p.take('from') ? expression(p) : undefined;
  const clauses: { over?: readonly Expression[]; using?: Expression; from?: Expression } = {};
  if (over) clauses.over = over;
  if (using) clauses.using = using;
  if (from) clauses.from = from;
  return { kind: 'setting', keyword, args, ...clauses, start, end: p.previousEnd };
}

/** At least one; a comma at the end of the line goes on. */
function commaSeparated<T extends Argument | Expression>(p: Cursor, item: () => T): readonly T[] {
  const items = [item()];
  while (p.take(',')) items.push(item());
  return items;
}
