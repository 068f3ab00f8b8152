/** Patterns of named axes: the strings of `rearrange` and `einsum`, read and checked with the place of every mistake. */
import { type Dim, isConstant, mulDim, showDim } from '../../dim/dim.ts';
import { ShapeError, type ShapeProblem } from '../shapeError.ts';
import type { PatternAxis } from './function.ts';

/** A part of the pattern, as offsets within it. */
export interface PatternSpan {
  readonly start: number;
  readonly end: number;
}

/** `b`, `...`, or `1`, an axis of size 1 without a name. */
export interface NamedAxis extends PatternSpan {
  readonly name: string;
}

/** One axis of a tensor: a name, or several in parentheses, the last of which runs fastest. */
export interface AxisGroup extends PatternSpan {
  readonly axes: readonly NamedAxis[];
}

/** The axes of one tensor, as written between commas and the arrow. */
export interface AxisList extends PatternSpan {
  readonly groups: readonly AxisGroup[];
}

export interface AxisPattern {
  readonly inputs: readonly AxisList[];
  readonly output: AxisList;
}

/** Every axis of the pattern with what `sizes` knows of its name. */
export function axesWith(pattern: AxisPattern, sizes: ReadonlyMap<string, readonly Dim[]>): readonly PatternAxis[] {
  const written = [...pattern.inputs, pattern.output].flatMap(list => list.groups.flatMap(g => g.axes));
  return written.flatMap(({ name, start, end }) => {
    const known = name === '1' ? [1] : sizes.get(name);
    return known ? [{ start, end, name, sizes: known }] : [];
  });
}

/** Refuses a pattern; `within` is the part of it that is wrong. */
export function refuse(op: string, expected: string, found: string, within: PatternSpan): never {
  throw new ShapeError({ code: 'bad-attribute', op, expected, found, within });
}

/** Reads `b t (h d) -> b h t d` or `b i d, b j d -> b i j`. ShapeError at the first character that doesn't fit. */
export function parsePattern(op: string, text: string): AxisPattern {
  const arrow = text.indexOf('->');
  if (arrow < 0) refuse(op, 'axes on both sides of ->', text === '' ? 'nothing' : text, { start: 0, end: text.length });
  const inputs: AxisList[] = [];
  let start = 0;
  for (const part of text.slice(0, arrow).split(',')) {
    inputs.push(parseList(op, part, start));
    start += part.length + 1;
  }
  return { inputs, output: parseList(op, text.slice(arrow + 2), arrow + 2) };
}

function parseList(op: string, text: string, offset: number): AxisList {
  const groups: AxisGroup[] = [];
  let open: { start: number; axes: NamedAxis[] } | undefined;
  for (const match of text.matchAll(/\.\.\.|[A-Za-z_]\w*|\S/g)) {
    const start = offset + match.index;
    const axis = { name: match[0], start, end: start + match[0].length };
    if (axis.name === '(' && open === undefined) open = { start, axes: [] };
    else if (axis.name === ')' && open !== undefined) {
      groups.push({ start: open.start, end: axis.end, axes: open.axes });
      open = undefined;
    } else if (/^[A-Za-z_1]|^\.\.\.$/.test(axis.name)) {
      if (open === undefined) groups.push({ start, end: axis.end, axes: [axis] });
      else open.axes.push(axis);
    } else refuse(op, 'the name of an axis', axis.name, axis);
  }
  if (open !== undefined) refuse(op, ') after the axes of a group', 'none', { ...open, end: offset + text.length });
  const first = text.search(/\S/);
  const list = { start: offset + Math.max(0, first), end: offset + text.trimEnd().length };
  const axes = groups.flatMap(g => g.axes).filter(a => a.name !== '1');
  const twice = axes.find((a, i) => axes.findIndex(other => other.name === a.name) < i);
  if (twice) refuse(op, 'each axis once', `${twice.name} again`, twice);
  return { start: list.start, end: Math.max(list.start, list.end), groups };
}

/** An axis of the result that no input has. */
export function unknownAxis(op: string, axis: NamedAxis, known: Iterable<string>): ShapeError {
  const candidates = [...known].filter(name => /^\w/.test(name));
  const problem: ShapeProblem = {
    code: 'unknown-axis',
    op,
    expected: 'an axis of the left side',
    found: axis.name,
    within: axis,
    candidates,
  };
  return new ShapeError(problem);
}

/** Names and sizes side by side; both sizes are numbers and differ. */
export function refuseSize(op: string, subject: string, expected: Dim, found: Dim, within: PatternSpan): never {
  const problem = { op, subject, expected: showDim(expected), found: showDim(found), within };
  throw new ShapeError({ code: 'shape-mismatch', ...problem });
}

export function differ(a: Dim, b: Dim): boolean {
  return isConstant(a) && isConstant(b) && a !== b;
}

export function productOf(sizes: readonly Dim[]): Dim {
  return sizes.reduce<Dim>((product, d) => mulDim(product, d), 1);
}
