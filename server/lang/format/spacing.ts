/** Spaces between two tokens of a line. */
import { declarationKeywords } from '../syntax/cursor.ts';
import { lex, type Token } from '../syntax/lexer.ts';

/** Where the tokens stand. */
export interface Place {
  /** The innermost open bracket around them. */
  readonly bracket: string | undefined;
  /** The token before `left`, if any. */
  readonly before: Token | undefined;
  /** The first word of a setting: what follows it is an argument, not a call. */
  readonly keyword: Token | undefined;
}

const words: ReadonlySet<string> = new Set([
  ...declarationKeywords,
  'on',
  'over',
  'using',
  'from',
  'where',
  'in',
  'repeat',
  'if',
  'else',
  'scan',
]);
const operators: ReadonlySet<string> = new Set([
  '+',
  '-',
  '*',
  '/',
  '%',
  '@',
  '**',
  '==',
  '!=',
  '<',
  '<=',
  '>',
  '>=',
  '&&',
  '||',
  '|',
  '|>',
  '->',
  '=',
]);

/** True if a space belongs between them, or keeps them apart: `.` and `...` would be read as `...` and `.`. */
export function spaced(left: Token, right: Token, place: Place): boolean {
  return (
    wanted(left, right, place) ||
    (!brackets.has(left.text) && !brackets.has(right.text) && merge(left.text, right.text))
  );
}

const brackets: ReadonlySet<string> = new Set(['(', ')', '[', ']', '{', '}', ',']);

function merge(left: string, right: string): boolean {
  return lex(left + right)[0]?.text !== left;
}

function wanted(left: Token, right: Token, place: Place): boolean {
  const [a, b] = [left.text, right.text];
  if (a === '{' || b === '}') return !(a === '{' && b === '}');
  if (b === '{') return true;
  if (isSign(left, place)) return false;
  if (place.bracket === '[' && (a === ':' || b === ':')) return a === ',';
  if (a === '(' || a === '[' || a === '.' || b === '.' || a === '!') return false;
  if (b === ')' || b === ']' || b === ',' || b === ':' || b === '?') return false;
  if (b === '(' || b === '[') return !attaches(left, place);
  return true;
}

/** `-x`: a minus with no operand before it. */
function isSign({ text }: Token, { before, keyword }: Place): boolean {
  if (text !== '-' && text !== '!') return false;
  if (before === undefined || before === keyword) return true;
  return operators.has(before.text) || ['(', '[', ',', ':', '{', '!'].includes(before.text) || isWord(before);
}

/** A bracket after a value is a call or an index. */
function attaches(left: Token, { keyword }: Place): boolean {
  if (left.kind === 'name') return !isWord(left) && left !== keyword;
  return left.text === ')' || left.text === ']' || left.kind === 'string';
}

function isWord({ kind, text }: Token): boolean {
  return kind === 'name' && words.has(text);
}
