/** A pipeline to one binding a stage, and such bindings back to one pipeline. Both keep the program as it is. */
import type { Expression, PipeExpression, Statement } from '../../lang/syntax/ast.ts';
import {
  boundOnce,
  freshName,
  hasComment,
  indentAt,
  newlineOf,
  type Refactoring,
  type Site,
  statementAt,
  usesOf,
  valueText,
  wholeLines,
} from './site.ts';

export const pipelineToBindings: Refactoring = site => {
  const placed = statementAt(site.path);
  const pipes = placed ? pipesOf(placed.statement) : [];
  const text = placed && valueText(site, placed.statement);
  if (!placed || text === undefined || pipes.length < 2 || hasComment(site, placed.statement)) return undefined;
  // What flows between the stages must be something to give a name to.
  if (!pipes.slice(0, -1).every(p => site.sheet.types.get(p)?.kind === 'tensor')) return undefined;
  const { statement } = placed;
  const start = statement.end - text.length;
  const head = site.text.slice(start, pipes[0]!.operator.start).trim();
  const stages = pipes.map((p, i) =>
    site.text.slice(p.operator.start, pipes[i + 1]?.operator.start ?? statement.end).trim(),
  );
  const names: string[] = [];
  for (const _ of stages.slice(1)) names.push(freshName(site, 'h', true, new Set(names)));
  const lines = stages.map((stage, i) => {
    const value = `${names[i - 1] ?? head} ${stage}`;
    return i < names.length ? `${names[i]} = ${value}` : site.text.slice(statement.start, start) + value;
  });
  const span = { start: statement.start, end: statement.end };
  const joined = lines.join(newlineOf(site.text) + indentAt(site.text, statement.start));
  return { title: 'split the pipeline into bindings', kind: 'refactor.rewrite', edits: [{ span, text: joined }] };
};

/** The pipes of a binding or result from the first to the last. */
function pipesOf(s: Statement): readonly PipeExpression[] {
  const pipes: PipeExpression[] = [];
  if (s.kind !== 'bind' && s.kind !== 'result') return pipes;
  for (let e: Expression = s.value; e.kind === 'pipe'; e = e.left) pipes.unshift(e);
  return pipes;
}

/** A pipeline longer than this is broken before each of the joined parts. */
const longestLine = 100;

export const bindingsToPipeline: Refactoring = site => {
  const placed = statementAt(site.path);
  if (placed === undefined) return undefined;
  const { statements } = placed.block;
  let [first, last] = [placed.index, placed.index];
  while (first > 0 && feeds(site, statements[first - 1]!, statements[first]!)) first--;
  while (last + 1 < statements.length && feeds(site, statements[last]!, statements[last + 1]!)) last++;
  const chain = statements.slice(first, last + 1);
  const lines = wholeLines(site.text, { start: chain[0]!.start, end: chain.at(-1)!.end });
  if (chain.length < 2 || lines === undefined || hasComment(site, lines)) return undefined;
  const parts = chain.map((s, i) => (i === 0 ? valueText(site, s)! : stagesText(site, s)));
  const end = chain.at(-1)!;
  const target = site.text.slice(end.start, end.end - valueText(site, end)!.length);
  const indent = indentAt(site.text, end.start);
  const line = `${target}${parts.join(' ')}`;
  const text =
    line.length + indent.length <= longestLine ? line : target + parts.join(`${newlineOf(site.text)}${indent}  `);
  const span = { start: chain[0]!.start, end: end.end };
  return { title: 'join the bindings into one pipeline', kind: 'refactor.rewrite', edits: [{ span, text }] };
};

/** `one` binds a name that `next` alone reads, as the first thing in its pipeline. */
function feeds(site: Site, one: Statement, next: Statement): boolean {
  if (one.kind !== 'bind' || one.targets.length !== 1 || one.annotation !== undefined || one.damaged) return false;
  const [name] = one.targets;
  const head = pipesOf(next)[0]?.left;
  const uses = usesOf(site, name!);
  const tensor = site.sheet.types.get(name!)?.kind === 'tensor';
  return (
    tensor &&
    uses.length === 1 &&
    head?.kind === 'name' &&
    head.start === uses[0]!.span.start &&
    boundOnce(site, name!.name)
  );
}

/** From the first pipe on. */
function stagesText({ text }: Site, s: Statement): string {
  return text.slice(pipesOf(s)[0]!.operator.start, s.end);
}
