/** Recursive descent over expressions, types and shapes. Never fails: what is missing becomes a `missing` node. */
import type { Span } from '../text.ts';
import type {
  Argument,
  BinaryOperator,
  CallExpression,
  Expression,
  IndexExpression,
  IndexItem,
  Missing,
  Name,
  ScanExpression,
  ShapeExpression,
  TypeExpression,
} from './ast.ts';
import type { Cursor } from './cursor.ts';
import { isUnclosed, stringValue } from './lexer.ts';

/** Binary operators from loosest to tightest; all associate to the left but `**`. The pipe is looser than all of them. */
const levels: readonly (readonly BinaryOperator[])[] = [
  ['||'],
  ['&&'],
  ['==', '!=', '<', '<=', '>', '>='],
  ['+', '-'],
  ['*', '/', '%', '@'],
];

/** Words of statements: they end an expression. */
const clauseWords: ReadonlySet<string> = new Set(['over', 'using', 'from', 'where']);

export function expression(p: Cursor): Expression {
  return p.nested(() => pipeline(p)) ?? missing(p);
}

function pipeline(p: Cursor): Expression {
  let left = binary(p, 0);
  while (p.is('|>')) {
    const { start, end } = p.next();
    const stage = p.endsStatement() || p.is('|>') ? missingAt(p, 'a layer or function') : binary(p, 0);
    left = { kind: 'pipe', left, stage, operator: { start, end }, start: left.start, end: p.previousEnd };
  }
  return left;
}

function binary(p: Cursor, level: number): Expression {
  const operators = levels[level];
  if (operators === undefined) return unary(p);
  let left = binary(p, level + 1);
  while (!p.endsStatement() && p.token.kind === 'punctuation' && operators.includes(p.token.text as BinaryOperator)) {
    const { text, start, end } = p.next();
    const right = binary(p, level + 1);
    const op = text as BinaryOperator;
    left = { kind: 'binary', op, operator: { start, end }, left, right, start: left.start, end: p.previousEnd };
  }
  return left;
}

function unary(p: Cursor): Expression {
  const { start } = p.token;
  if (!p.endsStatement() && (p.is('-') || p.is('!'))) {
    const op = p.next().text === '-' ? '-' : '!';
    const operand = p.nested(() => unary(p)) ?? missing(p);
    return { kind: 'unary', op, operand, start, end: p.previousEnd };
  }
  const base = postfix(p);
  if (!p.is('**') || p.endsStatement()) return base;
  const operator = spanOf(p.next());
  const right = p.nested(() => unary(p)) ?? missing(p);
  return { kind: 'binary', op: '**', operator, left: base, right, start: base.start, end: p.previousEnd };
}

/** Calls, indices and members bind to what stands before them on the same line. */
function postfix(p: Cursor): Expression {
  let object = primary(p);
  while (object.kind !== 'missing' && !p.atLineStart) {
    // In a header, `= 1 [ next: …` has a bracket where the comma belongs.
    if (p.inHeader && p.startsNamed(1)) break;
    if (p.is('(')) object = call(p, object);
    else if (p.is('[')) object = index(p, object);
    else if (p.is('.')) {
      p.next();
      const member = p.atLineStart ? p.noName('a name') : p.name('a name');
      object = { kind: 'member', object, member, start: object.start, end: p.previousEnd };
    } else break;
  }
  return object;
}

function primary(p: Cursor): Expression {
  if (p.endsStatement()) return missingAt(p, 'an expression');
  const { kind, text, start, end } = p.token;
  if (kind === 'number') {
    p.next();
    return { kind: 'number', value: Number(text.replaceAll('_', '')), whole: /^[\d_]+$/.test(text), start, end };
  }
  if (kind === 'string') {
    if (isUnclosed(text)) p.problem('a closing "');
    p.next();
    return { kind: 'string', value: stringValue(text), start, end };
  }
  if (text === '(') return parenthesised(p);
  if (text === '[') return list(p);
  if (kind !== 'name' || clauseWords.has(text)) return missingAt(p, 'an expression');
  if (text === 'scan' && p.peek(1).kind === 'name' && p.sameLine(1)) return scan(p);
  p.next();
  if (text === 'true' || text === 'false') return { kind: 'bool', value: text === 'true', start, end };
  return { kind: 'name', name: text, start, end };
}

function parenthesised(p: Cursor): Expression {
  const { start } = p.next();
  const { items } = separated(p, ')', () => expression(p));
  if (items.length === 1) return { ...items[0]!, start, end: p.previousEnd };
  if (items.length === 0) return missingAt(p, 'an expression');
  return { kind: 'tuple', items, start, end: p.previousEnd };
}

function list(p: Cursor): Expression {
  const { start } = p.next();
  const { items } = separated(p, ']', () => expression(p));
  return { kind: 'list', items, start, end: p.previousEnd };
}

function call(p: Cursor, callee: Expression): CallExpression {
  const open = p.next().start;
  const { items, closed } = separated(p, ')', () => argument(p));
  return { kind: 'call', callee, args: items, open, closed, start: callee.start, end: p.previousEnd };
}

function index(p: Cursor, object: Expression): IndexExpression {
  p.next();
  const { items } = separated(p, ']', () => indexItem(p));
  return { kind: 'index', object, items, start: object.start, end: p.previousEnd };
}

function indexItem(p: Cursor): IndexItem {
  const { start } = p.token;
  if (p.take('...')) return { kind: 'item', mode: 'ellipsis', start, end: p.previousEnd };
  const from = p.is(':') ? undefined : expression(p);
  if (p.take(':') === undefined) {
    return { kind: 'item', mode: 'at', ...(from && { from }), start, end: p.previousEnd };
  }
  const part = () => (p.is(',') || p.is(']') || p.is(':') || p.endsStatement() ? undefined : expression(p));
  const to = part();
  const step = p.take(':') && part();
  const parts = { ...(from && { from }), ...(to && { to }), ...(step && { step }) };
  return { kind: 'item', mode: 'range', ...parts, start, end: p.previousEnd };
}

export function argument(p: Cursor): Argument {
  const { start } = p.token;
  const named = p.token.kind === 'name' && p.peek(1).text === ':' && p.sameLine(1);
  const name = named ? p.name('a name') : undefined;
  if (named) p.next();
  const value = expression(p);
  return { kind: 'argument', ...(name && { name }), value, start, end: p.previousEnd };
}

/** Items between commas up to `close`. A damaged item is skipped to the next comma; a new line that can't belong here ends the list. */
export function separated<T extends Span>(
  p: Cursor,
  close: string,
  item: () => T,
): { items: readonly T[]; closed: boolean } {
  return p.bracketed(() => {
    const items: T[] = [];
    while (!p.is(close) && !p.endsStatement()) {
      const { start } = p.token;
      items.push(item());
      if (p.take(',')) continue;
      if (p.is(close)) break;
      p.problem(`, or ${close}`);
      if (p.atLineStart) break;
      // Only the comma is missing, unless it is a word that begins no item: `(where : 1)`.
      if (p.token.start === start) p.drop();
      p.skipTo(',', close);
      if (!p.take(',') && !p.startsNamed()) break;
    }
    const closed = p.take(close) !== undefined;
    if (!closed) p.problem(close);
    return { items, closed };
  });
}

function scan(p: Cursor): ScanExpression {
  const { start } = p.next();
  const variable = p.name('a name');
  p.expect('in');
  const over = expression(p);
  const states: { name: ReturnType<Cursor['name']>; initial: Expression }[] = [];
  if (p.take('from')) {
    do {
      const name = p.name('a name');
      p.expect('=');
      states.push({ name, initial: expression(p) });
    } while (p.take(','));
  }
  const body = p.parseBlock('model');
  return { kind: 'scan', variable, over, states, body, start, end: p.previousEnd };
}

/** `[B, 784]`, `index(V)[B, T]`, `int[B]`, `float`. */
export function typeExpression(p: Cursor): TypeExpression {
  const { start } = p.token;
  const before = p.problems.length;
  const type = undamagedType(p);
  return { ...type, ...(p.problems.length > before && { damaged: true }), start };
}

function undamagedType(p: Cursor): TypeExpression {
  const { start } = p.token;
  if (p.is('[')) {
    const shape = shapeExpression(p);
    return { kind: 'type', shape, start, end: p.previousEnd };
  }
  const element = p.name('a type');
  let classes: Expression | undefined;
  if (element.name !== '' && p.is('(') && !p.atLineStart) {
    p.next();
    classes = p.bracketed(() => {
      const inner = expression(p);
      p.expect(')');
      return inner;
    });
  }
  const shape = p.is('[') && !p.atLineStart ? shapeExpression(p) : undefined;
  const alternatives: Name[] = [];
  while (p.take('|')) alternatives.push(p.name('a type'));
  return {
    kind: 'type',
    ...(element.name !== '' && { element }),
    ...(classes && { classes }),
    ...(shape && { shape }),
    ...(alternatives.length > 0 && { alternatives }),
    start,
    end: Math.max(start, p.previousEnd),
  };
}

function shapeExpression(p: Cursor): ShapeExpression {
  const { start } = p.next();
  const dims: Expression[] = [];
  let restAt: number | undefined;
  separated(p, ']', () => {
    const { start, end } = p.token;
    if (p.take('...')) restAt = dims.length;
    else dims.push(expression(p));
    return { start, end };
  });
  return { kind: 'shape', dims, ...(restAt !== undefined && { restAt }), start, end: p.previousEnd };
}

function missingAt(p: Cursor, expected: string): Missing {
  p.problem(expected);
  return missing(p);
}

function missing(p: Cursor): Missing {
  return { kind: 'missing', start: p.previousEnd, end: p.previousEnd };
}

function spanOf({ start, end }: Span): Span {
  return { start, end };
}
