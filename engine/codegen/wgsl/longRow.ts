/** Few rows that are very long, in WGSL: parts of a row are reduced by workgroups of their own, then a second dispatch puts them together and goes on. */
import type { LoopKernel, Phase, Schedule } from '../../kernel/kernel.ts';
import { product } from './layout.ts';
import { defineAxes, storeLines } from './loop.ts';
import { accumulate, combiner, declareSlot, type Slot } from './reduce.ts';
import { indent, scalarWriter } from './scalarWriter.ts';
import {
  bindingName,
  finishShader,
  fitsBindings,
  type Module,
  newModule,
  type Shader,
  scratchBinding,
  type WgslOptions,
} from './shader.ts';

/** A row shorter than this isn't worth a second dispatch; a part is what a workgroup reads in a few turns. */
const LONG_ROW = 16_384;
const PART = 4096;
const MOST_PARTS = 256;
/** More rows than these fill a device by themselves. */
const FEW_ROWS = 64;
const THREADS = 256;

type Reduce = Extract<Phase, { kind: 'reduce' }>;
type Store = Extract<Phase, { kind: 'store' }>;

/** The reduction and what is stored of it, where a kernel is nothing else and its rows are few and long; undefined otherwise. Depends on the shape alone. */
function longRow(kernel: LoopKernel, options: WgslOptions): { reduce: Reduce; stores: readonly Store[] } | undefined {
  const [reduce, ...rest] = kernel.phases;
  if (reduce?.kind !== 'reduce' || options.software || !fitsBindings(kernel, options, 1)) return undefined;
  const stores = rest.flatMap(phase => (phase.kind === 'store' && phase.over === 'outer' ? [phase] : []));
  const isSimple = stores.length === rest.length && reduce.slots.every(slot => slot.reducer !== 'argmax');
  return isSimple && product(kernel.axes) <= FEW_ROWS && product(kernel.inner) >= LONG_ROW
    ? { reduce, stores }
    : undefined;
}

/** Both dispatches, or undefined for a kernel that one is enough for. */
export function longRowShaders(
  schedule: Schedule,
  kernel: LoopKernel,
  options: WgslOptions,
): readonly Shader[] | undefined {
  const found = longRow(kernel, options);
  if (found === undefined) return undefined;
  const inner = product(kernel.inner);
  const parts = Math.min(MOST_PARTS, Math.ceil(inner / PART));
  const slots = found.reduce.slots.map((slot, number): Slot => ({ ...slot, number, type: slot.value.type }));
  return [
    partShader(schedule, kernel, found.reduce, slots, parts, options),
    wholeShader(schedule, kernel, found.stores, slots, parts, options),
  ];
}

function partShader(
  schedule: Schedule,
  kernel: LoopKernel,
  reduce: Reduce,
  slots: readonly Slot[],
  parts: number,
  options: WgslOptions,
): Shader {
  const own = { ...kernel, phases: [reduce] };
  const module = withScratch(newModule(schedule, own, options), 'read_write');
  const [outer, inner] = [product(kernel.axes), product(kernel.inner)];
  const length = Math.ceil(inner / parts);
  const shared = combiner(module, own, THREADS, 1);
  const writer = scalarWriter(module);
  const lines = writer.nested(() => {
    writer.line(`let point = i32(group.x) / ${parts}i;`, `let begin = i32(group.x) % ${parts}i * ${length}i;`);
    defineAxes(module, writer, kernel.axes, 0, 'point');
    for (const slot of slots) writer.line(...declareSlot(module, slot));
    const body = writer.nested(() => {
      defineAxes(module, writer, kernel.inner, kernel.axes.length, 'e');
      for (const slot of slots) writer.line(accumulate(slot, writer.write(reduce.slots[slot.number]!.value)));
    });
    const end = `min(begin + ${length}i, ${inner}i)`;
    writer.line(`for (var e = begin + i32(lane); e < ${end}; e += ${THREADS}i) {\n${indent(body)}}`);
    writer.line(...shared.combine(slots));
    const kept = slots.map(({ number, type }) => {
      const value = type === 'f32' ? `a${number}` : `bitcast<f32>(a${number})`;
      return `${bindingName(module, 'scratch')}[i32(group.x) * ${slots.length}i + ${number}i] = ${value};`;
    });
    writer.line(`if (lane == 0u) { ${kept.join(' ')} }`);
  });
  const shader = finishShader(
    module,
    kernel.name,
    [outer * parts, 1, 1],
    THREADS,
    shared.declarations(),
    indent(lines),
  );
  return { ...shader, scratchBytes: outer * parts * slots.length * 4 };
}

function wholeShader(
  schedule: Schedule,
  kernel: LoopKernel,
  stores: readonly Store[],
  slots: readonly Slot[],
  parts: number,
  options: WgslOptions,
): Shader {
  const module = withScratch(newModule(schedule, { ...kernel, phases: stores }, options), 'read');
  const shared = combiner(module, kernel, THREADS, 1);
  const writer = scalarWriter(module);
  const lines = writer.nested(() => {
    writer.line('let point = i32(group.x);');
    defineAxes(module, writer, kernel.axes, 0, 'point');
    for (const slot of slots) writer.line(...declareSlot(module, slot));
    const body = slots.map(slot => {
      const { number, type } = slot;
      const word = `${bindingName(module, 'scratch')}[(point * ${parts}i + e) * ${slots.length}i + ${number}i]`;
      return accumulate(slot, type === 'f32' ? word : `bitcast<${type}>(${word})`);
    });
    writer.line(`for (var e = i32(lane); e < ${parts}i; e += ${THREADS}i) {\n${indent(body)}}`);
    writer.line(...shared.combine(slots));
    for (const { number } of slots) writer.line(`let r${number} = a${number};`);
    for (const { number } of slots) writer.defineSlot(number, `r${number}`);
    for (const phase of stores) {
      const block = writer.nested(() => writer.line(...storeLines(module, writer, phase)));
      writer.line(`if (lane == 0u) {\n${indent(block)}}`);
    }
  });
  const name = `${kernel.name} (of ${parts} parts)`;
  const workgroups = [product(kernel.axes), 1, 1] as const;
  return finishShader(module, name, workgroups, THREADS, shared.declarations(), indent(lines));
}

const withScratch = (module: Module, access: 'read' | 'read_write'): Module => ({
  ...module,
  bindings: [scratchBinding(access), ...module.bindings],
});
