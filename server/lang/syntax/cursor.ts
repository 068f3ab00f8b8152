/** The parser's view of the tokens: where it stands, what it expects, and how it gets on after an error. */
import type { Span } from '../text.ts';
import type { Block, Name } from './ast.ts';
import { isTrivia, isUnclosed, type Token } from './lexer.ts';

export interface SyntaxProblem extends Span {
  readonly expected: string;
  readonly found: string;
}

export type BlockKind = 'model' | 'data' | 'train' | 'augment';

/** Deeper nesting is an error instead of a stack overflow. */
export const maxNesting = 100;

export const declarationKeywords: ReadonlySet<string> = new Set(['import', 'const', 'data', 'model', 'train']);

export class Cursor {
  readonly problems: SyntaxProblem[] = [];
  /** Set by the parser of statements, so that expressions (`scan`) can hold blocks without importing it. */
  parseBlock: (kind: BlockKind) => Block = () => this.emptyBlock();
  /** `{` without `}` in this chunk: blocks then end by indentation. */
  missingCloses = 0;
  /** `}` without `{`: those that would end the declaration too early are skipped. */
  extraCloses = 0;
  overNested = false;
  /** Between the name of a model and its body. */
  inHeader = false;
  private readonly significant: readonly Token[];
  private readonly lineStart: readonly boolean[];
  private readonly columns: readonly number[];
  private position = 0;
  private parentheses = 0;
  private nesting = 0;
  private lastProblem = -1;
  private beginning = 0;

  constructor(
    readonly tokens: readonly Token[],
    private readonly length: number,
  ) {
    const { significant, lineStart, columns } = withoutTrivia(tokens, length);
    this.significant = significant;
    this.lineStart = lineStart;
    this.columns = columns;
    const opens = significant.filter(t => t.text === '{').length;
    const closes = significant.filter(t => t.text === '}').length;
    this.missingCloses = Math.max(0, opens - closes);
    this.extraCloses = Math.max(0, closes - opens);
  }

  get token(): Token {
    return this.significant[this.position]!;
  }

  peek(ahead: number): Token {
    return this.significant[Math.min(this.position + ahead, this.significant.length - 1)]!;
  }

  /** The token `ahead` stands on the same line as the one before it. */
  sameLine(ahead: number): boolean {
    return !this.lineStart[Math.min(this.position + ahead, this.significant.length - 1)]!;
  }

  get atEnd(): boolean {
    return this.token.kind === 'end';
  }

  get atLineStart(): boolean {
    return this.lineStart[this.position]!;
  }

  /** Column of the first token of the line that the token stands on. */
  get indent(): number {
    let at = this.position;
    while (at > 0 && !this.lineStart[at]) at--;
    return this.columns[at]!;
  }

  /** End of the last token taken. */
  get previousEnd(): number {
    return this.position === 0 ? 0 : this.significant[this.position - 1]!.end;
  }

  /** Where the text ends. */
  get end(): number {
    return this.length;
  }

  is(text: string): boolean {
    return this.token.text === text && this.token.kind !== 'string';
  }

  next(): Token {
    const token = this.token;
    if (token.kind !== 'end') this.position++;
    return token;
  }

  take(text: string): Token | undefined {
    return this.is(text) ? this.next() : undefined;
  }

  expect(text: string, asked = text): Token | undefined {
    const token = this.take(text);
    if (token === undefined) this.problem(asked);
    return token;
  }

  name(asked: string): Name {
    if (this.token.kind === 'name' && !this.endsStatement()) {
      const { text, start, end } = this.next();
      return { kind: 'name', name: text, start, end };
    }
    return this.noName(asked);
  }

  /** In place of a name that is missing. */
  noName(asked: string): Name {
    this.problem(asked);
    return { kind: 'name', name: '', start: this.previousEnd, end: this.previousEnd };
  }

  /** One problem a damaged place. What is missing at the end of a line is reported there, not on the next line. */
  problem(expected: string): void {
    const before = this.significant[this.position - 1];
    // What an unclosed string has swallowed is not missing once more.
    const swallowed = before?.kind === 'string' && isUnclosed(before.text);
    if (this.lastProblem === this.position || swallowed) return;
    this.lastProblem = this.position;
    const { kind, text, start, end } = this.token;
    // A statement that can't even begin is damaged where it stands.
    const begins = this.position === this.beginning && kind !== 'end';
    const behind = kind === 'end' || (this.atLineStart && this.position > 0 && !begins);
    const at = this.previousEnd;
    this.problems.push(behind ? { expected, found: '', start: at, end: at } : { expected, found: text, start, end });
  }

  /** Nothing more belongs to this statement: a new line (not one that starts with `|>`), `}` or the end. */
  endsStatement(): boolean {
    if (this.strayBrace) return false;
    if (this.atEnd || this.is('}')) return true;
    if (this.position === this.beginning) return false;
    if (this.parentheses > 0 && this.is('{')) return true;
    if (!this.atLineStart || (this.is('|>') && !this.strayPipe)) return false;
    if (this.strayPipe) return true;
    return this.parentheses === 0 || this.startsStatement() || this.startsDeclaration();
  }

  /** A statement or declaration starts at this token. */
  begin(): void {
    this.beginning = this.position;
  }

  /** A declaration keyword in the first column begins a declaration, whatever is still open. */
  startsDeclaration(): boolean {
    return this.atLineStart && this.columns[this.position] === 0 && declarationKeywords.has(this.token.text);
  }

  /** Inside brackets: a line that can't be the rest of an argument, `name =`, `name, name =` or `word word`. */
  private startsStatement(): boolean {
    if (this.token.kind !== 'name' || !this.sameLine(1)) return false;
    const after = this.peek(1);
    if (after.text === '{' || after.kind === 'name' || after.kind === 'number') return true;
    return this.peek(this.namesAhead()).text === '=';
  }

  /** How many tokens `a`, or `a, b, c`, takes from here on this line. */
  namesAhead(): number {
    let ahead = 1;
    while (this.sameLine(ahead) && this.peek(ahead).text === ',' && this.peek(ahead + 1).kind === 'name') ahead += 2;
    return ahead;
  }

  /** Parses within brackets, where a new line means nothing. */
  bracketed<T>(parse: () => T): T {
    this.parentheses++;
    const result = parse();
    this.parentheses--;
    return result;
  }

  /** Parses within braces, where new lines count again. */
  braced<T>(parse: () => T): T {
    const outer = this.parentheses;
    this.parentheses = 0;
    const result = parse();
    this.parentheses = outer;
    return result;
  }

  /** Guards recursion; undefined (with the rest of the statement skipped) beyond the budget. */
  nested<T>(parse: () => T): T | undefined {
    if (this.nesting >= maxNesting) {
      this.overNested = true;
      this.skipStatement();
      return undefined;
    }
    this.nesting++;
    const result = parse();
    this.nesting--;
    return result;
  }

  /** Skips the rest of the line, over balanced braces. */
  skipStatement(): void {
    const parentheses = this.parentheses;
    this.parentheses = 0;
    while (!this.endsStatement()) this.skipOne();
    this.parentheses = parentheses;
  }

  /** Skips one token, or a whole `{ … }` where the chunk's braces match. */
  skipOne(): void {
    if (this.next().text !== '{') return;
    // One that has no `}` is most likely the one that stands in the way.
    if (this.missingCloses > 0) {
      this.missingCloses--;
      return;
    }
    while (!this.atEnd && !this.is('}') && !this.startsDeclaration()) this.skipOne();
    this.take('}');
  }

  /** Skips to one of `stops`, or to what begins a named item, within brackets; not past the statement. */
  skipTo(...stops: readonly string[]): void {
    let open = 0;
    const reached = () => this.startsNamed() || (this.inHeader && this.is('->') && !this.again('->'));
    while (!this.endsStatement() && !reached() && (open > 0 || !stops.includes(this.token.text))) {
      // A damaged item doesn't reach into the next line.
      if (this.atLineStart && !stops.includes(this.token.text)) return;
      const { text } = this.drop();
      if (text === '(' || text === '[') open++;
      if ((text === ')' || text === ']') && open > 0) open--;
    }
  }

  /** `name:` or `name?`: a parameter, or an argument by name. */
  startsNamed(ahead = 0): boolean {
    const after = this.peek(ahead + 1).text;
    return this.peek(ahead).kind === 'name' && (after === ':' || after === '?') && this.sameLine(ahead + 1);
  }

  /** Skips what can't stand here, to the next token of this line that `stops`; where there is none, nothing is skipped. */
  resume(asked: string, stops: (ahead: number) => boolean): void {
    if (this.atLineStart && this.position > 0) return;
    for (let ahead = 0; this.peek(ahead).kind !== 'end' && (ahead === 0 || this.sameLine(ahead)); ahead++) {
      if (!stops(ahead)) continue;
      if (ahead > 0) this.problem(asked);
      for (let i = 0; i < ahead; i++) this.drop();
      return;
    }
  }

  /** Skips a token; a brace among what is skipped closes or opens nothing. */
  drop(): Token {
    const token = this.next();
    if (token.text === '{' && this.missingCloses > 0) this.missingCloses--;
    if (token.text === '}' && this.extraCloses > 0) this.extraCloses--;
    return token;
  }

  /** The line of the token ends with `text`. */
  lineEnds(text: string): boolean {
    let ahead = 0;
    while (this.peek(ahead + 1).kind !== 'end' && this.sameLine(ahead + 1)) ahead++;
    return this.peek(ahead).text === text;
  }

  /** The text comes up again on this line. */
  private again(text: string): boolean {
    for (let ahead = 1; this.peek(ahead).kind !== 'end' && this.sameLine(ahead); ahead++)
      if (this.peek(ahead).text === text) return true;
    return false;
  }

  /** In a header, a brace that is one too many, and not the one that opens the body, is skipped as any other token. */
  heading<T>(parse: () => T): T {
    this.inHeader = true;
    const result = parse();
    this.inHeader = false;
    return result;
  }

  /** `|>` before what is no stage but a statement: `|> x = 1`, `|> epochs 10`. */
  private get strayPipe(): boolean {
    if (!this.is('|>') || !this.atLineStart) return false;
    const [first, second] = [this.peek(1), this.peek(2)];
    if (first.text === '=' || declarationKeywords.has(first.text)) return true;
    return (
      first.kind === 'name' && this.sameLine(2) && (second.text === '=' || ['name', 'number'].includes(second.kind))
    );
  }

  /** `}` where the block that it would close is closed later on this line, and one is too many. */
  get earlyClose(): boolean {
    let open = 0;
    for (let ahead = 1; this.extraCloses > 0 && this.peek(ahead).kind !== 'end' && this.sameLine(ahead); ahead++) {
      const { text } = this.peek(ahead);
      open += text === '{' ? 1 : text === '}' ? -1 : 0;
      if (open < 0) return true;
    }
    return false;
  }

  private get strayBrace(): boolean {
    if (!this.inHeader || this.atLineStart) return false;
    return this.is('}') ? this.extraCloses > 0 : this.is('{') && this.missingCloses > 0 && this.sameLine(1);
  }

  emptyBlock(): Block {
    return { kind: 'block', statements: [], start: this.previousEnd, end: this.previousEnd };
  }

  /** Doc comment directly above the current token. */
  docAbove(): string {
    const lines: string[] = [];
    for (let i = this.tokens.indexOf(this.token) - 1; i >= 0 && isTrivia(this.tokens[i]!.kind); i--) {
      const { kind, text } = this.tokens[i]!;
      if (kind === 'doc') lines.unshift(text.replace(/^\/\/\/ ?/, ''));
    }
    return lines.join('\n').trim();
  }
}

function withoutTrivia(tokens: readonly Token[], length: number) {
  const significant: Token[] = [];
  const lineStart: boolean[] = [];
  const columns: number[] = [];
  let fresh = true;
  let start = 0;
  for (const token of tokens) {
    if (token.kind === 'newline') {
      fresh = true;
      start = token.end;
    } else if (!isTrivia(token.kind)) {
      significant.push(token);
      lineStart.push(fresh);
      columns.push(token.start - start);
      fresh = false;
    }
  }
  significant.push({ kind: 'end', text: '', start: length, end: length });
  lineStart.push(true);
  columns.push(0);
  return { significant, lineStart, columns };
}
