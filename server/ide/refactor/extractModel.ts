/** An expression, some stages of a pipeline or some statements, moved into a model of their own with inferred parameters and result types. */
import { type Dim, showDim } from '../../../engine/dim/dim.ts';
import { reanalyze, snapshotOf } from '../../lang/analyze.ts';
import type { Span, TextEdit } from '../../lang/api.ts';
import type { Meaning, TensorMeaning } from '../../lang/check/meaning.ts';
import { restVariable } from '../../lang/check/model.ts';
import { showPattern } from '../../lang/check/signature.ts';
import { format } from '../../lang/format/format.ts';
import type { Bind, Expression, PipeExpression, Statement } from '../../lang/syntax/ast.ts';
import { applyEdits, shiftSpan } from '../../lang/text.ts';
import {
  boundOnce,
  freshName,
  hasComment,
  indentAt,
  newlineOf,
  type Refactoring,
  type Site,
  statementAt,
  topOf,
  usesOf,
  within,
} from './site.ts';

/** What moves: `body` becomes the model's, `span` becomes a call. */
interface Piece {
  readonly span: Span;
  readonly body: string;
  /** What flows in where the piece is the end of a pipeline; it becomes the first parameter. */
  readonly piped?: { readonly name: string; readonly meaning: TensorMeaning };
  /** From the call to what stands in place of the piece. */
  readonly replaced: (call: string) => string;
}

interface Parameter {
  readonly name: string;
  readonly type: string;
  readonly tensor: boolean;
}

export const extractModel: Refactoring = site => {
  const { selection } = site;
  if (selection.start === selection.end) return undefined;
  const piece = stages(site) ?? expression(site) ?? statements(site);
  if (piece === undefined || hasComment(site, piece.span)) return undefined;
  const parameters = parametersOf(site, piece);
  if (parameters === undefined) return undefined;
  const name = freshName(site, 'Part');
  const edits = (results: string): readonly TextEdit[] => moved(site, piece, parameters, name, results);
  const results = inferredResults(site, name, edits(''));
  if (results === undefined) return undefined;
  return { title: `extract to model ${name}`, kind: 'refactor.extract', edits: edits(` -> ${results}`) };
};

function moved(
  site: Site,
  { span, body, piped, replaced }: Piece,
  parameters: readonly Parameter[],
  name: string,
  results: string,
): readonly TextEdit[] {
  const header = parameters.map(p => `${p.name}: ${p.type}`).join(', ');
  const model = format(`model ${name}(${header})${results} {\n${body}\n}\n`);
  const given = parameters.filter(p => p.name !== piped?.name);
  const args = given.map(p => (p.tensor ? p.name : `${p.name}: ${p.name}`)).join(', ');
  const newline = newlineOf(site.text);
  const top = topOf(site);
  return [
    { span: { start: top, end: top }, text: `${model}\n`.replaceAll('\n', newline) },
    { span, text: replaced(piped && args === '' ? name : `${name}(${args})`) },
  ];
}

/** The types that the checker finds for the model once it is there. */
function inferredResults(site: Site, name: string, edits: readonly TextEdit[]): string | undefined {
  const placed = edits.map(({ span, text }) => ({ span: shiftSpan(span, site.part.offset), text }));
  const world = snapshotOf(reanalyze(site.analysis, applyEdits(site.analysis.text, placed)))?.world;
  const entry = world?.find(name);
  const results = entry && world?.check(entry).signature?.results?.map(showPattern);
  if (!results?.length) return undefined;
  return results.length === 1 ? results[0] : `(${results.join(', ')})`;
}

/** `relu |> linear(3)`, with or without the pipe before it. */
function stages(site: Site): Piece | undefined {
  const { selection, text } = site;
  const last = pipes(site).find(p => p.stage.end === selection.end);
  const first = pipes(site).find(p => p.stage.start === selection.start || p.operator.start === selection.start);
  const flowing = first && site.sheet.types.get(first.left);
  if (!first || !last || flowing?.kind !== 'tensor' || first.stage.start > last.stage.start) return undefined;
  const span = { start: first.stage.start, end: last.stage.end };
  const name = freshName(site, 'x');
  const own = first.left.kind === 'name' ? first.left.name : name;
  return {
    span,
    body: `${own} |> ${text.slice(span.start, span.end)}`,
    piped: { name: own, meaning: flowing },
    replaced: call => call,
  };
}

/** Pipes around the selection, and those on the way to its beginning. */
function pipes({ path, selection }: Site): readonly PipeExpression[] {
  const found: PipeExpression[] = [];
  const top = path.find((n): n is PipeExpression => n.kind === 'pipe' && n.end >= selection.end);
  for (const n of path) if (n.kind === 'pipe') found.push(n);
  for (let e: Expression | undefined = top; e?.kind === 'pipe'; e = e.left) if (!found.includes(e)) found.push(e);
  return found;
}

function expression(site: Site): Piece | undefined {
  const { selection, text, path, sheet } = site;
  const inner = unwrapped(text, selection);
  const node = path.findLast(n => [selection, inner].some(s => n.start === s.start && n.end === s.end));
  if (node === undefined || node.kind === 'bind' || node.kind === 'result') return undefined;
  const meaning = sheet.types.get(node);
  // A single name is no piece of work, and the stage of a pipe is no value.
  if (node.kind === 'name' || meaning?.kind !== 'tensor') return undefined;
  return { span: selection, body: text.slice(selection.start, selection.end), replaced: call => call };
}

function unwrapped(text: string, { start, end }: Span): Span {
  return text[start] === '(' && text[end - 1] === ')' ? { start: start + 1, end: end - 1 } : { start, end };
}

/** Whole statements of one block; what they bind and others read comes back as results. */
function statements(site: Site): Piece | undefined {
  const { selection, text, path } = site;
  const block = path.findLast(n => n.kind === 'block') ?? statementAt(path)?.block;
  const chosen = block?.statements.filter(s => within(s, selection)) ?? [];
  const [first, last] = [chosen[0], chosen.at(-1)];
  if (!first || !last || first.start !== selection.start || last.end !== selection.end) return undefined;
  const binds = chosen.filter((s): s is Bind => s.kind === 'bind');
  const result = last.kind === 'result' ? last : undefined;
  if (binds.length + (result ? 1 : 0) < chosen.length) return undefined;
  const names = binds.flatMap(b => b.targets);
  if (!names.every(n => boundOnce(site, n.name))) return undefined;
  const outside = names.filter(n => usesOf(site, n).some(u => !within(u.span, selection)));
  if (!outside.every(n => site.sheet.types.get(n)?.kind === 'tensor') || (result && outside.length > 0))
    return undefined;
  const lines = chosen.map(s => unindented(text, s));
  const out = outside.map(n => n.name).join(', ');
  if (result) return { span: selection, body: lines.join('\n'), replaced: call => call };
  if (outside.length === 0) return undefined;
  const back = outside.length === 1 ? out : `(${out})`;
  return { span: selection, body: [...lines, back].join('\n'), replaced: call => `${out} = ${call}` };
}

/** The text of a statement as it would stand without indentation. */
function unindented(text: string, s: Statement): string {
  return text
    .slice(s.start, s.end)
    .replaceAll(`\n${indentAt(text, s.start)}`, '\n')
    .replaceAll('\r', '');
}

/** What the piece reads of its surroundings. Undefined where that can't be handed over: layers keep their weights where they are. */
function parametersOf(site: Site, piece: Piece): readonly Parameter[] | undefined {
  const free = new Map<string, Meaning | undefined>();
  if (piece.piped) free.set(piece.piped.name, piece.piped.meaning);
  for (const r of site.sheet.references) {
    const local = r.kind === 'binding' || r.kind === 'parameter' || r.kind === 'dimension' || r.kind === 'field';
    if (!local || r.definition || !within(r.span, piece.span) || free.has(r.name)) continue;
    const home = r.target?.kind === 'local' ? r.target.span : undefined;
    if (home && within(home, piece.span)) continue;
    const bound = home && site.sheet.bindings.find(b => b.span.start === home.start)?.meaning;
    free.set(r.name, bound ?? site.part.checked.fields?.get(r.name));
  }
  const sizes = sizeNames(site, free);
  const parameters = [...free].map(([name, meaning]) => parameterOf(name, meaning, sizes));
  if (!parameters.every(p => p !== undefined)) return undefined;
  const shown = parameters.filter(p => p.tensor).map(p => p.type);
  // A dimension that the type of a tensor tells need not be given.
  const needed = parameters.filter(
    p => p.tensor || !shown.some(type => new RegExp(`[[ (]${p.name}[\\], )]`).test(type)) || /^[a-z_]/.test(p.name),
  );
  return [...needed.filter(p => p.tensor), ...needed.filter(p => !p.tensor)];
}

function parameterOf(name: string, m: Meaning | undefined, sizes: (d: Dim) => string): Parameter | undefined {
  switch (m?.kind) {
    case 'tensor': {
      const shape = `[${m.shape.map(sizes).join(', ')}]`;
      const element = m.dtype === 'f32' ? '' : m.dtype === 'i32' ? 'int' : 'bool';
      const type = m.classes === undefined ? `${element}${shape}` : `index(${sizes(m.classes)})${shape}`;
      return { name, type, tensor: true };
    }
    case 'number':
      return { name, type: m.whole ? 'int' : 'float', tensor: false };
    case 'bool':
    case 'string':
      return { name, type: m.kind, tensor: false };
    default:
      return undefined;
  }
}

/** Sizes as a header may write them: numbers and variables as they are, a name of its own for each other expression. */
function sizeNames(site: Site, free: ReadonlyMap<string, Meaning | undefined>): (d: Dim) => string {
  const given = new Map<string, string>();
  return d => {
    const text = showDim(d);
    const plain = typeof d === 'number' || text === restVariable || /^[A-Z]\w*$/.test(text);
    if (plain || free.has(text)) return text;
    const base = /^[a-z]\w*$/.test(text) ? text[0]!.toUpperCase() + text.slice(1) : 'N';
    const name = given.get(text) ?? freshName(site, base, false, new Set(given.values()));
    given.set(text, name);
    return name;
  };
}
