/** What a shader consists of: dispatch size, bindings and text, with loads and stores that know how each buffer is laid out. */
import type { Scalar, ScalarType } from '../../ir/scalar.ts';
import type { BufferId, Kernel, Schedule } from '../../kernel/kernel.ts';
import { loadedBuffers, storedBuffers } from '../../kernel/memory.ts';
import { type LibraryName, libraryText } from './library.ts';

export interface Binding {
  /** A persistent buffer of the schedule, or the arena of all temporaries. */
  readonly buffer: BufferId | 'arena';
  readonly access: 'read' | 'read_write';
}

/** One dispatch. The entry point is `main`, binding number `n` of group 0 is `bindings[n]`. */
export interface Shader {
  readonly name: string;
  readonly code: string;
  readonly bindings: readonly Binding[];
  readonly workgroups: readonly [x: number, y: number, z: number];
}

export interface WgslOptions {
  /** Greatest product of the workgroup's sizes. */
  readonly workgroupSize: number;
  /** Bytes of workgroup memory. */
  readonly workgroupBytes: number;
  /** Workgroups along one axis of a dispatch. */
  readonly workgroupsPerAxis: number;
  /** Emulated by a CPU: few large workgroups instead of many small ones. */
  readonly software: boolean;
}

/** The limits that every WebGPU device has. */
export const defaultOptions: WgslOptions = {
  workgroupSize: 256,
  workgroupBytes: 16384,
  workgroupsPerAxis: 65535,
  software: false,
};

/** Text of one shader under construction, with the buffers and functions it uses. */
export interface Module {
  readonly schedule: Schedule;
  readonly options: WgslOptions;
  readonly uses: Set<LibraryName>;
  readonly bindings: readonly Binding[];
}

export function newModule(schedule: Schedule, kernel: Kernel, options: WgslOptions): Module {
  const stored = storedBuffers(kernel);
  const bindings: Binding[] = [];
  for (const id of new Set([...stored, ...loadedBuffers(kernel)])) {
    const temporary = schedule.buffers[id]!.kind === 'temporary';
    const buffer = temporary ? 'arena' : id;
    if (bindings.some(b => b.buffer === buffer)) continue;
    // The arena is one buffer, so it can't be bound once to read and once to write.
    bindings.push({ buffer, access: temporary || stored.has(id) ? 'read_write' : 'read' });
  }
  return { schedule, options, uses: new Set(), bindings };
}

export function finishShader(module: Module, name: string, workgroups: Shader['workgroups'], body: string): Shader {
  const declarations = module.bindings.map(({ buffer, access }, n) => {
    const element = buffer === 'arena' ? 'u32' : elementOf(module.schedule, buffer);
    return `@group(0) @binding(${n}) var<storage, ${access}> ${nameOf(buffer)}: array<${element}>;\n`;
  });
  return {
    name,
    code: `${declarations.join('')}${libraryText(module.uses)}${body}`,
    bindings: module.bindings,
    workgroups,
  };
}

function nameOf(buffer: BufferId | 'arena'): string {
  return buffer === 'arena' ? 'arena' : `b${buffer}`;
}

/** bool is stored as u32, four u8 share a u32. */
function elementOf(schedule: Schedule, buffer: BufferId): 'f32' | 'i32' | 'u32' {
  const { dtype } = schedule.buffers[buffer]!;
  return dtype === 'f32' || dtype === 'i32' ? dtype : 'u32';
}

/** Reads element `at` (text of an i32) of a buffer. */
export function loadText({ schedule }: Module, buffer: BufferId, at: string): string {
  const { kind, dtype, offset = 0 } = schedule.buffers[buffer]!;
  if (kind === 'temporary')
    return fromBits(`arena[${offset === 0 ? at : `${at} + ${offset / 4}`}]`, dtype === 'u8' ? 'u32' : dtype);
  if (dtype === 'u8') return `i32((b${buffer}[(${at}) >> 2u] >> ((u32(${at}) & 3u) * 8u)) & 255u)`;
  return dtype === 'bool' ? `(b${buffer}[${at}] != 0u)` : `b${buffer}[${at}]`;
}

function fromBits(word: string, type: ScalarType): string {
  if (type === 'u32') return word;
  return type === 'bool' ? `(${word} != 0u)` : `bitcast<${type}>(${word})`;
}

/** The statement that writes `value` to element `at` of a buffer. */
export function storeText({ schedule }: Module, buffer: BufferId, at: string, value: string): string {
  const { kind, dtype, offset = 0 } = schedule.buffers[buffer]!;
  const bits = dtype === 'bool' ? `select(0u, 1u, ${value})` : value;
  if (kind !== 'temporary') return `b${buffer}[${at}] = ${bits};`;
  const word = dtype === 'f32' || dtype === 'i32' ? `bitcast<u32>(${bits})` : bits;
  return `arena[${offset === 0 ? at : `${at} + ${offset / 4}`}] = ${word};`;
}

/** A constant of WGSL. */
export function literal(module: Module, type: ScalarType, value: number): string {
  if (type === 'bool') return value === 0 ? 'false' : 'true';
  if (type === 'u32') return `${value >>> 0}u`;
  if (type === 'i32') return value === -2147483648 ? 'i32(-2147483648)' : value < 0 ? `(${value}i)` : `${value}i`;
  const single = Math.fround(value);
  if (Number.isFinite(single))
    return single < 0 || Object.is(single, -0) ? `(${single === 0 ? '-0' : single}f)` : `${single}f`;
  module.uses.add('special');
  return `special(${Number.isNaN(single) ? '0x7fc00000u' : single > 0 ? '0x7f800000u' : '0xff800000u'})`;
}

/** Where a group of statements runs: inside the loops that define `axes` and after the reductions `slots`. */
export interface Scope {
  readonly lines: string[];
  readonly names: Map<Scalar, string>;
}

export const newScope = (): Scope => ({ lines: [], names: new Map() });
