/** Small kernels that don't need each other run beside each other in one dispatch: on a GPU a dispatch costs as much as a thousand of their points. */
import type { BufferId, Kernel, Schedule } from '../../kernel/kernel.ts';
import { bytesOf, loadedBuffers, storedBuffers } from '../../kernel/memory.ts';
import { kernelShaders } from './generate.ts';
import { type Binding, defaultOptions, type Parts, type Shader, shaderOf, type WgslOptions } from './shader.ts';

/** A dispatch, and the kernels it runs, or runs a part of. */
export interface Dispatched {
  readonly kernels: readonly Kernel[];
  readonly shader: Shader;
}

/** Workgroups beyond which a kernel fills a device by itself, and gains nothing from company. */
const FEW_WORKGROUPS = 256;

/** The dispatches of one run of `schedule`, in order. */
export function scheduleShaders(schedule: Schedule, options: WgslOptions = defaultOptions): readonly Dispatched[] {
  const groups: Dispatched[][] = [];
  for (const kernel of schedule.kernels) {
    for (const shader of kernelShaders(schedule, kernel, options)) {
      const next = { kernels: [kernel], shader };
      const last = groups.at(-1);
      if (last !== undefined && fitsBeside(schedule, last, next, options)) last.push(next);
      else groups.push([next]);
    }
  }
  return groups.map(group => (group.length === 1 ? group[0]! : joined(group)));
}

const workgroupsOf = ({ workgroups: [x, y, z] }: Shader): number => x * y * z;

function fitsBeside(schedule: Schedule, group: readonly Dispatched[], next: Dispatched, options: WgslOptions): boolean {
  const all = [...group, next];
  const isSmall = all.every(({ shader }) => workgroupsOf(shader) <= FEW_WORKGROUPS);
  const threads = all.map(({ shader }) => shader.parts.threads);
  if (!isSmall || threads.some(n => n !== threads[0])) return false;
  if (group.some(each => !areApart(schedule, each.kernels[0]!, next.kernels[0]!))) return false;
  const bytes = all.reduce((sum, { shader }) => sum + shader.parts.workgroupBytes, 0);
  const union = unionOf(all);
  return union !== undefined && union.length <= options.storageBuffers && bytes <= options.workgroupBytes;
}

/** Whether neither touches what the other writes, in name or, of temporaries, in place. */
function areApart(schedule: Schedule, a: Kernel, b: Kernel): boolean {
  const [writtenA, writtenB] = [storedBuffers(a), storedBuffers(b)];
  const touchedA = new Set([...writtenA, ...loadedBuffers(a)]);
  const touchedB = new Set([...writtenB, ...loadedBuffers(b)]);
  for (const x of touchedA) {
    for (const y of touchedB) {
      if (x === y ? writtenA.has(x) || writtenB.has(x) : overlap(schedule, x, y)) return false;
    }
  }
  return true;
}

function overlap({ buffers }: Schedule, x: BufferId, y: BufferId): boolean {
  const [a, b] = [buffers[x]!, buffers[y]!];
  if (a.kind !== 'temporary' || b.kind !== 'temporary') return false;
  const [from, start] = [a.offset ?? 0, b.offset ?? 0];
  return from < start + b.length * bytesOf(b.dtype) && start < from + a.length * bytesOf(a.dtype);
}

/** Bindings of all, each buffer once; undefined where they can't be bound together: the arena and its parts, scratch memory, vectors beside single elements. */
function unionOf(group: readonly Dispatched[]): readonly Binding[] | undefined {
  const union = new Map<Binding['buffer'], Binding>();
  for (const binding of group.flatMap(({ shader }) => shader.bindings)) {
    const known = union.get(binding.buffer);
    if (typeof binding.buffer === 'string' || (known !== undefined && known.element !== binding.element))
      return undefined;
    if (known?.access !== 'read_write') union.set(binding.buffer, binding);
  }
  return [...union.values()];
}

/** One shader whose workgroups are those of all, in a row. */
function joined(group: readonly Dispatched[]): Dispatched {
  const union = unionOf(group)!;
  const kernels = group.flatMap(each => each.kernels);
  const temporaries = new Set(
    group.flatMap(({ shader }) => shader.bindings.filter(b => b.isTemporary && b.access === 'read_write')),
  );
  // The arena is bound to write, or to read, as a whole.
  const bindings = union.map(b =>
    b.isTemporary && temporaries.size > 0 ? { ...b, access: 'read_write' as const } : b,
  );
  const offsets = group.flatMap(({ shader }) => shader.offsets);
  const enables = [...new Set(group.flatMap(({ shader }) => shader.enables))];
  const inputs = enables.includes('subgroups');
  let [firstOffset, firstGroup] = [0, 0];
  const functions: string[] = [];
  const calls: string[] = [];
  for (const [n, { shader }] of group.entries()) {
    const text = renamed(shader, n, bindings, firstOffset);
    const [x, y] = shader.workgroups;
    const parameters = `group: vec3<u32>, lane: u32${inputs ? ', team: u32, teams: u32, member: u32' : ''}`;
    functions.push(`${text.globals}fn part_${n}(${parameters}) {\n${text.body}}\n`);
    const own = firstGroup === 0 ? 'group.x' : `(group.x - ${firstGroup}u)`;
    const place = `vec3<u32>(${own} % ${x}u, ${own} / ${x}u % ${y}u, ${own} / ${x * y}u)`;
    const end = firstGroup + workgroupsOf(shader);
    const call = `part_${n}(${place}, lane${inputs ? ', team, teams, member' : ''});`;
    calls.push(n === group.length - 1 ? `{ ${call} }` : `if (group.x < ${end}u) { ${call} }`);
    firstOffset += shader.offsets.length;
    firstGroup = end;
  }
  const parts: Parts = {
    threads: group[0]!.shader.parts.threads,
    subgroup: group.find(({ shader }) => shader.parts.subgroup !== undefined)?.shader.parts.subgroup,
    workgroupBytes: group.reduce((sum, { shader }) => sum + shader.parts.workgroupBytes, 0),
    uses: new Set(group.flatMap(({ shader }) => [...shader.parts.uses])),
    globals: functions.join(''),
    body: `  ${calls.join(' else ')}\n`,
  };
  const name = group.map(({ shader }) => shader.name).join(' + ');
  return { kernels, shader: shaderOf({ name, bindings, offsets, enables, workgroups: [firstGroup, 1, 1], parts }) };
}

/** The parts of shader number `n` with its buffers as `bindings` has them, its offsets from `firstOffset`, and names of its own. */
function renamed(shader: Shader, n: number, bindings: readonly Binding[], firstOffset: number) {
  const own = [...shader.parts.globals.matchAll(/(?:fn|var<workgroup>) (\w+)/g)].map(match => match[1]!);
  const names = own.length > 0 ? new RegExp(`\\b(${own.join('|')})\\b`, 'g') : undefined;
  const rename = (text: string): string => {
    const bound = text
      .replace(/\bb(\d+)(?=\[)/g, (_, at: string) => {
        const { buffer } = shader.bindings[Number(at)]!;
        return `b${bindings.findIndex(binding => binding.buffer === buffer)}`;
      })
      .replace(/\bOFFSET_(\d+)\b/g, (_, at: string) => `OFFSET_${Number(at) + firstOffset}`);
    return names === undefined ? bound : bound.replace(names, `$1_${n}`);
  };
  return { globals: rename(shader.parts.globals), body: rename(shader.parts.body) };
}
