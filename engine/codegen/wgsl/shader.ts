/** What a shader consists of: dispatch size, bindings and text, with loads and stores that know how each buffer is laid out. */
import type { Scalar, ScalarType } from '../../ir/scalar.ts';
import { scalarType } from '../../kernel/dataflow.ts';
import type { BufferId, Kernel, Schedule } from '../../kernel/kernel.ts';
import { loadedBuffers, storedBuffers } from '../../kernel/memory.ts';
import { type LibraryName, libraryText } from './library.ts';
import type { MatrixShape, Tile } from './tiles.ts';

export interface Binding {
  /** A buffer of the schedule (a temporary is its part of the arena), the arena as a whole where a kernel has too many of them, or partial sums between two dispatches. */
  readonly buffer: BufferId | 'arena' | 'scratch';
  readonly access: 'read' | 'read_write';
  /** WGSL's type of its elements. */
  readonly element: string;
  readonly isTemporary: boolean;
}

/** What the text of a shader is made of: what stands before `main`, and what `main` does with `group` and `lane`. */
export interface Parts {
  readonly threads: number;
  /** Threads of a subgroup, where that matters and the device has a choice. */
  readonly subgroup: number | undefined;
  /** Of workgroup memory. */
  readonly workgroupBytes: number;
  readonly uses: ReadonlySet<LibraryName>;
  readonly globals: string;
  readonly body: string;
}

/** One dispatch. The entry point is `main`, binding number `n` of group 0 is `bindings[n]`. */
export interface Shader {
  readonly name: string;
  /** WGSL in which `OFFSET_n` stands for `offsets[n]`: kernels that do the same elsewhere in their buffers have one text. */
  readonly template: string;
  readonly offsets: readonly number[];
  readonly bindings: readonly Binding[];
  readonly workgroups: readonly [x: number, y: number, z: number];
  /** Extensions of WGSL that the text needs. */
  readonly enables: readonly string[];
  readonly parts: Parts;
  /** Of the partial sums. */
  readonly scratchBytes?: number;
}

/** The shader's text with its own offsets in it. */
export function literalCode({ template, offsets, enables }: Shader): string {
  const text = template.replace(/( \+ )?OFFSET_(\d+)\b/g, (_, plus: string | undefined, n: string) => {
    const offset = offsets[Number(n)]!;
    return plus === undefined ? `${offset}i` : offset === 0 ? '' : ` + ${offset}i`;
  });
  return enabling(enables) + text;
}

const enabling = (extensions: readonly string[]): string => extensions.map(name => `enable ${name};\n`).join('');

/** The text that all shaders of one template share: offsets come from a uniform buffer, bound behind the others. */
export function sharedCode({ template, offsets, bindings, enables }: Shader): string {
  const vectors = Math.ceil(offsets.length / 4);
  const uniform = `@group(0) @binding(${bindings.length}) var<uniform> offsets: array<vec4<i32>, ${vectors}>;\n`;
  return (
    enabling(enables) +
    uniform +
    template.replace(/OFFSET_(\d+)\b/g, (_, n: string) => `offsets[${Math.floor(Number(n) / 4)}][${Number(n) % 4}]`)
  );
}

export interface WgslOptions {
  /** Greatest product of the workgroup's sizes. */
  readonly workgroupSize: number;
  /** Bytes of workgroup memory. */
  readonly workgroupBytes: number;
  /** Workgroups along one axis of a dispatch. */
  readonly workgroupsPerAxis: number;
  /** Storage buffers that a shader may bind. */
  readonly storageBuffers: number;
  /** What subgroups there are, if the device has any: the size of the smallest. */
  readonly subgroups?: { readonly least: number } | undefined;
  /** How f16 takes two bytes, if the device has it: whether its conversion rounds to nearest, ties to even, or that is to be done before. */
  readonly halves?: { readonly rounds: boolean } | undefined;
  /** Subgroup matrices that products may use. */
  readonly matrices?: readonly MatrixShape[] | undefined;
  /** Tiles of products by `productKey`, as measured on this device; others get what a rule says. */
  readonly tiles?: Pick<ReadonlyMap<string, Tile>, 'get'>;
  /** Into how many parts the depth of a product is split, if not by the rule. */
  readonly splits?: number;
  /** Emulated by a CPU: few large workgroups instead of many small ones. */
  readonly software: boolean;
}

/** The limits that every WebGPU device has. */
export const defaultOptions: WgslOptions = {
  workgroupSize: 256,
  workgroupBytes: 16384,
  workgroupsPerAxis: 65535,
  storageBuffers: 8,
  software: false,
};

/** Text of one shader under construction, with the buffers and functions it uses. */
export interface Module {
  readonly schedule: Schedule;
  readonly options: WgslOptions;
  readonly uses: Set<LibraryName>;
  /** Extensions of WGSL. */
  readonly enables: Set<string>;
  readonly bindings: readonly Binding[];
  /** What `OFFSET_n` stands for. */
  readonly offsets: number[];
  /** Buffers that are declared as vectors of four, because some of their elements are read or written four at a time. */
  readonly vectors: ReadonlySet<BufferId>;
  /** As in `Parts`. */
  readonly subgroup?: number | undefined;
}

/**
 * A binding for each buffer. Temporaries are parts of one arena, which can't be bound once to read and once to write: if the kernel
 * stores to one of them, all are bound to write. Their parts don't overlap, since all that a kernel touches is alive.
 */
export function newModule(
  schedule: Schedule,
  kernel: Kernel,
  options: WgslOptions,
  vectors: ReadonlySet<BufferId> = new Set(),
): Module {
  const stored = storedBuffers(kernel);
  const ids = [...new Set([...stored, ...loadedBuffers(kernel)])];
  const isTemporary = (id: BufferId) => schedule.buffers[id]!.kind === 'temporary';
  const writesArena = [...stored].some(isTemporary);
  const own = (id: BufferId): Binding => ({
    buffer: id,
    access: (isTemporary(id) ? writesArena : stored.has(id)) ? 'read_write' : 'read',
    element: elementOf(schedule, vectors, id),
    isTemporary: isTemporary(id),
  });
  const uses = new Set<LibraryName>();
  const enables = new Set(ids.some(id => schedule.buffers[id]!.dtype === 'f16') ? ['f16'] : []);
  const module = { schedule, options, uses, enables, offsets: [], vectors };
  if (fitsBindings(kernel, options)) return { ...module, bindings: ids.map(own) };
  const arena: Binding = {
    buffer: 'arena',
    access: writesArena ? 'read_write' : 'read',
    element: 'u32',
    isTemporary: true,
  };
  return { ...module, bindings: [arena, ...ids.filter(id => !isTemporary(id)).map(own)] };
}

/** Whether each buffer of `kernel` can have a binding of its own, beside `more` (for partial sums). */
export function fitsBindings(
  kernel: Kernel,
  { storageBuffers }: WgslOptions,
  more = kernel.kind === 'matmul' ? 1 : 0,
): boolean {
  const ids = new Set([...storedBuffers(kernel), ...loadedBuffers(kernel)]);
  return ids.size + more <= storageBuffers;
}

/** Partial sums, which the first dispatch of a product leaves to the second. */
export const scratchBinding = (access: Binding['access']): Binding => ({
  buffer: 'scratch',
  access,
  element: 'f32',
  isTemporary: false,
});

/** The shader of one kernel; `globals` and `body` as in `Parts`, except that they declare workgroup memory in `globals` alone. */
export function finishShader(
  { bindings, offsets, enables, uses, subgroup }: Module,
  name: string,
  workgroups: Shader['workgroups'],
  threads: number,
  globals: string,
  body: string,
): Shader {
  const parts = { threads, subgroup, workgroupBytes: workgroupBytesOf(globals), uses, globals, body };
  return shaderOf({ name, bindings, offsets, enables: [...enables], workgroups, parts });
}

/** Bytes of the arrays that a text declares in workgroup memory. */
function workgroupBytesOf(globals: string): number {
  const arrays = globals.matchAll(/var<workgroup> \w+: array<(?:vec(\d)<f32>|(\w+)), (\d+)>/g);
  const bytes = (width = '1', type = 'f32') => Number(width) * (type === 'f16' ? 2 : 4);
  return [...arrays].reduce((sum, [, width, type, count]) => sum + bytes(width, type) * Number(count), 0);
}

const SUBGROUP_INPUTS =
  ', @builtin(subgroup_id) team: u32, @builtin(num_subgroups) teams: u32, @builtin(subgroup_invocation_id) member: u32';

/** The text of a shader from its parts. */
export function shaderOf(shader: Omit<Shader, 'template'>): Shader {
  const { bindings, enables, parts } = shader;
  const declarations = bindings.map(
    ({ access, element }, n) => `@group(0) @binding(${n}) var<storage, ${access}> b${n}: array<${element}>;\n`,
  );
  const inputs = `@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32`;
  const template = `${declarations.join('')}${libraryText(parts.uses)}${parts.globals}@compute @workgroup_size(${parts.threads})${parts.subgroup === undefined ? '' : ` @subgroup_size(${parts.subgroup})`}
fn main(${inputs}${enables.includes('subgroups') ? SUBGROUP_INPUTS : ''}) {
${parts.body}}
`;
  return { ...shader, template };
}

/** bool is stored as u32, four u8 share a u32. */
function elementOf(schedule: Schedule, vectors: ReadonlySet<BufferId>, buffer: BufferId): string {
  const { dtype } = schedule.buffers[buffer]!;
  if (vectors.has(buffer)) return `vec4<${dtype}>`;
  return dtype === 'f32' || dtype === 'f16' || dtype === 'i32' ? dtype : 'u32';
}

/** The variable that `buffer` is bound to; undefined for a temporary that is reached through the arena. */
export function bindingName({ bindings }: Module, buffer: Binding['buffer']): string | undefined {
  const n = bindings.findIndex(binding => binding.buffer === buffer);
  return n < 0 ? undefined : `b${n}`;
}

/** Reads element `at` of a buffer; `at` is what `ScalarWriter.index` made. */
export function loadText(module: Module, buffer: BufferId, at: string): string {
  const { dtype } = module.schedule.buffers[buffer]!;
  const bound = bindingName(module, buffer);
  if (bound === undefined) return fromBits(arenaWord(module, at), dtype === 'u8' ? 'u32' : scalarType(dtype));
  const element = module.vectors.has(buffer) ? `${bound}[(${at}) >> 2u][(${at}) & 3i]` : `${bound}[${at}]`;
  if (dtype === 'f16') return `f32(${element})`;
  if (dtype === 'u8') return `i32((${bound}[(${at}) >> 2u] >> ((u32(${at}) & 3u) * 8u)) & 255u)`;
  return dtype === 'bool' ? `(${element} != 0u)` : element;
}

/** Reads four elements from `at`, a multiple of four, of a buffer of `module.vectors`: a vec4<f32>. */
export function loadVectorText(module: Module, buffer: BufferId, at: string): string {
  const elements = `${bindingName(module, buffer)}[(${at}) >> 2u]`;
  return module.schedule.buffers[buffer]!.dtype === 'f16' ? `vec4<f32>(${elements})` : elements;
}

/** The statement that writes four elements from `at`, a multiple of four, of a buffer of `module.vectors`. */
export function storeVectorText(module: Module, buffer: BufferId, at: string, values: readonly string[]): string {
  const place = `${bindingName(module, buffer)}[(${at}) >> 2u]`;
  if (module.schedule.buffers[buffer]!.dtype !== 'f16') return `${place} = vec4<f32>(${values.join(', ')});`;
  return `${place} = vec4<f16>(vec4<f32>(${values.map(value => rounded(module, value)).join(', ')}));`;
}

/** Words from the start of what a buffer is bound to: a temporary that is reached through the arena begins somewhere within. */
export function arenaOffset(module: Module, buffer: BufferId): number {
  const { kind, offset = 0 } = module.schedule.buffers[buffer]!;
  return kind === 'temporary' && bindingName(module, buffer) === undefined ? offset / 4 : 0;
}

/** Word `at` of the arena. */
function arenaWord(module: Module, at: string): string {
  return `${bindingName(module, 'arena')}[${at}]`;
}

function fromBits(word: string, type: ScalarType): string {
  if (type === 'u32') return word;
  return type === 'bool' ? `(${word} != 0u)` : `bitcast<${type}>(${word})`;
}

/** The statement that writes `value` to element `at` of a buffer. */
export function storeText(module: Module, buffer: BufferId, at: string, value: string): string {
  const { dtype } = module.schedule.buffers[buffer]!;
  const bits =
    dtype === 'bool' ? `select(0u, 1u, ${value})` : dtype === 'f16' ? `f16(${rounded(module, value)})` : value;
  const bound = bindingName(module, buffer);
  if (module.vectors.has(buffer)) return `${bound}[(${at}) >> 2u][(${at}) & 3i] = ${bits};`;
  if (bound !== undefined) return `${bound}[${at}] = ${bits};`;
  return `${arenaWord(module, at)} = ${dtype === 'f32' || dtype === 'i32' ? `bitcast<u32>(${bits})` : bits};`;
}

/** A number of f32 that becomes the nearest one of f16 when it is converted. */
function rounded({ options, uses }: Module, value: string): string {
  if (options.halves?.rounds === true) return value;
  uses.add('roundHalf');
  return `roundHalf(${value})`;
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
