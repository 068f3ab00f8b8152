/** Recursive descent over declarations, and over the bare headers in which library signatures are written. */
import type {
  ConstDeclaration,
  DataDeclaration,
  DeclarationNode,
  Expression,
  Header,
  ImportDeclaration,
  ModelDeclaration,
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
  if (declarationKeywords.has(p.token.text)) return p.token.text as Keyword;
  return misspelt(p);
}

/** `modle Net(`, `dta Digits =`, `Net(x: …)`: what stands behind tells the declaration whose keyword is damaged or gone. */
function misspelt(p: Cursor): Keyword | undefined {
  if (p.token.kind !== 'name' || !p.atLineStart) return undefined;
  if (p.peek(1).text === '(') return 'model';
  if (p.peek(1).text === 'on' && p.peek(2).kind === 'name') return 'train';
  if (p.peek(1).kind !== 'name') return undefined;
  const after = p.peek(2).text;
  if (after === '(') return 'model';
  if (after === 'on') return 'train';
  if (after !== '=') return undefined;
  return p.peek(3).kind === 'name' ? 'data' : 'const';
}

function skipToDeclaration(p: Cursor): void {
  p.problem('a declaration: import, const, data, model or train');
  do p.skipOne();
  while (!p.atEnd && !(p.atLineStart && keywordHere(p)));
}

function declaration(p: Cursor, keyword: Keyword): DeclarationNode {
  p.begin();
  const doc = p.docAbove();
  const { start } = p.token;
  if (!p.take(keyword)) {
    p.problem(keyword);
    // A misspelt keyword is followed by the name; a missing one is not.
    if (p.peek(1).kind === 'name' && p.peek(1).text !== 'on') p.next();
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

/** `name(x: [B, D], heads: int = 4, axis?: int) -> [B, D] where D % heads == 0`. */
export function header(p: Cursor): Header {
  const { start } = p.token;
  const name = p.name('a name');
  const parameters = p.expect('(') ? separated(p, ')', () => parameter(p)).items : [];
  const results = p.take('->') ? resultTypes(p) : [];
  const where: Expression[] = [];
  if (p.take('where')) {
    do where.push(expression(p));
    while (p.take(','));
  }
  return { kind: 'header', name, parameters, results, where, start, end: p.previousEnd };
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
  const name = p.name('a name');
  p.expect('=');
  const source = expression(p);
  // A `}` too many means that `{` is what is missing.
  const opened = p.is('{') || (p.extraCloses > 0 && !p.atEnd && !p.startsDeclaration());
  const body = opened ? block(p, 'data', true) : undefined;
  return { kind: 'data', ...opening, name, source, ...(body && { body }), end: p.previousEnd };
}

function train(p: Cursor, opening: Opening): TrainDeclaration {
  const name = p.name('a name');
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
