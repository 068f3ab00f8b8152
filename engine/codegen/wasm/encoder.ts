/** A small encoder of WebAssembly binaries: instructions with structured control into functions, functions into a module over one imported memory. */
import { never } from '../../util/errors.ts';
import {
  LANE_OPCODES,
  type LaneOpcode,
  MEMORY_OPCODES,
  type MemoryOpcode,
  OPCODES,
  type Opcode,
  SHUFFLE,
  V128_CONST,
} from './opcodes.ts';

export type ValueType = 'i32' | 'i64' | 'f32' | 'f64' | 'v128';

export interface Signature {
  readonly params: readonly ValueType[];
  readonly results: readonly ValueType[];
}

/** A piece of a binary; pieces are joined once, at the end. */
type Bytes = readonly number[];

/** Index of a local within its function; parameters come first. */
export type Local = number;

const VALUE_TYPES: Readonly<Record<ValueType, number>> = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, v128: 0x7b };
const EMPTY_BLOCK = 0x40;

/** Unsigned LEB128. */
function pushUnsigned(bytes: number[], value: number): void {
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  bytes.push(rest);
}

/** Signed LEB128 of an i32. */
function pushSigned(bytes: number[], value: number): void {
  let rest = value | 0;
  for (;;) {
    const low = rest & 0x7f;
    rest >>= 7;
    if ((rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0)) {
      bytes.push(low);
      return;
    }
    bytes.push(low | 0x80);
  }
}

function pushOpcode(bytes: number[], opcode: number): void {
  if (opcode > 0xffff) {
    bytes.push(opcode >> 16);
    pushUnsigned(bytes, opcode & 0xffff);
  } else bytes.push(opcode);
}

const float = new DataView(new ArrayBuffer(8));

/** Byte addresses of the constants of all functions, below the buffers and behind what threads use (`CONTROL`). */
const CONSTANTS = 8192;
const CONSTANTS_END = 65536;

/** The body of one function, written instruction by instruction. Methods return `this`, so short sequences read like the text format. */
export class Code {
  readonly signature: Signature;
  private readonly bytes: number[] = [];
  /** Locals of the vectors of four equal lanes, by their bits. */
  private readonly splats = new Map<number, Local>();
  private readonly locals: ValueType[] = [];

  constructor(params: readonly ValueType[] = [], results: readonly ValueType[] = []) {
    this.signature = { params, results };
  }

  /** A fresh local; it starts as zero. */
  local(type: ValueType): Local {
    this.locals.push(type);
    return this.signature.params.length + this.locals.length - 1;
  }

  get(local: Local): this {
    this.bytes.push(0x20);
    pushUnsigned(this.bytes, local);
    return this;
  }

  set(local: Local): this {
    this.bytes.push(0x21);
    pushUnsigned(this.bytes, local);
    return this;
  }

  tee(local: Local): this {
    this.bytes.push(0x22);
    pushUnsigned(this.bytes, local);
    return this;
  }

  op(name: Opcode): this {
    pushOpcode(this.bytes, OPCODES[name]);
    return this;
  }

  lane(name: LaneOpcode, lane: number): this {
    pushOpcode(this.bytes, LANE_OPCODES[name]);
    this.bytes.push(lane);
    return this;
  }

  /** A load, store or atomic at the address on the stack plus `offset` bytes. `align` is the exponent promised, at most the natural one. */
  memory(name: MemoryOpcode, offset: number, align?: number): this {
    const [opcode, natural] = MEMORY_OPCODES[name];
    pushOpcode(this.bytes, opcode);
    pushUnsigned(this.bytes, align ?? natural);
    pushUnsigned(this.bytes, offset);
    return this;
  }

  /** Stores lane `lane` of a vector. */
  memoryLane(name: 'v128.store64_lane', lane: number, offset: number, align?: number): this {
    this.memory(name, offset, align);
    this.bytes.push(lane);
    return this;
  }

  i32(value: number): this {
    this.bytes.push(0x41);
    pushSigned(this.bytes, value);
    return this;
  }

  /** A 64-bit constant that fits in 32 signed bits or is given as an unsigned 32-bit number. */
  i64(value: number): this {
    this.bytes.push(0x42);
    let rest = BigInt(value);
    for (;;) {
      const low = Number(rest & 0x7fn);
      rest >>= 7n;
      if ((rest === 0n && (low & 0x40) === 0) || (rest === -1n && (low & 0x40) !== 0)) {
        this.bytes.push(low);
        return this;
      }
      this.bytes.push(low | 0x80);
    }
  }

  f32(value: number): this {
    this.bytes.push(0x43);
    float.setFloat32(0, value, true);
    for (let i = 0; i < 4; i++) this.bytes.push(float.getUint8(i));
    return this;
  }

  f64(value: number): this {
    this.bytes.push(0x44);
    float.setFloat64(0, value, true);
    for (let i = 0; i < 8; i++) this.bytes.push(float.getUint8(i));
    return this;
  }

  /** Four times the f32. */
  f32x4(value: number): this {
    float.setFloat32(0, value, true);
    return this.i32x4(float.getInt32(0, true));
  }

  /**
   * The lanes, or four times the one given. Equal lanes other than 0 are read from memory when the function is entered: V8 would build
   * a constant anew wherever it is used, and could not pair two of those into 256 bits.
   */
  i32x4(...lanes: readonly number[]): this {
    const [first] = lanes;
    if (lanes.every(lane => lane === first) && first !== 0) return this.get(this.splat(first! | 0));
    pushOpcode(this.bytes, V128_CONST);
    for (let lane = 0; lane < 4; lane++) {
      float.setInt32(0, lanes[lane] ?? lanes[0]!, true);
      for (let i = 0; i < 4; i++) this.bytes.push(float.getUint8(i));
    }
    return this;
  }

  private splat(bits: number): Local {
    const known = this.splats.get(bits);
    if (known !== undefined) return known;
    const local = this.local('v128');
    this.splats.set(bits, local);
    return local;
  }

  /** Twice the f64. */
  f64x2(value: number): this {
    pushOpcode(this.bytes, V128_CONST);
    float.setFloat64(0, value, true);
    for (let i = 0; i < 16; i++) this.bytes.push(float.getUint8(i % 8));
    return this;
  }

  /** Picks four 32-bit lanes out of the eight of the two vectors on the stack. */
  shuffle(...lanes: readonly [number, number, number, number]): this {
    pushOpcode(this.bytes, SHUFFLE);
    for (const lane of lanes) this.bytes.push(lane * 4, lane * 4 + 1, lane * 4 + 2, lane * 4 + 3);
    return this;
  }

  /** memory.fill: address, byte value and length are on the stack. */
  fill(): this {
    this.bytes.push(0xfc, 11, 0);
    return this;
  }

  call(index: number): this {
    this.bytes.push(0x10);
    pushUnsigned(this.bytes, index);
    return this;
  }

  /** `do body while (the i32 the body leaves is not 0)`. */
  repeat(body: () => void): this {
    this.bytes.push(0x03, EMPTY_BLOCK);
    body();
    this.bytes.push(0x0d, 0, 0x0b);
    return this;
  }

  /** Runs `yes` if the i32 on the stack is not 0, else `no`. Both leave a value of `result`, if there is one. */
  if(yes: () => void, no?: () => void, result?: ValueType): this {
    this.bytes.push(0x04, result === undefined ? EMPTY_BLOCK : VALUE_TYPES[result]);
    yes();
    if (no !== undefined) {
      this.bytes.push(0x05);
      no();
    }
    this.bytes.push(0x0b);
    return this;
  }

  /** `for (counter = from on the stack; counter < limit; counter += step)`; checks before the first turn. The limit is read anew each turn. */
  count(counter: Local, step: number, limit: () => void, body: () => void): this {
    const inRange = () => {
      limit();
      this.op('i32.lt_s');
    };
    this.tee(counter);
    inRange();
    return this.if(() => {
      this.repeat(() => {
        body();
        this.get(counter).i32(step).op('i32.add').tee(counter);
        inRange();
      });
    });
  }

  /** The function body in the binary format, in pieces: local declarations, instructions, end. `addressOf` says where a constant lies. */
  encode(addressOf: (bits: number) => number): readonly Bytes[] {
    const head: number[] = [];
    const entry = new Code();
    for (const [bits, local] of this.splats) entry.i32(0).memory('v128.load32_splat', addressOf(bits)).set(local);
    const runs: [ValueType, number][] = [];
    for (const type of this.locals) {
      const last = runs.at(-1);
      if (last?.[0] === type) last[1]++;
      else runs.push([type, 1]);
    }
    pushUnsigned(head, runs.length);
    for (const [type, count] of runs) {
      pushUnsigned(head, count);
      head.push(VALUE_TYPES[type]);
    }
    return [head, entry.bytes, this.bytes, [0x0b]];
  }
}

/** Pages of 64 KiB of the imported memory `strata.memory`. */
export interface MemoryType {
  readonly pages: number;
  readonly shared: boolean;
}

/** Collects functions and writes the module. */
export class ModuleBuilder {
  private readonly functions: Code[] = [];
  private readonly exports = new Map<string, number>();

  /** Adds a function and returns its index; an exported one is called by `name` from outside. */
  add(code: Code, name?: string): number {
    this.functions.push(code);
    const index = this.functions.length - 1;
    if (name !== undefined) this.exports.set(name, index);
    return index;
  }

  /** The binary. */
  encode(memory: MemoryType): Uint8Array<ArrayBuffer> {
    const types: Signature[] = [];
    const typeIndex = this.functions.map(code => {
      const key = JSON.stringify(code.signature);
      const known = types.findIndex(t => JSON.stringify(t) === key);
      return known >= 0 ? known : types.push(code.signature) - 1;
    });
    const pieces: Bytes[] = [[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0]];
    section(pieces, 1, [list(types, pushSignature)]);
    section(pieces, 2, [importMemory(memory)]);
    section(pieces, 3, [list(typeIndex, pushUnsigned)]);
    section(pieces, 7, [list([...this.exports], pushExport)]);
    const constants = new Map<number, number>();
    const bodies = this.functions.flatMap(code => sized(code.encode(bits => addressIn(constants, bits))));
    section(pieces, 10, [list(this.functions, () => {}), ...bodies]);
    section(pieces, 11, [constantData(constants)]);
    return joined(pieces);
  }
}

const sizeOf = (pieces: readonly Bytes[]): number => pieces.reduce((sum, { length }) => sum + length, 0);

function joined(pieces: readonly Bytes[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(sizeOf(pieces));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

/** The pieces with their size before them. */
function sized(pieces: readonly Bytes[]): readonly Bytes[] {
  const size: number[] = [];
  pushUnsigned(size, sizeOf(pieces));
  return [size, ...pieces];
}

function list<T>(items: readonly T[], push: (bytes: number[], item: T) => void): number[] {
  const bytes: number[] = [];
  pushUnsigned(bytes, items.length);
  for (const item of items) push(bytes, item);
  return bytes;
}

function section(pieces: Bytes[], id: number, content: readonly Bytes[]): void {
  pieces.push([id], ...sized(content));
}

function pushSignature(bytes: number[], { params, results }: Signature): void {
  bytes.push(0x60);
  for (const types of [params, results]) {
    pushUnsigned(bytes, types.length);
    for (const type of types) bytes.push(VALUE_TYPES[type]);
  }
}

function pushName(bytes: number[], name: string): void {
  const encoded = new TextEncoder().encode(name);
  pushUnsigned(bytes, encoded.length);
  bytes.push(...encoded);
}

function importMemory({ pages, shared }: MemoryType): number[] {
  const bytes = [1];
  pushName(bytes, 'strata');
  pushName(bytes, 'memory');
  bytes.push(2, shared ? 3 : 1);
  pushUnsigned(bytes, pages);
  pushUnsigned(bytes, pages);
  return bytes;
}

function pushExport(bytes: number[], [name, index]: readonly [string, number]): void {
  pushName(bytes, name);
  bytes.push(0);
  pushUnsigned(bytes, index);
}

/** Where the constant lies; a new one goes behind the others. */
function addressIn(constants: Map<number, number>, bits: number): number {
  const address = constants.get(bits) ?? CONSTANTS + 4 * constants.size;
  if (address >= CONSTANTS_END) throw never('a module has too many constants', constants.size);
  constants.set(bits, address);
  return address;
}

/** The data section: one active segment with all constants. */
function constantData(constants: ReadonlyMap<number, number>): number[] {
  const bytes = [1, 0, 0x41];
  pushSigned(bytes, CONSTANTS);
  bytes.push(0x0b);
  pushUnsigned(bytes, 4 * constants.size);
  for (const bits of constants.keys()) {
    float.setInt32(0, bits, true);
    for (let i = 0; i < 4; i++) bytes.push(float.getUint8(i));
  }
  return bytes;
}
