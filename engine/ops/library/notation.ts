/** Functions whose string names the axes: rearrange (after einops, Rogozhnikov 2022) and einsum (Einstein's summation). */
import { type Dim, floorDivDim, sameDim, showShape, sizeOf } from '../../dim/dim.ts';
import type { Shape } from '../../ir/graph.ts';
import type { GraphBuilder, Value } from '../builder.ts';
import { isValue } from '../builder.ts';
import { ShapeError } from '../shapeError.ts';
import { tensor, text, typeOf } from './arguments.ts';
import {
  type AxisGroup,
  type AxisList,
  axesWith,
  differ,
  type NamedAxis,
  parsePattern,
  refuse,
  refuseSize,
  unknownAxis,
} from './axes.ts';
import type { Argument, Arguments, PatternAxis, SizeRequirement, TensorFunction, TypeArguments } from './function.ts';

/** What a pattern makes of a shape: elementary axes by name, and what must hold of the sizes. */
interface Rearrangement {
  /** Sizes of the elementary axes of the left side, in its order. */
  readonly split: Shape;
  readonly permutation: readonly number[];
  readonly result: Shape;
  readonly requirements: readonly SizeRequirement[];
  readonly axes: readonly PatternAxis[];
}

type Sizes = (name: string) => Dim | undefined;

/** Sizes that the call states: `h: heads`. */
function stated(args: Arguments | TypeArguments, taken: readonly string[]): Sizes {
  return name => {
    const value: Argument | TypeArguments[string] = taken.includes(name) ? undefined : args[name];
    if (typeof value === 'number') return value;
    return typeof value === 'object' && 'terms' in value ? value : undefined;
  };
}

/** The groups side by side with the axes of the tensor, `...` taking what is left over. */
function alignGroups(op: string, list: AxisList, shape: Shape): readonly (readonly [AxisGroup, Shape])[] {
  const { groups } = list;
  const dots = groups.findIndex(g => g.axes[0]?.name === '...');
  const spare = shape.length - groups.length + (dots < 0 ? 0 : 1);
  if (spare < 0 || (dots < 0 && spare > 0)) {
    const expected = `${dots < 0 ? '' : 'at least '}${groups.length - (dots < 0 ? 0 : 1)} axes`;
    throw new ShapeError({ code: 'rank-mismatch', op, expected, found: showShape(shape), within: list });
  }
  return groups.map((g, i) => {
    if (i === dots) return [g, shape.slice(i, i + spare)] as const;
    return [g, [shape[dots >= 0 && i > dots ? i + spare - 1 : i]!]] as const;
  });
}

/** Sizes of the axes of one group: at most one is not stated, and is what divides the whole by the others. */
function splitGroup(
  op: string,
  { axes, ...at }: AxisGroup,
  whole: Dim,
  sizes: Sizes,
  demands: SizeRequirement[],
): Dim[] {
  const known = axes.map(a => (a.name === '1' ? 1 : sizes(a.name)));
  const open = axes.filter((_, i) => known[i] === undefined);
  if (open.length > 1) refuse(op, `a size for all axes of a group but one, ${open[0]!.name}: 2`, 'none', open[0]!);
  const product = sizeOf(known.filter(d => d !== undefined));
  if (open.length === 0) {
    if (differ(product, whole)) refuseSize(op, axes.map(a => a.name).join(' '), product, whole, at);
    if (!sameDim(product, whole))
      demands.push({ requirement: { kind: 'equal', left: whole, right: product }, within: at });
  } else if (product !== 1) {
    demands.push({ requirement: { kind: 'divides', left: whole, right: product }, within: at });
  }
  return known.map(d => d ?? (product === 0 ? whole : floorDivDim(whole, product)));
}

function rearranged(pattern: string, shape: Shape, sizes: Sizes): Rearrangement {
  const op = 'rearrange';
  const parsed = parsePattern(op, pattern);
  const { inputs, output } = parsed;
  const [left, second] = inputs;
  if (second) refuse(op, 'the axes of one tensor', pattern.slice(second.start, second.end), second);
  const requirements: SizeRequirement[] = [];
  const split: Dim[] = [];
  /** Positions in `split` by name. */
  const places = new Map<string, readonly number[]>();
  for (const [group, dims] of alignGroups(op, left!, shape)) {
    const rest = group.axes[0]?.name === '...';
    const parts = rest ? dims : splitGroup(op, group, dims[0]!, sizes, requirements);
    if (rest)
      places.set(
        '...',
        dims.map((_, i) => split.length + i),
      );
    else for (const [i, a] of group.axes.entries()) if (a.name !== '1') places.set(a.name, [split.length + i]);
    split.push(...parts);
  }
  const kept = output.groups.flatMap(g => g.axes).filter(a => a.name !== '1');
  for (const axis of kept) if (!places.has(axis.name)) throw unknownAxis(op, axis, places.keys());
  const lost = left!.groups.flatMap(g => g.axes).find(a => a.name !== '1' && !kept.some(k => k.name === a.name));
  if (lost) refuse(op, `${lost.name} on the right side too`, pattern.slice(output.start, output.end), lost);
  const ones = [...split.keys()].filter(i => ![...places.values()].flat().includes(i));
  const permutation = [...ones, ...kept.flatMap(a => places.get(a.name)!)];
  const sizeAt = (axis: NamedAxis): Shape => (places.get(axis.name) ?? []).map(i => split[i]!);
  const result = output.groups.flatMap(g =>
    g.axes.length === 1 && g.axes[0]!.name === '...' ? sizeAt(g.axes[0]!) : [sizeOf(g.axes.flatMap(sizeAt))],
  );
  const sizesOf = new Map([...places].map(([name, at]) => [name, at.map(i => split[i]!)]));
  return { split, permutation, result, requirements, axes: axesWith(parsed, sizesOf) };
}

function rearrangementOf(args: TypeArguments): Rearrangement {
  return rearranged(text(args, 'pattern'), typeOf(args, 'x').shape, stated(args, ['x', 'pattern']));
}

interface Operand {
  readonly names: readonly string[];
  readonly shape: Shape;
}

interface Contraction {
  readonly operands: readonly Operand[];
  readonly output: readonly string[];
  readonly result: Shape;
  readonly requirements: readonly SizeRequirement[];
  readonly axes: readonly PatternAxis[];
}

const operandNames = ['x', 'y', 'z'] as const;

function plainAxes(op: string, list: AxisList): readonly NamedAxis[] {
  return list.groups.map(g => {
    const axis = g.axes[0];
    if (g.axes.length !== 1 || axis === undefined || !/^[A-Za-z_]/.test(axis.name))
      return refuse(op, 'the name of an axis', axis?.name ?? '()', g);
    return axis;
  });
}

function contraction(pattern: string, shapes: readonly Shape[]): Contraction {
  const op = 'einsum';
  const parsed = parsePattern(op, pattern);
  const { inputs, output } = parsed;
  if (inputs.length !== shapes.length) {
    const within = { start: inputs[0]!.start, end: inputs.at(-1)!.end };
    refuse(
      op,
      `the axes of ${shapes.length} tensor${shapes.length === 1 ? '' : 's'}`,
      `those of ${inputs.length}`,
      within,
    );
  }
  const sizes = new Map<string, Dim>();
  const requirements: SizeRequirement[] = [];
  const operands = inputs.map((list, i): Operand => {
    const shape = shapes[i]!;
    const axes = plainAxes(op, list);
    alignGroups(op, list, shape);
    for (const [j, axis] of axes.entries()) {
      const [before, size] = [sizes.get(axis.name), shape[j]!];
      if (before === undefined) sizes.set(axis.name, size);
      else if (differ(before, size)) refuseSize(op, axis.name, before, size, axis);
      else if (!sameDim(before, size))
        requirements.push({ requirement: { kind: 'equal', left: before, right: size }, within: axis });
    }
    return { names: axes.map(a => a.name), shape };
  });
  const out = plainAxes(op, output);
  for (const axis of out) if (!sizes.has(axis.name)) throw unknownAxis(op, axis, sizes.keys());
  const names = out.map(a => a.name);
  const axes = axesWith(parsed, new Map([...sizes].map(([name, size]) => [name, [size]])));
  return { operands, output: names, result: names.map(n => sizes.get(n)!), requirements, axes };
}

function contractionOf(args: TypeArguments): Contraction {
  const given = operandNames.filter(name => args[name] !== undefined);
  return contraction(
    text(args, 'pattern'),
    given.map(name => typeOf(args, name).shape),
  );
}

interface Named {
  readonly names: readonly string[];
  readonly value: Value;
}

/** The axes in the order of `names`, those that are not among them summed. */
function arrange(b: GraphBuilder, { names, value }: Named, wanted: readonly string[]): Named {
  const gone = names.flatMap((n, i) => (wanted.includes(n) ? [] : [i]));
  const summed = gone.length > 0 ? b.sum(value, { axes: gone }) : value;
  const left = names.filter(n => wanted.includes(n));
  const order = wanted.filter(n => left.includes(n));
  return {
    names: order,
    value: b.transpose(
      summed,
      order.map(n => left.indexOf(n)),
    ),
  };
}

/** Two operands as one batched matrix product: shared and kept axes are the batch, shared and dropped ones the inner axis. */
function contract(b: GraphBuilder, left: Named, right: Named, keep: ReadonlySet<string>): Named {
  const shared = left.names.filter(n => right.names.includes(n));
  const batch = shared.filter(n => keep.has(n));
  const inner = shared.filter(n => !keep.has(n));
  const rows = left.names.filter(n => keep.has(n) && !shared.includes(n));
  const columns = right.names.filter(n => keep.has(n) && !shared.includes(n));
  const x = arrange(b, left, [...batch, ...rows, ...inner]).value;
  const y = arrange(b, right, [...batch, ...inner, ...columns]).value;
  const outer = x.type.shape.slice(0, batch.length);
  const [m, k] = [
    x.type.shape.slice(batch.length, batch.length + rows.length),
    x.type.shape.slice(batch.length + rows.length),
  ];
  const n = y.type.shape.slice(batch.length + inner.length);
  const folded = batch.length > 0 ? [sizeOf(outer)] : [];
  const product = b.matmul(
    b.reshape(x, [...folded, sizeOf(m), sizeOf(k)]),
    b.reshape(y, [...folded, sizeOf(k), sizeOf(n)]),
  );
  return { names: [...batch, ...rows, ...columns], value: b.reshape(product, [...outer, ...m, ...n]) };
}

function buildEinsum(b: GraphBuilder, args: Arguments): Value {
  const values = operandNames.map(name => args[name]).filter(isValue);
  const { operands, output } = contraction(
    text(args, 'pattern'),
    values.map(v => v.type.shape),
  );
  const [first, ...others] = operands.map(({ names }, i): Named => ({ names, value: values[i]! }));
  const folded = others.reduce((left, right, i) => {
    const later = others.slice(i + 1).flatMap(o => o.names);
    return contract(b, left, right, new Set([...output, ...later]));
  }, first!);
  return arrange(b, folded, output).value;
}

export const notationFunctions: readonly TensorFunction[] = [
  {
    kind: 'function',
    name: 'rearrange',
    signature: 'rearrange(x: [...], pattern: string) -> [...]',
    doc: 'Names the axes of x on the left of `->` and orders them anew on the right; parentheses split an axis or join several, the last one running fastest, and `...` stands for any axes. Sizes that are split off are stated by name, `h: 4`; the last one follows. After einops.',
    example: 'x |> rearrange("b (h d) -> b h d", h: 4)',
    sizes: true,
    type: args => ({ ...typeOf(args, 'x'), shape: rearrangementOf(args).result }),
    requires: args => rearrangementOf(args).requirements,
    axes: args => rearrangementOf(args).axes,
    build: ({ b }, args) => {
      const x = tensor(args, 'x');
      const { split, permutation, result } = rearranged(
        text(args, 'pattern'),
        x.type.shape,
        stated(args, ['x', 'pattern']),
      );
      return b.reshape(b.transpose(b.reshape(x, split), permutation), result);
    },
  },
  {
    kind: 'function',
    name: 'einsum',
    signature: 'einsum(pattern: string, x: [...], y?: [...], z?: [...]) -> [...]',
    doc: "Einstein's summation over up to three tensors: the product of the elements whose named axes agree, summed over the axes that the right of `->` leaves out. Names are separated by spaces: `b i d, b j d -> b i j`.",
    example: 'einsum("b i, b j -> b i j", x, x)',
    type: args => ({ dtype: 'f32', shape: contractionOf(args).result }),
    requires: args => contractionOf(args).requirements,
    axes: args => contractionOf(args).axes,
    build: ({ b }, args) => buildEinsum(b, args),
  },
];
