/**
 * What damage to one token may cost. The *damaged statement* is the innermost one around the token; of a declaration, each parameter is one
 * statement, and the rest of its header with the braces of its body another. `//` and `"` swallow the rest of the line, so all that stands
 * there is damaged; so it is, with the line above, where the damage leaves `|>` at the start of a line, which joins the two,
 * or at the end of one within brackets, which joins it to the next. What a statement holds, and the statement that holds a `scan`,
 * share its damage. Beside these, only what reads a name that they bind, before or after the damage, may lose its shape, and in turn what
 * reads names bound there; a layer's shapes are those of what it is applied in. A model whose results are declared stands for them while its
 * body is damaged; where the damage leaves another right program, that may demand other things of callers. A brace that goes missing
 * binds no names, so it costs nothing at all.
 */
import { analyze } from '../../../server/lang/analyze.ts';
import type { Analysis, LangHost, Span } from '../../../server/lang/api.ts';
import { type AnyNode, type DeclarationNode, walk } from '../../../server/lang/syntax/ast.ts';
import { isTrivia, lex, type Token } from '../../../server/lang/syntax/lexer.ts';
import { type PlacedChunk, parse, type Tree } from '../../../server/lang/syntax/parse.ts';

export interface Damage {
  readonly kind: 'delete' | 'insert' | 'replace';
  readonly token: Token;
  /** What is put in; '' for `delete`. */
  readonly scrap: string;
}

interface Unit extends Span {
  readonly kind: AnyNode['kind'];
  readonly home: Home;
  /** All names that are its own, not those of statements inside. */
  readonly words: Set<string>;
  /** Names that others may read. */
  readonly binds: readonly string[];
}

interface Home {
  readonly node: DeclarationNode;
  /** A model whose results are declared. */
  readonly typed: boolean;
}

interface Hint {
  readonly offset: number;
  readonly text: string;
}

/** A sound program, its statements and the shapes shown in them. */
export interface Subject {
  readonly text: string;
  readonly whole: Analysis;
  readonly tree: Tree;
  readonly host: LangHost;
  readonly tokens: readonly Token[];
  /** Outer before inner. */
  readonly units: readonly Unit[];
  readonly hints: readonly (readonly [Unit, Hint])[];
}

export function subject(uri: string, text: string, host: LangHost): Subject {
  const whole = analyze(uri, text, host);
  const tokens = lex(text).filter(t => !isTrivia(t.kind));
  const tree = parse(text);
  const units = tree.chunks.flatMap(({ chunk, offset }) =>
    chunk.declarations.flatMap(node => unitsOf(shifted(node, offset), tokens)),
  );
  const hints = shapeHints(whole).flatMap(hint => {
    const unit = innermost(units, hint.offset, hint.offset);
    return unit ? [[unit, hint] as const] : [];
  });
  return { text, whole, tree, host, tokens, units, hints };
}

export function damaged(text: string, { kind, token: { start, end }, scrap }: Damage): string {
  return `${text.slice(0, start)} ${scrap} ${text.slice(kind === 'insert' ? start : end)}`;
}

/** The shapes that the damage took though it should not have. */
export function lostShapes(of: Subject, damage: Damage): readonly string[] {
  const { text, whole, host, hints } = of;
  const after = damaged(text, damage);
  const found = new Map<number, string[]>();
  for (const { offset, text } of shapeHints(analyze(whole.uri, after, host, whole)))
    found.set(offset, [...(found.get(offset) ?? []), text]);
  const edge = damage.kind === 'insert' ? damage.token.start : damage.token.end;
  const may = affected(of, damage, after, parse(after, of.tree));
  return hints.flatMap(([unit, hint]) => {
    if (may.units.has(unit) || (may.layers.has(unit) && hint.text.includes('->'))) return [];
    const now = found.get(hint.offset >= edge ? hint.offset + after.length - text.length : hint.offset);
    const line = text.slice(unit.start, unit.end).split('\n')[0];
    return now?.includes(hint.text) ? [] : [`${hint.text} of «${line}» is ${now?.join(' ') ?? 'gone'}`];
  });
}

function shapeHints(a: Analysis): readonly Hint[] {
  return a.inlays().filter(h => h.kind === 'shape');
}

/** The node with spans of the file. */
function shifted<T>(value: T, by: number): T {
  if (Array.isArray(value)) return value.map(item => shifted(item, by)) as T;
  if (typeof value !== 'object' || value === null) return value;
  const moved = Object.entries(value).map(([key, inner]) =>
    key === 'start' || key === 'end' ? [key, inner + by] : [key, shifted(inner, by)],
  );
  return Object.fromEntries(moved) as T;
}

function unitsOf(node: DeclarationNode, tokens: readonly Token[]): readonly Unit[] {
  const nodes: AnyNode[] = [node, ...(node.kind === 'model' ? node.header.parameters : [])];
  walk(node, inner => {
    if (inner.kind === 'block') nodes.push(...inner.statements);
  });
  const home: Home = { node, typed: node.kind === 'model' && node.header.results.length > 0 };
  const units = nodes.map(({ kind, start, end }, i) => {
    const words = new Set<string>();
    return { kind, home, start, end, words, binds: i === 0 ? [] : targets(nodes[i]!) };
  });
  for (const token of tokens)
    if (token.kind === 'name') innermost(units, token.start, token.end)?.words.add(token.text);
  return units.map(u => (u.kind === 'parameter' ? { ...u, binds: [...u.words] } : u));
}

/** Names bound in a statement, those of blocks inside included. */
function targets(node: AnyNode): readonly string[] {
  const names: string[] = [];
  walk(node, inner => {
    if (inner.kind === 'bind') names.push(...inner.targets.map(t => t.name));
    if (inner.kind === 'parameter') names.push(inner.name.name);
  });
  return names;
}

function innermost(units: readonly Unit[], start: number, end: number): Unit | undefined {
  return units.findLast(u => u.start <= start && end <= u.end);
}

function damagedUnits({ text, tokens, units }: Subject, { kind, token, scrap }: Damage): readonly Unit[] {
  const lineEnd = text.indexOf('\n', token.start);
  const swallows = kind !== 'delete' && (scrap === '//' || scrap === '"');
  const first = text.slice(text.lastIndexOf('\n', token.start - 1) + 1, token.start).trim() === '';
  const at = tokens.indexOf(token);
  const joins = scrap === '|>' || (kind === 'delete' && tokens[at + 1]?.text === '|>');
  const above = first && joins ? tokens[at - 1] : undefined;
  const below =
    scrap === '|>' && tokens[at + 1] && text.slice(token.end, tokens[at + 1]!.start).includes('\n')
      ? tokens[at + 1]
      : undefined;
  const line = swallows || above !== undefined;
  const touched = tokens.filter(t => t === token || (line && t.start > token.start && t.start < lineEnd));
  return [above, ...touched, below].filter(t => t !== undefined).flatMap(t => innermost(units, t.start, t.end) ?? []);
}

interface Affected {
  readonly units: ReadonlySet<Unit>;
  /** What flows through their layers is known from an affected statement. */
  readonly layers: ReadonlySet<Unit>;
}

function affected(of: Subject, damage: Damage, after: string, { chunks }: Tree): Affected {
  const { units, text } = of;
  const sound = chunks.every(({ chunk }) => chunk.problems.length === 0);
  const hit = new Set<Unit>();
  const readable = new Map<Home, Set<string>>(units.map(u => [u.home, new Set()]));
  const tell = (home: Home, names: readonly string[]): void => {
    const { kind, name } = home.node;
    for (const n of names) readable.get(home)!.add(n);
    if (kind !== 'data') return;
    for (const [other, known] of readable) if (reads(other, name.name)) for (const n of names) known.add(n);
  };
  const outward = ({ node }: Home): void => {
    const names = node.kind === 'import' ? node.names : [node.name];
    for (const known of readable.values()) for (const { name } of names) known.add(name);
  };
  const strike = (unit: Unit): void => {
    if (hit.has(unit)) return;
    hit.add(unit);
    tell(unit.home, unit.binds);
    const { node, typed } = unit.home;
    if (unit.kind === node.kind || unit.kind === 'parameter' || (node.kind === 'model' && (!typed || sound)))
      outward(unit.home);
  };
  const missingBrace = damage.kind === 'delete' && /^[{}]$/.test(damage.token.text);
  const origin = damagedUnits(of, damage);
  for (const unit of origin) {
    if (missingBrace) hit.add(unit);
    else {
      strike(unit);
      tell(unit.home, boundIn(chunks, { start: unit.start, end: unit.end + after.length - text.length }));
      // The fields of data, and what a train block reads of them.
      const { kind, name } = unit.home.node;
      if (unit.kind === 'data' || unit.kind === 'train')
        for (const u of units) if (u.home === unit.home || (kind === 'data' && reads(u.home, name.name))) strike(u);
    }
    for (const u of units) if (u.kind !== u.home.node.kind && u.kind !== 'parameter' && shares(u, unit)) strike(u);
  }
  for (let size = -1; size !== hit.size; ) {
    size = hit.size;
    for (const u of units) if ([...u.words].some(w => readable.get(u.home)!.has(w))) strike(u);
  }
  const applied = (u: Unit) => [...hit].some(h => h.home === u.home && u.binds.some(b => h.words.has(b)));
  return { units: hit, layers: new Set(units.filter(applied)) };
}

/** It stands inside the damaged statement, or is one whose value comes from it. */
function shares(unit: Unit, { kind, home, start, end }: Unit): boolean {
  const inside = kind !== home.node.kind && start <= unit.start && unit.end <= end;
  return inside || ((unit.kind === 'bind' || unit.kind === 'result') && unit.start <= start && end <= unit.end);
}

function reads({ node }: Home, data: string): boolean {
  return node.kind === 'train' && node.on.name === data;
}

/** Names that are bound there now: `x = ` where `y = ` stood. */
function boundIn(chunks: readonly PlacedChunk[], { start, end }: Span): readonly string[] {
  const names: string[] = [];
  for (const { chunk, offset } of chunks) {
    if (offset > end || offset + chunk.text.length < start) continue;
    for (const node of chunk.declarations)
      walk(node, n => {
        const at = n.start + offset;
        if ((n.kind === 'bind' || n.kind === 'parameter') && start <= at && at <= end) names.push(...targets(n));
      });
  }
  return names;
}
