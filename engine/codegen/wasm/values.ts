/** Emits scalar expressions inside loop nests: each distinct value once, at the outermost loop where it is known, as one element or as four lanes. */
import type { Scalar } from '../../ir/scalar.ts';
import { children, constant, scalarId } from '../../kernel/scalar.ts';
import { type Access, accessOf, axesOf, bytesOf, type Place, pointerOf, REDUCED_BIT } from './access.ts';
import type { Code, Local } from './encoder.ts';
import { emitDecodeHalf } from './half.ts';
import type { Library } from './library.ts';
import { emitScalarOp, emitVectorOp, hasVectorOp } from './ops.ts';

export type Form = 'scalar' | 'vector';

/** What the innermost loop body computes at once: one element, or `unroll` vectors of four. */
export interface Mode {
  readonly form: Form;
  readonly unroll: number;
}

export const SCALAR: Mode = { form: 'scalar', unroll: 1 };
const SPLAT = -1;

/** The loop nest that values live in. */
export interface Nest {
  readonly places: readonly Place[];
  readonly extents: readonly number[];
  /** Axis along which the four lanes lie. */
  readonly lane: number | undefined;
  /** Number of loops around the body of the outer axes. */
  readonly outerDepth: number;
  /** Buffers the kernel itself writes: loads of them stay within the outer body. */
  readonly written: ReadonlySet<number>;
  /** Depth at which the variable of an axis is known: 1 inside the first loop. */
  depthOf(axis: number): number;
}

interface Demand {
  readonly scalar: Scalar;
  readonly form: Form;
  readonly level: number;
  count: number;
  hoisted: boolean;
}

/** What one loop body needs, and how often. */
export type Plan = ReadonlyMap<string, Demand>;

export class Values {
  readonly code: Code;
  readonly nest: Nest;
  readonly library: Library;
  private readonly axes = new Map<number, Local>();
  private readonly accesses = new Map<string, Access>();
  private readonly levels = new Map<Scalar, number>();
  private readonly scopes: Map<string, Local>[] = [new Map()];
  /** Locals of accumulators: one, or one for each unrolled vector. */
  private readonly slots = new Map<number, readonly Local[]>();

  constructor(code: Code, library: Library, nest: Nest) {
    this.code = code;
    this.library = library;
    this.nest = nest;
  }

  bindAxis(axis: number, local: Local): void {
    this.axes.set(axis, local);
  }

  /** Pointers of places are the function's parameters from `first` on. */
  bindPointers(first: Local): void {
    for (const place of this.nest.places) {
      const pointer = pointerOf(place);
      if (pointer?.kind === 'axis') this.axes.set(pointer.axis, first + place.pointer!);
    }
  }

  bindSlot(slot: number, locals: readonly Local[]): void {
    this.slots.set(slot, locals);
  }

  /** Values emitted inside `body` are forgotten after it. */
  scope(body: () => void): void {
    this.scopes.push(new Map());
    body();
    this.scopes.pop();
  }

  /** Where element `at` of a buffer lies. */
  access(buffer: number, at: Scalar): Access {
    const key = `${buffer}@${scalarId(at)}`;
    const known = this.accesses.get(key);
    if (known !== undefined) return known;
    const access = accessOf(at, this.nest.places[buffer]!, this.nest.lane, this.nest.extents);
    this.accesses.set(key, access);
    return access;
  }

  /** Number of loops that must be open before the value is known. */
  levelOf(s: Scalar): number {
    const known = this.levels.get(s);
    if (known !== undefined) return known;
    const own =
      s.kind === 'axis'
        ? this.nest.depthOf(s.axis)
        : s.kind === 'reduced' || (s.kind === 'load' && this.nest.written.has(s.buffer))
          ? this.nest.outerDepth
          : 0;
    const level = children(s).reduce((most, child) => Math.max(most, this.levelOf(child)), own);
    this.levels.set(s, level);
    return level;
  }

  /** True if the lanes differ: along the lane axis, or in accumulators when the lanes are outer points. */
  isVector(s: Scalar): boolean {
    const { lane, outerDepth } = this.nest;
    if (lane === undefined) return false;
    const bits = (1 << lane) | (lane < outerDepth ? REDUCED_BIT : 0);
    return (axesOf(s) & bits) !== 0;
  }

  /** Collects what evaluating `roots` in a body at `depth` needs. */
  plan(roots: readonly { readonly scalar: Scalar; readonly form: Form }[], depth: number): Plan {
    const demands = new Map<string, Demand>();
    const demand = (scalar: Scalar, form: Form, consumer: number): void => {
      const key = keyOf(scalar, form);
      const known = demands.get(key);
      const entry = known ?? { scalar, form, level: this.levelOf(scalar), count: 0, hoisted: false };
      entry.count++;
      entry.hoisted ||= consumer > entry.level;
      if (known !== undefined) return;
      demands.set(key, entry);
      for (const operand of this.operands(scalar, form)) demand(operand.scalar, operand.form, entry.level);
    };
    for (const root of roots) demand(root.scalar, root.form, depth);
    return demands;
  }

  private operands(s: Scalar, form: Form): readonly { scalar: Scalar; form: Form }[] {
    if (form === 'vector' && !this.isVector(s)) return [{ scalar: s, form: 'scalar' }];
    if (s.kind === 'load') {
      const { address, stride } = this.access(s.buffer, s.at);
      return form === 'vector' && stride === undefined
        ? [{ scalar: s.at, form: 'vector' }]
        : [{ scalar: address, form: 'scalar' }];
    }
    if (s.kind !== 'apply') return [];
    return s.args.map((scalar, i) => ({ scalar, form: this.operandForm(s, i, form) }));
  }

  /** Shift counts stay scalar where they can; so do the arguments of a philox whose lanes only differ in the index. */
  private operandForm(s: Scalar & { kind: 'apply' }, i: number, form: Form): Form {
    if (form === 'scalar') return 'scalar';
    const isShift = s.op === 'shl' || s.op === 'shr';
    return isShift && i === 1 && !this.isVector(s.args[1]!) ? 'scalar' : 'vector';
  }

  /**
   * Emits, into locals, the values of `plans` that become known at `level` and are used deeper or more than once. What the unrolled copies
   * of a vector share, such as their address, is used by each: V8 pairs two accesses only where it sees one address.
   */
  materialize(plans: readonly Plan[], level: number, unroll = 1): void {
    const wanted = new Map<string, Demand>();
    const isShared = (d: Demand) => d.hoisted || d.count > 1 || (unroll > 1 && d.form === 'scalar');
    for (const plan of plans) {
      for (const [key, d] of plan) if (d.level === level && isShared(d)) wanted.set(key, d);
    }
    const sorted = [...wanted.values()].sort(
      (a, b) => scalarId(a.scalar) - scalarId(b.scalar) || (a.form === 'scalar' ? -1 : 1),
    );
    for (const { scalar, form } of sorted) {
      if (scalar.kind === 'constant' || (scalar.kind === 'axis' && form === 'scalar')) continue;
      const copies = form === 'vector' && this.isVector(scalar) ? unroll : 1;
      for (let u = 0; u < copies; u++) this.store(scalar, form, u);
    }
  }

  private store(s: Scalar, form: Form, u: number): void {
    const unit = this.unitOf(s, form, u);
    if (this.find(s, form, unit) !== undefined) return;
    const local = this.code.local(form === 'vector' ? 'v128' : s.type === 'f32' ? 'f32' : 'i32');
    this.emit(s, form, u);
    this.code.set(local);
    this.scopes.at(-1)!.set(`${keyOf(s, form)}:${unit}`, local);
  }

  private unitOf(s: Scalar, form: Form, u: number): number {
    return form === 'vector' && this.isVector(s) ? u : SPLAT;
  }

  private find(s: Scalar, form: Form, unit: number): Local | undefined {
    const key = `${keyOf(s, form)}:${unit}`;
    for (let i = this.scopes.length - 1; i >= 0; i--) {
      const local = this.scopes[i]!.get(key);
      if (local !== undefined) return local;
    }
    return undefined;
  }

  /** Leaves the value on the stack; with form `vector`, the four lanes of unrolled copy `u`. */
  emit(s: Scalar, form: Form, u = 0): void {
    const local = this.find(s, form, this.unitOf(s, form, u));
    if (local !== undefined) this.code.get(local);
    else if (form === 'scalar') this.emitScalar(s);
    else if (this.isVector(s)) this.emitVector(s, u);
    else this.emitSplat(s);
  }

  private emitScalar(s: Scalar): void {
    const { code } = this;
    switch (s.kind) {
      case 'constant':
        if (s.type === 'f32') code.f32(s.value);
        else code.i32(s.value);
        return;
      case 'axis':
        code.get(this.axes.get(s.axis)!);
        return;
      case 'reduced':
        code.get(this.slots.get(s.slot)![0]!);
        return;
      case 'load': {
        const { address, offset } = this.access(s.buffer, s.at);
        this.emit(address, 'scalar');
        this.emitElementLoad(this.nest.places[s.buffer]!, offset);
        return;
      }
      case 'apply': {
        for (const i of argumentOrder(s)) this.emit(s.args[i]!, 'scalar');
        emitScalarOp(code, this.library, s.op, operandType(s), s.type);
      }
    }
  }

  private emitElementLoad(place: Place, offset: number): void {
    if (place.dtype === 'f16') this.code.memory('i32.load16_u', offset).call(this.library.get('decode_f16'));
    else if (place.dtype === 'u8') this.code.memory('i32.load8_u', offset);
    else this.code.memory(place.dtype === 'f32' ? 'f32.load' : 'i32.load', offset);
  }

  private emitSplat(s: Scalar): void {
    const { code } = this;
    if (s.kind === 'constant') {
      if (s.type === 'f32') code.f32x4(s.value);
      else code.i32x4(s.type === 'bool' ? -s.value : s.value);
      return;
    }
    this.emit(s, 'scalar');
    if (s.type === 'bool') code.i32(-1).op('i32.mul');
    code.op(s.type === 'f32' ? 'f32x4.splat' : 'i32x4.splat');
  }

  private emitVector(s: Scalar, u: number): void {
    const { code } = this;
    if (s.kind === 'axis') {
      code
        .get(this.axes.get(s.axis)!)
        .op('i32x4.splat')
        .i32x4(4 * u, 4 * u + 1, 4 * u + 2, 4 * u + 3)
        .op('i32x4.add');
    } else if (s.kind === 'reduced') {
      code.get(this.slots.get(s.slot)![u]!);
    } else if (s.kind === 'load') this.emitVectorLoad(s, u);
    else if (s.kind === 'apply') this.emitVectorApply(s, u);
  }

  private emitVectorApply(s: Scalar & { kind: 'apply' }, u: number): void {
    const from = operandType(s);
    const scalarShift = (s.op === 'shl' || s.op === 'shr') && this.isVector(s.args[1]!);
    if (!hasVectorOp(s.op, from) || scalarShift) {
      this.emitLaneByLane(s, u);
      return;
    }
    if ((s.op === 'max' || s.op === 'min') && s.type === 'f32') {
      // One instruction instead of a NaN-proof sequence where one side is a number: NaN in the first operand stays.
      const bound = s.args.findIndex(arg => arg.kind === 'constant' && !Number.isNaN(arg.value));
      if (bound >= 0) {
        this.emit(s.args[1 - bound]!, 'vector', u);
        this.emit(s.args[bound]!, 'vector', u);
        this.code.op(s.op === 'max' ? 'f32x4.pmax' : 'f32x4.pmin');
        return;
      }
    }
    for (const i of argumentOrder(s)) this.emit(s.args[i]!, this.operandForm(s, i, 'vector'), u);
    emitVectorOp(this.code, this.library, s.op, from, s.type);
  }

  /** Four times the scalar instructions, for what has no vector ones (integer division, powers, philox). */
  private emitLaneByLane(s: Scalar & { kind: 'apply' }, u: number): void {
    const { code } = this;
    const args = s.args.map(arg => {
      const local = code.local('v128');
      this.emit(arg, 'vector', u);
      code.set(local);
      return { type: arg.type, local };
    });
    code.i32x4(0);
    for (let lane = 0; lane < 4; lane++) {
      for (const i of argumentOrder(s)) {
        const { type, local } = args[i]!;
        code.get(local).lane(type === 'f32' ? 'f32x4.extract_lane' : 'i32x4.extract_lane', lane);
        if (type === 'bool') code.i32(1).op('i32.and');
      }
      emitScalarOp(code, this.library, s.op, operandType(s), s.type);
      if (s.type === 'bool') code.i32(-1).op('i32.mul');
      code.lane(s.type === 'f32' ? 'f32x4.replace_lane' : 'i32x4.replace_lane', lane);
    }
  }

  private emitVectorLoad(s: Scalar & { kind: 'load' }, u: number): void {
    const { code } = this;
    const place = this.nest.places[s.buffer]!;
    const { address, offset, stride } = this.access(s.buffer, s.at);
    const bytes = bytesOf(place.dtype);
    if (stride === 1) {
      this.emit(address, 'scalar');
      if (bytes === 4) code.memory('v128.load', offset + 16 * u, 2);
      else if (place.dtype === 'f16') {
        code.memory('v128.load16x4_u', offset + 8 * u, 1);
        emitDecodeHalf(code);
      } else {
        code.memory('v128.load32_zero', offset + 4 * u, 0);
        code.op('i16x8.extend_low_i8x16_u').op('i32x4.extend_low_i16x8_u');
      }
    } else if (stride !== undefined) {
      this.emitGather(place, lane => {
        this.emit(address, 'scalar');
        if (stride < 0) code.i32(stride * bytes * (4 * u + lane)).op('i32.add');
        return stride < 0 ? offset : offset + stride * bytes * (4 * u + lane);
      });
    } else {
      const index = code.local('v128');
      this.emit(s.at, 'vector', u);
      code.set(index);
      this.emitGather(place, lane => {
        code.get(index).lane('i32x4.extract_lane', lane).i32(bytes).op('i32.mul').i32(place.base).op('i32.add');
        const pointer = pointerOf(place);
        if (pointer !== undefined) {
          this.emit(pointer, 'scalar');
          code.op('i32.add');
        }
        return 0;
      });
    }
    if (s.type === 'bool') code.i32x4(0).op('i32x4.ne');
  }

  /** `address` pushes the address of a lane and returns the immediate to add. */
  private emitGather(place: Place, address: (lane: number) => number): void {
    const { code } = this;
    const half = place.dtype === 'f16';
    code.i32x4(0);
    for (let lane = 0; lane < 4; lane++) {
      const offset = address(lane);
      if (half) code.memory('i32.load16_u', offset);
      else this.emitElementLoad(place, offset);
      code.lane(place.dtype === 'f32' ? 'f32x4.replace_lane' : 'i32x4.replace_lane', lane);
    }
    if (half) emitDecodeHalf(code);
  }
}

function keyOf(s: Scalar, form: Form): string {
  return `${scalarId(s)}${form}`;
}

/** WASM's selects take the condition last. */
function argumentOrder(s: Scalar & { kind: 'apply' }): readonly number[] {
  return s.op === 'select' ? [1, 2, 0] : s.args.map((_, i) => i);
}

/** The type that chooses the instruction. */
function operandType(s: Scalar & { kind: 'apply' }) {
  return (s.op === 'select' ? s.args[1]! : (s.args[0] ?? constant(0))).type;
}
