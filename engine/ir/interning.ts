/** The constructors of scalars: each is made once, so that equal scalars are one object and have one number. */
import type { Scalar, ScalarOp, ScalarType } from './scalar.ts';

/** What tells scalars apart: a tag for kind, operation and type, and up to four whole numbers of 32 bits, such as the ids of operands. */
const FIELDS = 5;
/** Least size of the hash table; a power of two, as all are. */
const LEAST = 1 << 12;

const TYPES: readonly ScalarType[] = ['f32', 'i32', 'u32', 'bool'];
/** Tags by name, numbered as they come up; each stands for as many as there are types. */
const tags = new Map<string, number>();

/** Scalars since the latest reset; the first of them has the id `first`. */
let nodes: Scalar[] = [];
let keys = new Int32Array(FIELDS * LEAST);
/** Open addressing: place in `nodes` plus one, 0 where nothing is. */
let slots = new Int32Array(2 * LEAST);
let first = 1;
/** What others remember about scalars, to be forgotten with them. */
const memos = new Set<() => void>();
const double = new Float64Array(1);
const halves = new Int32Array(double.buffer);

/**
 * Forgets the scalars so far, which costs no more than sharing with later ones; the scheduler calls it first, which also makes the order of
 * ids reproducible.
 */
export function resetScalars(): void {
  first += nodes.length;
  nodes = [];
  keys = new Int32Array(FIELDS * LEAST);
  slots = new Int32Array(2 * LEAST);
  for (const forget of memos) forget();
}

/** Has `forget` called whenever scalars are forgotten. */
export function onReset(forget: () => void): void {
  memos.add(forget);
}

/** Is `s` the one of its structure now, not one from before a reset? */
export function isInterned(s: Scalar): boolean {
  return s.id >= first;
}

/** `-0` and `0` are different constants. */
export function constant(value: number, type: ScalarType = 'i32'): Scalar {
  double[0] = value;
  return (
    find(tagOf('constant', type), halves[0]!, halves[1]!, 0, 0) ??
    keep({ kind: 'constant', type, value, id: first + nodes.length })
  );
}

/** The i32 loop variable of axis `n`. */
export function axis(n: number): Scalar {
  return (
    find(tagOf('axis', 'i32'), n, 0, 0, 0) ?? keep({ kind: 'axis', axis: n, type: 'i32', id: first + nodes.length })
  );
}

/** Element `at` of a buffer. */
export function load(buffer: number, at: Scalar, type: ScalarType): Scalar {
  const index = intern(at);
  return (
    find(tagOf('load', type), buffer, index.id, 0, 0) ??
    keep({ kind: 'load', buffer, at: index, type, id: first + nodes.length })
  );
}

/** The result of accumulator `slot`. */
export function reduced(slot: number, type: ScalarType): Scalar {
  return find(tagOf('reduced', type), slot, 0, 0, 0) ?? keep({ kind: 'reduced', slot, type, id: first + nodes.length });
}

/** An operation on at most four operands. */
export function apply(op: ScalarOp, args: readonly Scalar[], type: ScalarType): Scalar {
  const parts = args.every(isInterned) ? args : args.map(intern);
  const [a, b, c, d] = parts;
  return (
    find(tagOf(op, type), a?.id ?? 0, b?.id ?? 0, c?.id ?? 0, d?.id ?? 0) ??
    keep({ kind: 'apply', op, args: parts, type, id: first + nodes.length })
  );
}

/** The scalar of the same structure among those of now. */
export function intern(s: Scalar): Scalar {
  return isInterned(s) ? s : mapScalar(s, x => x);
}

/** The number of `s` among the scalars of now. */
export function scalarId(s: Scalar): number {
  return intern(s).id;
}

/** The scalars that `s` is directly made of. */
export function children(s: Scalar): readonly Scalar[] {
  return s.kind === 'apply' ? s.args : s.kind === 'load' ? [s.at] : NONE;
}
const NONE: readonly Scalar[] = [];

/** `s` with its parts replaced. */
export function withChildren(s: Scalar, parts: readonly Scalar[]): Scalar {
  switch (s.kind) {
    case 'constant':
      return constant(s.value, s.type);
    case 'axis':
      return axis(s.axis);
    case 'reduced':
      return reduced(s.slot, s.type);
    case 'load':
      return load(s.buffer, parts[0]!, s.type);
    case 'apply':
      return apply(s.op, parts, s.type);
  }
}

/** Rebuilds bottom-up; `f` sees each distinct scalar once, with its parts already mapped. */
export function mapScalar(s: Scalar, f: (s: Scalar) => Scalar, seen = new Map<Scalar, Scalar>()): Scalar {
  const known = seen.get(s);
  if (known !== undefined) return known;
  const before = children(s);
  const parts = before.map(part => mapScalar(part, f, seen));
  const isSame = isInterned(s) && parts.every((part, i) => part === before[i]);
  const result = f(isSame ? s : withChildren(s, parts));
  seen.set(s, result);
  return result;
}

function tagOf(name: string, type: ScalarType): number {
  const tag = tags.get(name) ?? tags.size;
  if (tag === tags.size) tags.set(name, tag);
  return TYPES.length * tag + TYPES.indexOf(type);
}

/** Where the latest scalar that was not found belongs. */
let vacant = 0;
const wanted = new Int32Array(FIELDS);

function find(tag: number, a: number, b: number, c: number, d: number): Scalar | undefined {
  wanted[0] = tag;
  wanted[1] = a;
  wanted[2] = b;
  wanted[3] = c;
  wanted[4] = d;
  const mask = slots.length - 1;
  for (vacant = hash(wanted, 0) & mask; ; vacant = (vacant + 1) & mask) {
    const found = slots[vacant]! - 1;
    if (found < 0) return undefined;
    const at = FIELDS * found;
    if (keys[at] === tag && keys[at + 1] === a && keys[at + 2] === b && keys[at + 3] === c && keys[at + 4] === d)
      return nodes[found];
  }
}

/** Enters the scalar that has just not been found. */
function keep(s: Scalar): Scalar {
  const count = nodes.push(s);
  if (FIELDS * count > keys.length) grow();
  keys.set(wanted, FIELDS * (count - 1));
  slots[vacant] = count;
  return s;
}

/** Twice the room, so that half of the slots or more are free. */
function grow(): void {
  const before = keys;
  keys = new Int32Array(2 * before.length);
  keys.set(before);
  slots = new Int32Array(2 * slots.length);
  const mask = slots.length - 1;
  const place = (at: number): number => {
    let slot = hash(keys, at) & mask;
    while (slots[slot] !== 0) slot = (slot + 1) & mask;
    return slot;
  };
  for (let n = 0; FIELDS * n < before.length; n++) slots[place(FIELDS * n)] = n + 1;
  keys.set(wanted, before.length);
  vacant = place(before.length);
}

function hash(fields: Int32Array, at: number): number {
  let h = 0;
  for (let i = at; i < at + FIELDS; i++) {
    h = Math.imul(h ^ fields[i]!, 0x9e3779b1);
    h ^= h >>> 15;
  }
  return h;
}
