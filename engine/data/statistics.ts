/** What transforms learn from the training samples, counted in double precision: means, spreads, medians, quantiles, frequencies. */
import type { HostArray } from '../backend/backend.ts';
import type { Statistic } from '../ir/program.ts';
import { never } from '../util/errors.ts';

/** Takes the values of one group, sample by sample, and says what was learnt; undefined if there were no values. NaN is no value. */
interface Learner {
  add(value: number): void;
  finish(): readonly number[] | undefined;
}

type Learners = { readonly [K in Statistic['kind']]: (statistic: Extract<Statistic, { kind: K }>) => Learner };

const learners: Learners = {
  mean: () => {
    const { add, result } = running();
    return { add, finish: () => result()?.slice(0, 1) };
  },
  moments: () => {
    const { add, result } = running();
    return { add, finish: result };
  },
  median: () => sorted(values => [quantile(values, 0.5)]),
  quantiles: ({ count }) =>
    sorted(values => Array.from({ length: count - 1 }, (_, i) => quantile(values, (i + 1) / count))),
  mode: ({ classes }) =>
    counted(classes, counts => (counts.some(n => n > 0) ? [counts.indexOf(Math.max(...counts))] : undefined)),
  balance: ({ classes }) =>
    counted(classes, counts => {
      const present = counts.filter(n => n > 0).length;
      const all = counts.reduce((sum, n) => sum + n, 0);
      return present === 0 ? undefined : counts.map(n => (n > 0 ? all / (present * n) : 1));
    }),
};

/** Groups of values, [samples, groups, ...], learnt one after the other. */
export interface GroupLearner {
  /** More samples, row-major. */
  add(values: HostArray): void;
  /** What each group gave; the number of a group without values instead. */
  finish(): Float32Array | number;
}

/** `width`: values of a sample, in `groups` equal parts. */
export function learn(statistic: Statistic, groups: number, width: number): GroupLearner {
  const each = width / groups;
  if (!Number.isInteger(each)) throw never('values that their groups do not divide', `${width} / ${groups}`);
  const parts = Array.from({ length: groups }, () => learnerOf(statistic));
  return {
    add(values) {
      for (let at = 0; at < values.length; ) {
        for (const part of parts) {
          for (const end = at + each; at < end; at++) if (!Number.isNaN(values[at]!)) part.add(values[at]!);
        }
      }
    },
    finish() {
      const found = parts.map(part => part.finish());
      const empty = found.indexOf(undefined);
      return empty < 0 ? Float32Array.from(found.flatMap(numbers => numbers ?? [])) : empty;
    },
  };
}

function learnerOf<K extends Statistic['kind']>(statistic: Extract<Statistic, { kind: K }>): Learner {
  return (learners[statistic.kind as K] as (statistic: Extract<Statistic, { kind: K }>) => Learner)(statistic);
}

/** Mean and biased standard deviation by Welford's recurrence (1962), which loses no digits to a large mean. */
function running() {
  let count = 0;
  let mean = 0;
  let squares = 0;
  return {
    add(value: number) {
      const before = value - mean;
      mean += before / ++count;
      squares += before * (value - mean);
    },
    result: () => (count === 0 ? undefined : [mean, Math.sqrt(squares / count)]),
  };
}

function sorted(finish: (ascending: Float64Array) => readonly number[]): Learner {
  let values = new Float64Array(1024);
  let length = 0;
  return {
    add(value) {
      if (length === values.length) {
        const larger = new Float64Array(2 * length);
        larger.set(values);
        values = larger;
      }
      values[length++] = value;
    },
    finish: () => (length === 0 ? undefined : finish(values.subarray(0, length).sort())),
  };
}

/** Between the two values about rank p (n - 1), in proportion: numpy's default. */
function quantile(ascending: Float64Array, p: number): number {
  const rank = p * (ascending.length - 1);
  const [low, high] = [ascending[Math.floor(rank)]!, ascending[Math.ceil(rank)]!];
  return low + (high - low) * (rank - Math.floor(rank));
}

/** Frequencies of the classes 0 .. classes - 1; other values (-1: none) don't count. */
function counted(classes: number, finish: (counts: readonly number[]) => readonly number[] | undefined): Learner {
  const counts = new Array<number>(classes).fill(0);
  return {
    add(value) {
      if (value >= 0 && value < classes) counts[value]!++;
    },
    finish: () => finish(counts),
  };
}
