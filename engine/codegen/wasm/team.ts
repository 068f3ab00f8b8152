/** How threads share the kernels of an entry: which points each of them takes, and where all have to wait for each other. */
import type { Span, Touches, TouchesOf } from './touches.ts';

export interface TeamStep {
  readonly points: number;
  /** Ranges should begin at multiples of this. */
  readonly granule: number;
  readonly touches: TouchesOf;
  /** It takes long enough to wake other threads for it. */
  readonly worthwhile: boolean;
}

export interface Share {
  /** Thread t takes the points from t * chunk up to but not including (t + 1) * chunk. */
  readonly chunk: number;
  /** All threads must have done what came before. */
  readonly waits: boolean;
}

/** What a thread has touched since all last waited: spans in order that neither overlap nor meet. */
interface Touched {
  readonly reads: Span[];
  readonly writes: Span[];
}

/** One way of dividing a step: its chunk, and what each thread with points of its own touches. */
interface Option {
  readonly chunk: number;
  readonly parts: readonly (Touches | undefined)[];
}

/**
 * Divides each step among `threads`. A step starts without waiting where no thread writes what another one has touched since all last
 * waited, nor touches what another one has written: in a recurrence, each thread goes through all of time with samples of its own.
 */
export function planTeam(steps: readonly TeamStep[], threads: number): readonly Share[] {
  const shares: Share[] = [];
  let run = freshRun(threads);
  let split: Split | undefined;
  for (const [i, step] of steps.entries()) {
    const options = optionsOf(step, split, threads);
    const free = options.filter(({ parts }) => fits(run, parts));
    const waits = free.length === 0;
    if (waits) run = freshRun(threads);
    const next = steps[i + 1];
    const goesOn = ({ chunk, parts }: Option): boolean => {
      const following = optionsOf(next!, splitOf(step, chunk) ?? split, threads);
      const after = freshRun(threads);
      extend(after, parts);
      return following.some(option => fits(run, option.parts) && fits(after, option.parts));
    };
    const open = waits ? options : free;
    const chosen = (open.length > 1 && next !== undefined && open.find(goesOn)) || open[0]!;
    extend(run, chosen.parts);
    split = splitOf(step, chosen.chunk) ?? split;
    shares.push({ chunk: chosen.chunk, waits: waits && i > 0 });
  }
  return shares;
}

interface Split {
  readonly points: number;
  readonly chunk: number;
}

function splitOf({ points }: TeamStep, chunk: number): Split | undefined {
  return chunk < points ? { points, chunk } : undefined;
}

/** The best first: all for one thread where that is little work, else divided as the step before it was, or evenly. */
function optionsOf(step: TeamStep, before: Split | undefined, threads: number): readonly Option[] {
  const { points, granule, worthwhile } = step;
  const even = Math.ceil(points / threads / granule) * granule;
  const same = before === undefined ? even : (points * before.chunk) / before.points;
  const follows = same % granule === 0 && same < points && same * threads >= points;
  const divided = even >= points ? [] : follows && same !== even ? [same, even] : [even];
  const chunks = worthwhile && divided.length > 0 ? divided : [points, ...divided];
  return chunks.map(chunk => ({ chunk, parts: partsOf(step, chunk, threads) }));
}

function partsOf({ points, touches }: TeamStep, chunk: number, threads: number): Option['parts'] {
  return Array.from({ length: threads }, (_, thread) => {
    const [from, to] = [thread * chunk, Math.min((thread + 1) * chunk, points)];
    return from < to ? touches(from, to, thread) : undefined;
  });
}

function freshRun(threads: number): readonly Touched[] {
  return Array.from({ length: threads }, () => ({ reads: [], writes: [] }));
}

function extend(run: readonly Touched[], parts: Option['parts']): void {
  for (const [thread, { reads, writes }] of run.entries()) {
    for (const span of parts[thread]?.reads ?? []) insert(reads, span);
    for (const span of parts[thread]?.writes ?? []) insert(writes, span);
  }
}

function fits(run: readonly Touched[], parts: Option['parts']): boolean {
  return parts.every((part, thread) =>
    run.every(({ reads, writes }, other) => {
      if (part === undefined || other === thread) return true;
      return !part.writes.some(s => hits(writes, s) || hits(reads, s)) && !part.reads.some(s => hits(writes, s));
    }),
  );
}

/** Number of the first span that ends behind `at`. */
function firstBehind(sorted: readonly Span[], at: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]![1] > at) high = middle;
    else low = middle + 1;
  }
  return low;
}

function hits(sorted: readonly Span[], [start, end]: Span): boolean {
  return start < end && (sorted[firstBehind(sorted, start)]?.[0] ?? end) < end;
}

/** Adds a span, joined with those that it overlaps or meets. */
function insert(sorted: Span[], [start, end]: Span): void {
  if (start >= end) return;
  const first = firstBehind(sorted, start - 1);
  let behind = first;
  while (behind < sorted.length && sorted[behind]![0] <= end) behind++;
  const joined = sorted.slice(first, behind);
  const low = Math.min(start, joined[0]?.[0] ?? start);
  const high = Math.max(end, joined.at(-1)?.[1] ?? end);
  sorted.splice(first, behind - first, [low, high]);
}
