/** Schedules as text: what `--emit kernels` and `--emit plan` show, and what the tests compare. */
import type { Scalar, ScalarOp } from '../ir/scalar.ts';
import type { Buffer, BufferId, Kernel, Schedule, Store } from './kernel.ts';
import { bytesOf, extentsOf, loadedBuffers, peakBytes, scalarsOf, storedBuffers, storesOf } from './memory.ts';
import { affine, children, rangeOf, walkScalar } from './scalar.ts';
import { widened } from './widen.ts';

/** All of a schedule: its buffers, then its kernels as pseudocode. */
export function printSchedule(schedule: Schedule): string {
  const { buffers, kernels, name } = schedule;
  const used = new Set(kernels.flatMap(k => [...loadedBuffers(k), ...storedBuffers(k)]));
  const declared = buffers.map((b, id) => (used.has(id) ? `  ${printBuffer(schedule, id, b)}\n` : '')).join('');
  return `schedule ${name}\n${declared}${kernels.map((k, n) => `\n${printKernel(schedule, k, n)}`).join('')}`;
}

function printBuffer(schedule: Schedule, id: BufferId, { kind, dtype, length, offset }: Buffer): string {
  return `${kind} ${bufferName(schedule, id)}: ${dtype}[${length}]${offset === undefined ? '' : ` at ${offset}`}`;
}

/** Temporaries are numbered, because their labels may be alike. */
export function bufferName({ buffers }: Schedule, id: BufferId): string {
  const buffer = buffers[id];
  return buffer === undefined || buffer.kind === 'temporary' ? `%${id}` : buffer.name;
}

/** One kernel as nested loops. */
export function printKernel(schedule: Schedule, kernel: Kernel, number: number): string {
  const named = (id: BufferId) => bufferName(schedule, id);
  const shared = sharedParts(kernel);
  const show = (s: Scalar) => printScalar(s, named, shared);
  const where = [...shared].map(([s, name]) => `  where ${name} = ${printScalar(s, named, shared, true)}\n`).join('');
  const store = ({ buffer, at, value }: Store) => `${bufferName(schedule, buffer)}[${show(at)}] = ${show(value)}`;
  const axes = (sizes: readonly number[], first: number) => sizes.map((n, d) => `x${first + d} < ${n}`).join(', ');
  const head = `${number}: ${kernel.kind} ${kernel.name}\n${where}`;
  switch (kernel.kind) {
    case 'matmul': {
      const shape = `  for x0 < ${kernel.batch}, x1 < ${kernel.m}, x2 < ${kernel.n}; sum over x3 < ${kernel.k}\n`;
      return `${head}${shape}    r0 += ${show(kernel.a)} * ${show(kernel.b)}\n${kernel.stores.map(s => `    ${store(s)}\n`).join('')}`;
    }
    case 'scatter': {
      const target = `${bufferName(schedule, kernel.buffer)}[${show(kernel.at)}]`;
      return `${head}  clear ${bufferName(schedule, kernel.buffer)}\n  for ${axes(kernel.axes, 0)}\n    ${target} += ${show(kernel.value)}\n`;
    }
    case 'loop': {
      const outer = kernel.axes.length > 0 ? `  for ${axes(kernel.axes, 0)}\n` : '';
      const along = `for ${axes(kernel.inner, kernel.axes.length)}`;
      let slot = 0;
      const phases = kernel.phases.map(phase => {
        if (phase.kind === 'reduce')
          return `    ${along}: ${phase.slots.map(s => `r${slot++} = ${s.reducer} ${show(s.value)}`).join('; ')}\n`;
        const body = phase.stores.map(s => `    ${phase.over === 'inner' ? '  ' : ''}${store(s)}\n`).join('');
        return phase.over === 'inner' ? `    ${along}:\n${body}` : body;
      });
      return head + outer + phases.join('');
    }
  }
}

const INFIX: Partial<Record<ScalarOp, readonly [symbol: string, precedence: number]>> = {
  or: ['|', 1],
  xor: ['^', 2],
  and: ['&', 3],
  eq: ['==', 4],
  ne: ['!=', 4],
  lt: ['<', 5],
  le: ['<=', 5],
  shl: ['<<', 6],
  shr: ['>>', 6],
  add: ['+', 7],
  sub: ['-', 7],
  mul: ['*', 8],
  div: ['/', 8],
  mod: ['%', 8],
};

/** Parts that occur more than once and take more than a glance get a name each, `t0` …, in order of definition. */
function sharedParts(kernel: Kernel): ReadonlyMap<Scalar, string> {
  const uses = new Map<Scalar, number>();
  const seen = new Set<Scalar>();
  const use = (s: Scalar) => uses.set(s, (uses.get(s) ?? 0) + 1);
  const scalars = scalarsOf(kernel);
  scalars.forEach(use);
  const inner: Scalar[] = [];
  const note = (x: Scalar) => {
    inner.push(x);
    children(x).forEach(use);
  };
  for (const s of scalars) walkScalar(s, note, seen);
  const parts = inner.filter(s => s.kind === 'apply' && uses.get(s)! > 1 && !affineIndex(s) && operationsIn(s) > 1);
  return new Map(parts.map((s, n) => [s, `t${n}`]));
}

/** Sums of axes are short and say more where they stand. */
function affineIndex(s: Scalar): boolean {
  return s.type === 'i32' && affine(s) !== undefined;
}

function operationsIn(s: Scalar): number {
  let count = 0;
  walkScalar(s, x => {
    if (x.kind === 'apply') count++;
  });
  return count;
}

/** Infix where there is a usual sign; `x0` is axis 0, `r0` the value of reduction slot 0. `names` abbreviates parts, unless `s` itself is to be `spelled`. */
export function printScalar(
  s: Scalar,
  nameOf: (buffer: BufferId) => string = id => `b${id}`,
  names: ReadonlyMap<Scalar, string> = new Map(),
  spelled = false,
): string {
  const show = (x: Scalar, outer: number): string => {
    const name = spelled && x === s ? undefined : names.get(x);
    if (name !== undefined) return name;
    switch (x.kind) {
      case 'constant':
        return x.type === 'bool' ? String(x.value !== 0) : printNumber(x.value) + (x.type === 'u32' ? 'u' : '');
      case 'axis':
        return `x${x.axis}`;
      case 'reduced':
        return `r${x.slot}`;
      case 'load':
        return `${nameOf(x.buffer)}[${show(x.at, 0)}]`;
      case 'apply': {
        const infix = INFIX[x.op];
        if (infix && x.args.length === 2) {
          const [symbol, inner] = infix;
          const text = `${show(x.args[0]!, inner)} ${symbol} ${show(x.args[1]!, inner + 1)}`;
          return inner < outer ? `(${text})` : text;
        }
        const name = x.op === 'cast' || x.op === 'bitcast' ? (x.op === 'cast' ? x.type : `bits_${x.type}`) : x.op;
        return `${name}(${x.args.map(a => show(a, 0)).join(', ')})`;
      }
    }
  };
  return show(s, 0);
}

function printNumber(value: number): string {
  if (Number.isInteger(value) || !Number.isFinite(value)) return Object.is(value, -0) ? '-0' : String(value);
  return String(Number(value.toPrecision(7)));
}

export interface KernelWork {
  /** Arithmetic operations on f32, indices not counted. */
  readonly flops: number;
  /** Bytes of buffers touched, each element counted once. */
  readonly bytes: number;
}

/** What one run of the kernel computes and moves; an estimate for people, from loop sizes, index ranges and distinct operations. */
export function kernelWork(schedule: Schedule, kernel: Kernel): KernelWork {
  const bytes = touchedBytes(schedule, kernel);
  const product = (sizes: readonly number[]) => sizes.reduce((a, b) => a * b, 1);
  switch (kernel.kind) {
    case 'matmul': {
      const points = kernel.batch * kernel.m * kernel.n;
      return { bytes, flops: points * (2 * kernel.k + operations(kernel.stores.map(s => s.value))) };
    }
    case 'scatter':
      return { bytes, flops: product(kernel.axes) * (1 + operations([kernel.value])) };
    case 'loop': {
      const [outer, inner] = [product(kernel.axes), product(kernel.inner)];
      const flops = kernel.phases.map(phase => {
        if (phase.kind === 'reduce')
          return outer * inner * (phase.slots.length + operations(phase.slots.map(s => s.value)));
        return (phase.over === 'inner' ? outer * inner : outer) * operations(phase.stores.map(s => s.value));
      });
      return { bytes, flops: flops.reduce((a, b) => a + b, 0) };
    }
  }
}

/** Of each buffer the part that the indices span, and no more than one element a point. */
function touchedBytes(schedule: Schedule, kernel: Kernel): number {
  const extents = extentsOf(kernel);
  const points = extents.reduce((a, b) => a * b, 1);
  const spans = new Map<BufferId, readonly [number, number]>();
  const note = (buffer: BufferId, at: Scalar) => {
    const [low, high] = rangeOf(at, extents);
    const [from, to] = spans.get(buffer) ?? [low, high];
    spans.set(buffer, [Math.min(from, low), Math.max(to, high)]);
  };
  const seen = new Set<Scalar>();
  for (const s of scalarsOf(kernel)) walkScalar(s, x => void (x.kind === 'load' && note(x.buffer, x.at)), seen);
  if (kernel.kind === 'scatter') note(kernel.buffer, kernel.at);
  else for (const { buffer, at } of storesOf(kernel)) note(buffer, at);
  let bytes = 0;
  for (const [id, [low, high]] of spans) {
    const { length, dtype } = schedule.buffers[id]!;
    bytes += Math.min(length, high - low + 1, points) * bytesOf(dtype);
  }
  return bytes;
}

function operations(scalars: readonly Scalar[]): number {
  let count = 0;
  const seen = new Set<Scalar>();
  for (const s of scalars) walkScalar(s, x => void (x.kind === 'apply' && x.type === 'f32' && count++), seen);
  return count;
}

/** A line a kernel with its work, then the totals of a run and the memory held. */
export function printPlan(schedule: Schedule): string {
  const work = schedule.kernels.map(k => kernelWork(schedule, k));
  const rows = schedule.kernels.map((k, n) => [
    `${n}`,
    k.kind,
    k.name,
    domain(k),
    scaled(work[n]!.flops, 'FLOP'),
    scaled(work[n]!.bytes, 'B'),
  ]);
  const widths = [0, 1, 2, 3, 4, 5].map(c => Math.max(...rows.map(r => r[c]!.length), 0));
  const lines = rows.map(row =>
    row.map((cell, c) => (c === 0 || c >= 4 ? cell.padStart(widths[c]!) : cell.padEnd(widths[c]!))).join('  '),
  );
  const total = (f: (w: KernelWork) => number) => work.reduce((n, w) => n + f(w), 0);
  const { persistent, arena } = peakBytes(schedule);
  const loads = schedule.kernels.reduce((n, k) => n + scalarsOf(k).length, 0);
  return [
    `plan ${schedule.name}`,
    ...lines.map(line => `  ${line.trimEnd()}`),
    `${schedule.kernels.length} kernels, ${loads} expressions, ${scaled(
      total(w => w.flops),
      'FLOP',
    )} and ${scaled(
      total(w => w.bytes),
      'B',
    )} a run`,
    `peak memory ${scaled(persistent + arena, 'B')}: ${scaled(persistent, 'B')} persistent, ${scaled(arena, 'B')} temporary`,
    ...roundedInstead(schedule),
    ...recomputed(
      schedule,
      total(w => w.flops),
    ),
    '',
  ].join('\n');
}

/** What a device holds that rounds f16 in f32 storage, where that is more. */
function roundedInstead(schedule: Schedule): readonly string[] {
  const wide = widened(schedule);
  if (wide === schedule) return [];
  const { persistent, arena } = peakBytes(wide);
  return [`where f16 takes four bytes (a GPU without shader-f16): ${scaled(persistent + arena, 'B')}`];
}

/** What it costs and saves that kernels named `again(…)` compute a second time. */
function recomputed({ again, arenaBytes }: Schedule, flops: number): readonly string[] {
  if (again === undefined) return [];
  const share = Math.round((100 * again.flops) / (flops - again.flops));
  const saved = scaled(again.arenaBytes - arenaBytes, 'B');
  return [`computed again to fit: ${scaled(again.flops, 'FLOP')} (${share}% more) for ${saved} less`];
}

function domain(kernel: Kernel): string {
  if (kernel.kind === 'matmul')
    return `${kernel.batch > 1 ? `${kernel.batch} x ` : ''}[${kernel.m} x ${kernel.k}] [${kernel.k} x ${kernel.n}]`;
  const inner = kernel.kind === 'loop' && kernel.inner.length > 0 ? ` over [${kernel.inner.join(' x ')}]` : '';
  return `[${kernel.axes.join(' x ')}]${inner}`;
}

/** Three significant digits with a decimal prefix. */
function scaled(value: number, unit: string): string {
  const prefixes = ['', 'k', 'M', 'G', 'T'];
  let power = 0;
  let v = value;
  while (v >= 999.5 && power < prefixes.length - 1) {
    v /= 1000;
    power++;
  }
  return `${power === 0 ? v : v.toPrecision(3)} ${prefixes[power]}${unit}`;
}
