/** Where a refactoring is asked for: the declaration around a selection, its tree, types and names. All offsets count from the declaration's chunk. */
import { snapshotOf } from '../../lang/analyze.ts';
import type { Analysis, Span, TextEdit } from '../../lang/api.ts';
import type { Reference, Sheet } from '../../lang/check/records.ts';
import { type Part, partAt, type Snapshot } from '../../lang/snapshot/snapshot.ts';
import { type AnyNode, type Bind, type Block, childrenOf, type Statement, walk } from '../../lang/syntax/ast.ts';
import { lex } from '../../lang/syntax/lexer.ts';

export interface Site {
  readonly analysis: Analysis;
  readonly snapshot: Snapshot;
  readonly part: Part;
  readonly sheet: Sheet;
  /** Of the chunk. */
  readonly text: string;
  readonly selection: Span;
  /** From the declaration to the innermost node around the selection. */
  readonly path: readonly AnyNode[];
}

/** What a refactoring proposes. It is offered only where it adds no diagnostic. */
export interface Proposal {
  /** Lower case, as the light bulb shows it. */
  readonly title: string;
  readonly kind: 'refactor.extract' | 'refactor.inline' | 'refactor.rewrite';
  readonly edits: readonly TextEdit[];
}

export type Refactoring = (site: Site) => Proposal | undefined;

export function siteAt(analysis: Analysis, range: Span): Site | undefined {
  const snapshot = snapshotOf(analysis);
  const found = snapshot && partAt(snapshot, range.start);
  if (!snapshot || !found) return undefined;
  const { part } = found;
  const text = part.entry.placed.chunk.text;
  const selection = trimmed(text, { start: range.start - part.offset, end: range.end - part.offset });
  if (selection.end > text.length) return undefined;
  const { sheet } = part.checked;
  return { analysis, snapshot, part, sheet, text, selection, path: pathAround(part.entry.node, selection) };
}

/** A selection with the blanks at its ends is meant without them. */
function trimmed(text: string, { start, end }: Span): Span {
  const chosen = text.slice(start, end);
  if (chosen.trim() === '') return { start, end: start };
  return {
    start: start + (chosen.length - chosen.trimStart().length),
    end: end - (chosen.length - chosen.trimEnd().length),
  };
}

/** From `root` inwards, nodes that hold all of the span. */
export function pathAround(root: AnyNode, { start, end }: Span): readonly AnyNode[] {
  const path: AnyNode[] = [root];
  for (;;) {
    const inside = childrenOf(path.at(-1)!).filter(n => n.start <= start && end <= n.end && n.start < n.end);
    const next = inside.at(-1);
    if (next === undefined) return path;
    path.push(next);
  }
}

export function within(inner: Span, outer: Span): boolean {
  return outer.start <= inner.start && inner.end <= outer.end;
}

export interface PlacedStatement {
  readonly statement: Statement;
  readonly block: Block;
  readonly index: number;
}

/** Where the declaration begins with the comments right above it, which are its own. */
export function topOf({ text, part }: Site): number {
  const above = /(?:^[ \t]*\/\/.*\n)+[ \t]*$/m.exec(text.slice(0, part.entry.node.start));
  return above?.index ?? part.entry.node.start;
}

/** The innermost statement around the selection, and the block that it stands in. */
export function statementAt(path: readonly AnyNode[]): PlacedStatement | undefined {
  const at = path.findLastIndex((n, i) => path[i - 1]?.kind === 'block' && n.kind !== 'block');
  const [block, statement] = [path[at - 1], path[at]];
  if (block?.kind !== 'block' || statement === undefined) return undefined;
  const index = block.statements.indexOf(statement as Statement);
  return index < 0 ? undefined : { statement: block.statements[index]!, block, index };
}

/** Statements that bind a name, anywhere in the declaration. */
export function bindsOf({ part }: Site): readonly Bind[] {
  const found: Bind[] = [];
  walk(part.entry.node, n => {
    if (n.kind === 'bind') found.push(n);
  });
  return found;
}

/** True if one place alone gives the name its meaning. */
export function boundOnce(site: Site, name: string): boolean {
  return site.sheet.references.filter(r => r.definition && r.name === name).length === 1;
}

/** Uses of what is defined at `definition`, without the definition. */
export function usesOf({ sheet }: Site, definition: Span): readonly Reference[] {
  return sheet.references.filter(
    r => !r.definition && r.target?.kind === 'local' && r.target.span.start === definition.start,
  );
}

/** `base`, or `base1`, `base2` …, whichever is no name of the declaration or the file yet; `numbered`: always with a number. */
export function freshName(
  site: Site,
  base: string,
  numbered = false,
  besides: ReadonlySet<string> = new Set(),
): string {
  const taken = new Set([...site.text.matchAll(/[A-Za-z_]\w*/g)].map(m => m[0]));
  for (const name of site.snapshot.world.names()) taken.add(name);
  const isFree = (name: string) => !taken.has(name) && !besides.has(name);
  if (!numbered && isFree(base)) return base;
  for (let i = 1; ; i++) if (isFree(`${base}${i}`)) return `${base}${i}`;
}

/** White space that the line of an offset begins with. */
export function indentAt(text: string, offset: number): string {
  const start = text.lastIndexOf('\n', offset - 1) + 1;
  return /^[ \t]*/.exec(text.slice(start, offset))![0];
}

export function newlineOf(text: string): string {
  return /\r\n|\n|\r/.exec(text)?.[0] ?? '\n';
}

/** Comments would get lost, or end up in the middle of a line. */
export function hasComment(site: Site, span: Span): boolean {
  return lex(site.part.entry.placed.chunk.text).some(
    t => (t.kind === 'comment' || t.kind === 'doc') && span.start <= t.start && t.start < span.end,
  );
}

/** The lines of a span with their line ends, if nothing else stands on them. */
export function wholeLines(text: string, { start, end }: Span): Span | undefined {
  const first = text.lastIndexOf('\n', start - 1) + 1;
  const after = text.indexOf('\n', end);
  const last = after < 0 ? text.length : after + 1;
  const alone = text.slice(first, start).trim() === '' && text.slice(end, last).trim() === '';
  return alone ? { start: first, end: last } : undefined;
}

/** The text of what a statement binds or results in, parentheses included. */
export function valueText({ text }: Site, s: Statement): string | undefined {
  if (s.kind === 'result') return text.slice(s.start, s.end);
  if (s.kind !== 'bind') return undefined;
  const rest = text.slice(s.annotation?.end ?? s.targets.at(-1)!.end, s.end);
  const equals = /^\s*=\s*/.exec(rest);
  return equals ? rest.slice(equals[0].length) : undefined;
}
