/** How a slice of an operand of a product gets into workgroup memory: which element each thread fetches, in vectors where they lie side by side. */
import type { Scalar } from '../../ir/scalar.ts';
import type { BufferId, MatmulKernel, Schedule } from '../../kernel/kernel.ts';
import { affine, axis, substituteAxes } from '../../kernel/scalar.ts';
import type { ScalarWriter } from './scalarWriter.ts';
import { loadVectorText, type Module } from './shader.ts';
import { type Tile, threadsOf } from './tiles.ts';

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
  return dtype === 'f32' && length % VECTOR === 0 && offset % VECTOR === 0 && isAligned && strides.get(unit) === 1;
}

export interface Side {
  readonly operand: Scalar;
  readonly axis: 1 | 2;
  readonly access: Access;
  /** Extent of the axis, width of the block, elements in a vector of workgroup memory. */
  readonly size: number;
  readonly width: number;
  readonly vector: number;
  /** Variables: the array in workgroup memory, the first row or column of the block. */
  readonly shared: string;
  readonly first: string;
}

/** A thread's part of a slice: `vector` rows or columns by `deep` elements of the depth, at place `group` and `p`. */
interface Item {
  readonly group: string;
  readonly p: string;
  readonly guard: string | undefined;
  /** Axis numbers that stand for the item's rows or columns. */
  readonly widthAxes: readonly number[];
}

export interface Packer {
  /** Statements that fetch the slice at depth `k0`; `last` is the greatest depth there is, where the slice may reach beyond. */
  slice(last: number | undefined): void;
}

/** Declares, in the innermost scope of `writer`, what is the same for all slices: addresses advance by what depends on the depth alone. */
export function packer(module: Module, writer: ScalarWriter, side: Side, tile: Tile, firstAxis: number): Packer {
  const { depth } = tile;
  const threads = threadsOf(tile);
  const deep = deepOf(side);
  const items = itemsOf(writer, side, depth, deep, threads, firstAxis);
  const depthAxes = Array.from({ length: deep }, (_, t) => firstAxis + 50 + t);
  return {
    slice(last) {
      for (const item of items) {
        const body = writer.nested(() => {
          for (const [t, n] of depthAxes.entries()) {
            const at = `k0 + ${item.p}${t === 0 ? '' : ` + ${t}i`}`;
            const limit = last === undefined ? undefined : deep > 1 ? last - 3 + t : last;
            writer.line(`let d${n} = ${limit === undefined ? at : `min(${at}, ${limit}i)`};`);
            writer.defineAxis(n, `d${n}`);
          }
          fetch(module, writer, side, item, depthAxes);
        });
        writer.line(item.guard === undefined ? '{' : `if (${item.guard}) {`, ...body, '}');
      }
    },
  };
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

function itemsOf(
  writer: ScalarWriter,
  { access, size, width, vector, first, axis: widthAxis }: Side,
  depth: number,
  deep: number,
  threads: number,
  firstAxis: number,
): readonly Item[] {
  const groups = width / vector;
  const steps = depth / deep;
  const inner = access.along === 'depth' ? steps : groups;
  const passes = Math.ceil((groups * steps) / threads);
  const lanes = threads / inner;
  const name = widthAxis === 1 ? 'a' : 'b';
  writer.line(`let ${name}Inner = i32(lane) % ${inner}i;`, `let ${name}Outer = i32(lane) / ${inner}i;`);
  return Array.from({ length: passes }, (_, pass) => {
    const outer = pass === 0 ? `${name}Outer` : `${name}Outer + ${pass * lanes}i`;
    const isWhole = (pass + 1) * threads <= groups * steps;
    const [group, p] = access.along === 'depth' ? [outer, `${name}Inner`] : [`${name}Inner`, outer];
    const bound = access.along === 'depth' ? groups : steps;
    const isShared = access.along === 'width' && pass > 0;
    const base = firstAxis + (isShared ? 0 : pass * vector);
    const widthAxes = Array.from({ length: vector }, (_, e) => base + e);
    if (!isShared) {
      for (const [e, n] of widthAxes.entries()) {
        const at = `${first} + (${group}) * ${vector}i${e === 0 ? '' : ` + ${e}i`}`;
        // Beyond the edge any row will do: what becomes of it is never stored.
        const limit = access.along === 'width' && access.vector !== undefined ? size - vector + e : size - 1;
        writer.line(`let w${n} = ${size % width === 0 ? at : `min(${at}, ${limit}i)`};`);
        writer.defineAxis(n, `w${n}`);
      }
    }
    const place = deep === 1 ? p : `${p} * ${deep}i`;
    return { group, p: place, guard: isWhole ? undefined : `${outer} < ${bound}i`, widthAxes };
  });
}

const COMPONENTS = 'xyzw';
/** WGSL's type of `n` floats. */
export const vectorType = (n: number): string => (n === 1 ? 'f32' : `vec${n}<f32>`);
export const component = (value: string, n: number, of: number): string =>
  of === 1 ? value : `${value}.${COMPONENTS[n]}`;

function fetch(module: Module, writer: ScalarWriter, side: Side, item: Item, depthAxes: readonly number[]): void {
  const { operand, axis: widthAxis, access, vector, shared, width } = side;
  const at = (e: number, t: number): Scalar => {
    const index: Scalar[] = [];
    index[widthAxis] = axis(item.widthAxes[e]!);
    index[DEPTH_AXIS] = axis(depthAxes[t]!);
    return substituteAxes(operand, index);
  };
  const store = (t: number, value: string) => {
    const p = t === 0 ? item.p : `(${item.p} + ${t}i)`;
    writer.line(`${shared}[(${p}) * ${width / vector}i + ${item.group}] = ${value};`);
  };
  const vectorAt = (s: Scalar): string =>
    s.kind === 'load' ? loadVectorText(module, s.buffer, writer.index(s.buffer, s.at)) : writer.write(s);
  const joined = (values: readonly string[]) =>
    vector === 1 ? values[0]! : `${vectorType(vector)}(${values.join(', ')})`;
  const lanes = [...Array(vector).keys()];
  if (access.vector !== undefined && access.along === 'width') store(0, vectorAt(at(0, 0)));
  else if (access.vector !== undefined) {
    for (const e of lanes) writer.line(`let r${e} = ${vectorAt(at(e, 0))};`);
    for (const t of depthAxes.keys()) store(t, joined(lanes.map(e => component(`r${e}`, t, VECTOR))));
  } else for (const t of depthAxes.keys()) store(t, joined(lanes.map(e => writer.write(at(e, t)))));
}
