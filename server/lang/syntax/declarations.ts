/** Recursive descent over declarations, and over the bare headers in which library signatures are written. */
import type {
  ConstDeclaration,
  DataDeclaration,
  DeclarationNode,
  Expression,
  Header,
  ImportDeclaration,
  ModelDeclaration,
  Name,
  Parameter,
  StringLiteral,
  TrainDeclaration,
  TypeExpression,
} from './ast.ts';
import { type Cursor, declarationKeywords } from './cursor.ts';
import { expression, separated, typeExpression } from './expressions.ts';
import { stringValue } from './lexer.ts';
import { block } from './statements.ts';

type Keyword = DeclarationNode['kind'];

/** All declarations of a chunk; what is none is one problem and is skipped to the next keyword. */
export function declarations(p: Cursor): readonly DeclarationNode[] {
  p.parseBlock = kind => block(p, kind);
  const found: DeclarationNode[] = [];
  while (!p.atEnd) {
    const keyword = keywordHere(p);
    if (keyword === undefined) skipToDeclaration(p);
    else found.push(declaration(p, keyword));
  }
  return found;
}

function keywordHere(p: Cursor): Keyword | undefined {
  const looks = kindAt(p, 1);
  if (!declarationKeywords.has(p.token.text)) return p.atLineStart ? (kindAt(p, 0) ?? looks) : undefined;
  // Two in a row: the first is one too many.
  if (p.sameLine(1) && declarationKeywords.has(p.peek(1).text) && kindAt(p, 2) !== undefined) return undefined;
  return looks ?? (p.token.text as Keyword);
}

/** `Net(x: …`, `Digits = digits() {`, `first on Digits`: what a declaration looks like behind its keyword, be that damaged or gone. */
function kindAt(p: Cursor, ahead: number): Keyword | undefined {
  if (p.peek(ahead).kind !== 'name' || (ahead > 0 && !p.sameLine(ahead)) || !p.sameLine(ahead + 1)) return undefined;
  const [next, after] = [p.peek(ahead + 1).text, p.peek(ahead + 2).kind];
  if (next === '(' && (p.startsNamed(ahead + 2) || p.peek(ahead + 2).text === ')')) return 'model';
  if (next === 'on' && after === 'name') return 'train';
  if (next !== '=') return undefined;
  if (after === 'name' && p.peek(ahead + 3).text === '(' && p.lineEnds('{')) return 'data';
  if (ahead === 0 || declarationKeywords.has(p.peek(ahead - 1).text)) return undefined;
  return after === 'name' ? 'data' : 'const';
}

function skipToDeclaration(p: Cursor): void {
  p.problem('a declaration: import, const, data, model or train');
  // Something may have got in front of a declaration.
  do p.skipOne();
  while (!p.atEnd && !(p.atLineStart ? keywordHere(p) : declarationKeywords.has(p.token.text) && kindAt(p, 1)));
}

function declaration(p: Cursor, keyword: Keyword): DeclarationNode {
  p.begin();
  const doc = p.docAbove();
  const { start } = p.token;
  if (!p.take(keyword)) {
    p.problem(keyword);
    // A misspelt keyword is followed by what the declaration looks like; a missing one is not there.
    if (kindAt(p, 0) === undefined) p.next();
  }
  const node = parsers[keyword](p, { start, doc });
  if (!p.atEnd && !p.atLineStart) {
    p.problem('a new line');
    while (!p.atEnd && !p.atLineStart) p.skipOne();
  }
  return node;
}

interface Opening {
  readonly start: number;
  readonly doc: string;
}

const parsers: { readonly [K in Keyword]: (p: Cursor, opening: Opening) => DeclarationNode } = {
  model,
  data,
  train,
  const: constant,
  import: imports,
};

function model(p: Cursor, opening: Opening): ModelDeclaration {
  const head = header(p);
  const body = block(p, 'model', true);
  return { kind: 'model', ...opening, name: head.name, header: head, body, end: p.previousEnd };
}

/** `name(x: [B, D], heads: int = 4, axis?: int) -> [B, D] where D % heads == 0`. Damage to one part leaves the others whole. */
export function header(p: Cursor): Header {
  const { start } = p.token;
  const before = p.problems.length;
  const name = declaredName(p, '(');
  const parameters = parameterList(p);
  const upTo = (...words: readonly string[]) => p.resume(words[0]!, ahead => words.includes(p.peek(ahead).text));
  upTo('->', 'where', '{');
  const written = p.take('->') ? p.heading(() => resultTypes(p)) : [];
  const whole = p.problems.length;
  upTo('where', '{');
  // What stands behind a result that is cut short belongs to it: `-> [B], T, D]`.
  const isCut = p.problems.length > whole;
  const results = isCut ? written.map(result => ({ ...result, damaged: true })) : written;
  const where: Expression[] = [];
  if (p.take('where')) {
    do where.push(expression(p));
    while (p.take(','));
  }
  const damaged = p.problems.length > before;
  return { kind: 'header', name, parameters, results, where, ...(damaged && { damaged }), start, end: p.previousEnd };
}

/** The name of a declaration, past what has got in front of it; `next` is what follows it. */
function declaredName(p: Cursor, next: string): Name {
  if (p.token.kind !== 'name')
    p.resume('a name', ahead => p.peek(ahead).text === next || (p.peek(ahead).kind === 'name' && ahead > 0));
  return p.name('a name');
}

function parameterList(p: Cursor): readonly Parameter[] {
  const begins = (at: number) => p.startsNamed(p.peek(at).text === '(' ? at + 1 : at);
  p.resume('(', at => {
    const { text } = p.peek(at);
    return text === '(' || begins(at) || ((text === '->' || text === '{') && !begins(at + 1));
  });
  if (!p.take('(')) {
    p.problem('(');
    if (!p.startsNamed()) return [];
  }
  const list = () => p.heading(() => separated(p, ')', () => parameter(p)).items);
  const parameters = [...list()];
  // A `)` came too early.
  while (!p.atLineStart && p.startsNamed(p.is(',') ? 1 : 0)) {
    p.problem('->');
    p.take(',');
    parameters.push(...list());
  }
  return parameters;
}

function resultTypes(p: Cursor): readonly TypeExpression[] {
  if (!p.take('(')) return [typeExpression(p)];
  return separated(p, ')', () => typeExpression(p)).items;
}

function parameter(p: Cursor): Parameter {
  const { start } = p.token;
  const name = p.name('a parameter');
  // Skipping what can't begin a parameter keeps the list going.
  if (name.name === '') p.skipTo(',', ')');
  const optional = p.take('?') !== undefined;
  const type = p.take(':') ? typeExpression(p) : undefined;
  if (type === undefined && name.name !== '') p.problem(':');
  const fallback = p.take('=') ? expression(p) : undefined;
  return {
    kind: 'parameter',
    name,
    optional,
    ...(type && { type }),
    ...(fallback && { fallback }),
    start,
    end: Math.max(start, p.previousEnd),
  };
}

function data(p: Cursor, opening: Opening): DataDeclaration {
  const name = declaredName(p, '=');
  p.expect('=');
  const source = expression(p);
  p.resume('{', ahead => p.peek(ahead).text === '{');
  // A `}` too many means that `{` is what is missing.
  const opened = p.is('{') || (p.extraCloses > 0 && !p.atEnd && !p.startsDeclaration());
  const body = opened ? block(p, 'data', true) : undefined;
  return { kind: 'data', ...opening, name, source, ...(body && { body }), end: p.previousEnd };
}

function train(p: Cursor, opening: Opening): TrainDeclaration {
  const name = declaredName(p, 'on');
  p.resume('on', ahead => p.peek(ahead).text === 'on');
  p.expect('on');
  const on = p.name('the name of a data block');
  const body = block(p, 'train', true);
  return { kind: 'train', ...opening, name, on, body, end: p.previousEnd };
}

function constant(p: Cursor, opening: Opening): ConstDeclaration {
  const name = p.name('a name');
  p.expect('=');
  const value = expression(p);
  return { kind: 'const', ...opening, name, value, end: p.previousEnd };
}

function imports(p: Cursor, opening: Opening): ImportDeclaration {
  const names = [p.name('a name')];
  while (p.take(',')) names.push(p.name('a name'));
  p.expect('from');
  let path: StringLiteral | undefined;
  if (p.token.kind === 'string' && !p.atLineStart) {
    const { text, start, end } = p.next();
    path = { kind: 'string', value: stringValue(text), start, end };
  } else p.problem('the path of a file in quotes');
  return { kind: 'import', ...opening, name: names[0]!, names, ...(path && { path }), end: p.previousEnd };
}
