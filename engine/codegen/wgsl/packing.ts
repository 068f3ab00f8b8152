/** How a slice of an operand of a product gets into workgroup memory: which element each thread fetches, in vectors where they lie side by side. */
import type { Scalar } from '../../ir/scalar.ts';
import type { BufferId, MatmulKernel, Schedule } from '../../kernel/kernel.ts';
import { affine, axis, substituteAxes } from '../../kernel/scalar.ts';
import { indent, type ScalarWriter } from './scalarWriter.ts';
import { loadVectorText, type Module } from './shader.ts';
import { slicesOf, type Tile, threadsOf } from './tiles.ts';

/** Along what neighbouring threads read: the depth of the product, or the rows of A and columns of B. */
export type Along = 'depth' | 'width';

export interface Access {
  readonly along: Along;
  /** The buffer whose elements are read four at a time in that direction. */
  readonly vector?: BufferId;
}

const DEPTH_AXIS = 3;
const VECTOR = 4;

/** How an operand whose rows or columns are `widthAxis` (1 or 2) of the kernel is best read. */
export function accessOf(schedule: Schedule, kernel: MatmulKernel, operand: Scalar, widthAxis: 1 | 2): Access {
  const index = operand.kind === 'load' ? affine(operand.at) : undefined;
  const along = Math.abs(index?.strides.get(DEPTH_AXIS) ?? 0) === 1 ? 'depth' : 'width';
  const unit = along === 'depth' ? DEPTH_AXIS : widthAxis;
  const extent = along === 'depth' ? kernel.k : widthAxis === 1 ? kernel.m : kernel.n;
  if (operand.kind !== 'load' || index === undefined || extent % VECTOR !== 0) return { along };
  return isVector(schedule, operand.buffer, index, unit) ? { along, vector: operand.buffer } : { along };
}

/** Whether elements of a buffer lie side by side along axis `unit`, each group of four at a multiple of four. */
export function isVector(
  schedule: Schedule,
  buffer: BufferId,
  { offset, strides }: { readonly offset: number; readonly strides: ReadonlyMap<number, number> },
  unit: number,
): boolean {
  const { dtype, length } = schedule.buffers[buffer]!;
  const isAligned = [...strides].every(([n, stride]) => n === unit || stride % VECTOR === 0);
  return (
    (dtype === 'f32' || dtype === 'f16') &&
    length % VECTOR === 0 &&
    offset % VECTOR === 0 &&
    isAligned &&
    strides.get(unit) === 1
  );
}

export interface Side {
  readonly operand: Scalar;
  readonly axis: 1 | 2;
  readonly access: Access;
  /** Extent of the axis, width of the block, elements in a vector of workgroup memory, and those that a thread fetches at once. */
  readonly size: number;
  readonly width: number;
  readonly vector: number;
  readonly piece: number;
  /** Extent of the product's depth. */
  readonly depth: number;
  /** Elements of workgroup memory from one step of the depth to the next. */
  readonly stride: number;
  /** Whether workgroup memory is of single elements, as subgroup matrices are loaded from, and its type. What is beyond the depth is 0 there. */
  readonly isFlat: boolean;
  readonly element: 'f32' | 'f16';
  /** Variables: the array in workgroup memory, the first row or column of the block. */
  readonly shared: string;
  readonly first: string;
}

/** The declaration of an operand's slice in workgroup memory. */
export function sliceText({ shared, vector, stride, isFlat, element }: Side, tile: Tile): string {
  const size = isFlat ? 1 : vector;
  const length = (stride * tile.depth * slicesOf(tile)) / size;
  return `var<workgroup> ${shared}: array<${size === 1 ? element : vectorType(size)}, ${length}>;\n`;
}

export interface Packer {
  /** Statements that fetch the slice at depth `k0`; `last` is the greatest depth there is, where the slice may reach beyond. */
  slice(last: number | undefined): void;
  /** Statements that declare variables for what a thread fetches of a whole slice, that fetch the one at depth `k0` into them, and that write it from step `slot` on. */
  declareNext(): void;
  fetchNext(): void;
  storeNext(): void;
}

/**
 * A slice is cut into items of `piece` rows or columns by `deepOf` elements of the depth. Neighbouring threads take neighbours in the
 * direction that the operand lies in, and go through the other one. What is the same for all slices is declared at once, in the innermost
 * scope of `writer`, so that addresses advance by what depends on the depth alone.
 */
export function packer(module: Module, writer: ScalarWriter, side: Side, tile: Tile, firstAxis: number): Packer {
  const { access, width, vector, piece, axis: widthAxis } = side;
  const threads = threadsOf(tile);
  const deep = deepOf(side);
  const isDeep = access.along === 'depth';
  const [groups, steps] = [width / piece, tile.depth / deep];
  const [inner, outer] = isDeep ? [steps, groups] : [groups, steps];
  const passes = Math.ceil((inner * outer) / threads);
  const name = widthAxis === 1 ? 'a' : 'b';
  writer.line(`let ${name}Inner = i32(lane & ${inner - 1}u);`, `let ${name}Outer = i32(lane >> ${Math.log2(inner)}u);`);
  const itemAt = (place: string): Item => {
    const [group, p] = isDeep ? [place, `${name}Inner`] : [`${name}Inner`, place];
    return {
      group,
      p: deep === 1 ? p : `${p} * ${deep}i`,
      widthAxes: Array.from({ length: piece }, (_, e) => firstAxis + e),
      depthAxes: Array.from({ length: deep }, (_, t) => firstAxis + piece + t),
    };
  };
  const step = threads / inner;
  const item = itemAt(passes > 1 ? 'i' : `${name}Outer`);
  const isHoisted = passes === 1 || !isDeep;
  if (isHoisted) defineWidths(writer, side, item);
  const once = inner * outer < threads ? `if (${name}Outer < ${outer}i) {` : '{';
  const open = passes > 1 ? `for (var i = ${name}Outer; i < ${outer}i; i += ${step}i) {` : once;
  const fetchInto = (each: Item, last: number | undefined, use: Use) =>
    writer.nested(() => {
      if (!isHoisted) defineWidths(writer, side, each);
      defineDepths(writer, each, side.depth, last);
      fetch(module, writer, side, each, use);
    });
  const all = Array.from({ length: passes }, (_, n) =>
    itemAt(n === 0 ? `${name}Outer` : `(${name}Outer + ${n * step}i)`),
  );
  const next = (n: number, t: number) => `${name}Next${n}_${t}`;
  const lanes = item.depthAxes.map((_, t) => t);
  return {
    slice(last) {
      const body = fetchInto(item, last, (t, value, e) => store(writer, side, item, t, value, last, e));
      writer.line(`${open}\n${indent(body)}}`);
    },
    declareNext() {
      writer.line(...all.flatMap((_, n) => lanes.map(t => `var ${next(n, t)} = ${vectorType(vector)}(0f);`)));
    },
    fetchNext() {
      for (const [n, each] of all.entries()) {
        const body = fetchInto(each, undefined, (t, value) => writer.line(`${next(n, t)} = ${value};`));
        writer.line(`${once}\n${indent(body)}}`);
      }
    },
    storeNext() {
      for (const [n, each] of all.entries()) {
        const there = { ...each, p: `slot + ${each.p}` };
        const body = writer.nested(() => {
          for (const t of lanes) store(writer, side, there, t, next(n, t));
        });
        writer.line(`${once}\n${indent(body)}}`);
      }
    },
  };
}

/** A thread's part of a slice: where it begins, and the axis numbers that stand for its rows or columns and its elements of the depth. */
interface Item {
  readonly group: string;
  readonly p: string;
  readonly widthAxes: readonly number[];
  readonly depthAxes: readonly number[];
}

/** Beyond the edge any row will do: what becomes of it is never stored. A part of a vector of workgroup memory is `h` of vector `g`. */
function defineWidths(writer: ScalarWriter, side: Side, { group, widthAxes }: Item): void {
  const { access, size, width, vector, piece, first } = side;
  for (const [e, n] of widthAxes.entries()) {
    const own = `${group}${piece === 1 ? '' : ` * ${piece}i`}${e === 0 ? '' : ` + ${e}i`}`;
    const at = `${first} + ${own}`;
    const limit = access.along === 'width' && access.vector !== undefined ? size - piece + e : size - 1;
    writer.line(`let w${n} = ${size % width === 0 ? at : `min(${at}, ${limit}i)`};`);
    writer.defineAxis(n, `w${n}`, size);
    if (piece < vector)
      writer.line(`let g${n} = (${own}) >> ${Math.log2(vector)}u;`, `let h${n} = (${own}) & ${vector - 1}i;`);
  }
}

function defineDepths(writer: ScalarWriter, { p, depthAxes }: Item, depth: number, last: number | undefined): void {
  for (const [t, n] of depthAxes.entries()) {
    const at = `k0 + ${p}${t === 0 ? '' : ` + ${t}i`}`;
    writer.line(`let d${n} = ${last === undefined ? at : `min(${at}, ${last - depthAxes.length + 1 + t}i)`};`);
    writer.defineAxis(n, `d${n}`, depth);
  }
}

/** Elements along the depth that a thread fetches at once. */
const deepOf = ({ access }: Side): number => (access.along === 'depth' && access.vector !== undefined ? VECTOR : 1);

/**
 * How an operand is read in blocks of a tile that takes `vector` elements of its `width` at a time: four at once if they are side by side
 * in that direction, or along the depth if that leaves most threads something to fetch.
 */
export function accessIn(found: Access, tile: Tile, width: number, vector: number): Access {
  const suits =
    found.along === 'depth' ? (tile.depth * width) / vector / VECTOR >= threadsOf(tile) / 2 : vector === VECTOR;
  return suits ? found : { along: found.along };
}

const COMPONENTS = 'xyzw';
/** WGSL's type of `n` floats. */
export const vectorType = (n: number): string => (n === 1 ? 'f32' : `vec${n}<f32>`);
export const component = (value: string, n: number, of: number): string =>
  of === 1 ? value : `${value}.${COMPONENTS[n]}`;

/** What step `t` of an item is: a vector, or its element `e` where a thread fetches elements. */
type Use = (t: number, value: string, e?: number) => void;

/** Reads the item's vectors; `use` gets what they are. */
function fetch(module: Module, writer: ScalarWriter, side: Side, item: Item, use: Use): void {
  const { operand, axis: widthAxis, access, vector, piece } = side;
  const { depthAxes } = item;
  const at = (e: number, t: number): Scalar => {
    const index: Scalar[] = [];
    index[widthAxis] = axis(item.widthAxes[e]!);
    index[DEPTH_AXIS] = axis(depthAxes[t]!);
    return substituteAxes(operand, index);
  };
  const vectorAt = (s: Scalar): string =>
    s.kind === 'load' ? loadVectorText(module, s.buffer, writer.index(s.buffer, s.at)) : writer.write(s);
  const joined = (values: readonly string[]) =>
    vector === 1 ? values[0]! : `${vectorType(vector)}(${values.join(', ')})`;
  const lanes = [...Array(piece).keys()];
  if (piece < vector) for (const e of lanes) use(0, writer.write(at(e, 0)), e);
  else if (access.vector !== undefined && access.along === 'width') use(0, vectorAt(at(0, 0)));
  else if (access.vector !== undefined) {
    for (const e of lanes) writer.line(`let r${e} = ${vectorAt(at(e, 0))};`);
    for (const t of depthAxes.keys()) use(t, joined(lanes.map(e => component(`r${e}`, t, VECTOR))));
  } else for (const t of depthAxes.keys()) use(t, joined(lanes.map(e => writer.write(at(e, t)))));
}

/** Writes what step `t` of the item is, or its element `e` alone, to workgroup memory. */
function store(
  writer: ScalarWriter,
  side: Side,
  item: Item,
  t: number,
  value: string,
  last?: number,
  e?: number,
): void {
  const { shared, width, vector, isFlat } = side;
  const p = t === 0 ? item.p : `(${item.p} + ${t}i)`;
  const n = item.widthAxes[e ?? 0]!;
  if (isFlat) storeFlat(writer, side, item, p, last, value);
  else if (e === undefined) writer.line(`${shared}[(${p}) * ${width / vector}i + ${item.group}] = ${value};`);
  else writer.line(`${shared}[(${p}) * ${width / vector}i + g${n}][h${n}] = ${value};`);
}

/** Writes the elements of a vector one by one, as the numbers that matrices are of; zeros where step `p` of the slice is beyond the depth. */
function storeFlat(
  writer: ScalarWriter,
  { shared, stride, vector, element }: Side,
  { group }: Item,
  p: string,
  last: number | undefined,
  value: string,
): void {
  const type = vectorType(vector);
  const within = last === undefined ? value : `select(${type}(0f), ${value}, k0 + ${p} <= ${last}i)`;
  const n = writer.fresh();
  writer.line(
    `let at${n} = (${p}) * ${stride}i + ${group} * ${vector}i;`,
    `let own${n} = ${element === 'f32' ? within : `vec${vector}<${element}>(${within})`};`,
    ...Array.from({ length: vector }, (_, e) => `${shared}[at${n} + ${e}i] = ${component(`own${n}`, e, vector)};`),
  );
}
