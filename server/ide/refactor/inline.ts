/** A binding that is used once, put where it is used. The computation stays; an inlined layer loses the name of its weights. */
import type { Span, TextEdit } from '../../lang/api.ts';
import { libraryCallee } from '../../lang/check/callee.ts';
import type { Reference } from '../../lang/check/records.ts';
import type { AnyNode, Bind, Expression } from '../../lang/syntax/ast.ts';
import {
  bindsOf,
  boundOnce,
  hasComment,
  pathAround,
  type Refactoring,
  type Site,
  statementAt,
  usesOf,
  valueText,
  wholeLines,
  within,
} from './site.ts';

export const inline: Refactoring = site => {
  const binding = bindingAt(site);
  if (binding === undefined || !boundOnce(site, binding.targets[0]!.name)) return undefined;
  const uses = usesOf(site, binding.targets[0]!);
  const text = valueText(site, binding);
  const lines = wholeLines(site.text, binding);
  const [use] = uses;
  if (use === undefined || text === undefined || lines === undefined || hasComment(site, lines)) return undefined;
  const literal = ['number', 'bool', 'string'].includes(binding.value.kind);
  if (uses.length > 1 && !literal) return undefined;
  if (uses.some(u => isReported(site, u))) return undefined;
  if (!literal && !isStill(site, binding, use)) return undefined;
  const replaced = uses.map(u => replacement(site, binding, u, text));
  if (!replaced.every(edit => edit !== undefined)) return undefined;
  const title = `inline ${binding.targets[0]!.name}`;
  return { title, kind: 'refactor.inline', edits: [{ span: lines, text: '' }, ...replaced] };
};

/** The binding whose name, or a use of it, is selected. */
function bindingAt(site: Site): Bind | undefined {
  const { selection, sheet } = site;
  const reference = sheet.references.find(r => r.kind === 'binding' && within(selection, r.span));
  const home = reference?.target?.kind === 'local' ? reference.target.span : undefined;
  const found = home && bindsOf(site).find(b => b.targets[0]?.start === home.start);
  return found?.targets.length === 1 && found.annotation === undefined && !found.damaged ? found : undefined;
}

/** The value is the same at the use: nothing it reads is bound anew in between, and it is computed as often and in the same order. */
function isStill(site: Site, binding: Bind, use: Reference): boolean {
  const path = pathAround(site.part.entry.node, use.span);
  const home = statementAt(pathAround(site.part.entry.node, binding.targets[0]!));
  const depth = home ? path.indexOf(home.block) : -1;
  const user = path[depth + 1];
  if (home === undefined || depth < 0 || user === undefined || user.start <= binding.start) return false;
  if (path.slice(depth + 1).some(n => n.kind === 'repeat' || n.kind === 'if' || n.kind === 'scan')) return false;
  const read = new Set(site.sheet.references.filter(r => within(r.span, binding.value)).map(r => r.name));
  const between = bindsOf(site).filter(b => b.start > binding.start && b !== user && b.start < use.span.start);
  if (between.some(b => b.targets.some(t => read.has(t.name)))) return false;
  return isOrderless(site, binding) || (home.block.statements[home.index + 1] === user && isFirst(site, user, use));
}

/** What `report` shows has the name of its binding; and `mae` is a metric there, a loss elsewhere. */
function isReported({ part }: Site, use: Reference): boolean {
  return pathAround(part.entry.node, use.span).some(n => n.kind === 'setting' && n.keyword.name === 'report');
}

/** Neither weights nor random numbers, which are told apart by their order. A layer takes its place where it is applied. */
function isOrderless({ sheet }: Site, binding: Bind): boolean {
  if (sheet.types.get(binding.targets[0]!)?.kind === 'layer') return true;
  const calls = sheet.references.filter(r => within(r.span, binding.value) && r.kind !== 'parameter');
  return calls.every(r => {
    if (r.kind === 'model') return false;
    const meaning = sheet.bindings.find(
      b => r.target?.kind === 'local' && b.span.start === r.target.span.start,
    )?.meaning;
    return meaning?.kind !== 'layer' && (r.kind !== 'library' || isPlain(r.name));
  });
}

const random = new Set(['dropout', 'normal', 'uniform']);

function isPlain(name: string): boolean {
  return libraryCallee(name, 'model')?.weights === false && !random.has(name);
}

/** Nothing of the statement is computed before the use. */
function isFirst({ sheet }: Site, statement: AnyNode, use: Reference): boolean {
  return !sheet.references.some(
    r =>
      (r.kind === 'library' || r.kind === 'model') && r.span.start >= statement.start && r.span.end <= use.span.start,
  );
}

function replacement(site: Site, binding: Bind, use: Reference, text: string): TextEdit | undefined {
  const path = pathAround(site.part.entry.node, use.span);
  const parent = path.at(-2);
  if (parent === undefined) return undefined;
  if (site.sheet.types.get(binding.targets[0]!)?.kind !== 'layer') {
    return { span: use.span, text: needsParentheses(binding.value, parent, use.span) ? `(${text})` : text };
  }
  if (parent.kind === 'pipe' && parent.stage.start === use.span.start) return { span: use.span, text };
  const { value } = binding;
  if (parent.kind !== 'call' || parent.callee.start !== use.span.start || value.kind !== 'call') return undefined;
  if (parent.args.some(a => a.name)) return undefined;
  const args = [...parent.args, ...value.args].map(a => site.text.slice(a.start, a.end));
  const callee = site.text.slice(value.callee.start, value.callee.end);
  return { span: { start: parent.start, end: parent.end }, text: `${callee}(${args.join(', ')})` };
}

/** The pipe is the loosest operator, so at its left nothing needs any. */
function needsParentheses(value: Expression, parent: AnyNode, use: Span): boolean {
  const tight = value.kind !== 'pipe' && value.kind !== 'binary' && value.kind !== 'unary' && value.kind !== 'scan';
  if (tight || ['bind', 'result', 'argument', 'list', 'tuple', 'setting'].includes(parent.kind)) return false;
  return !(parent.kind === 'pipe' && parent.left.start === use.start);
}
