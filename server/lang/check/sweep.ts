/** `sweep rate: [0.1, 0.01], width: [64, 128]`: names that stand for another number in each of several runs; `runs: 3` draws some of the combinations. */
import type { Choice } from '../../../engine/ir/program.ts';
import { philox } from '../../../engine/util/philox.ts';
import type { Argument, Setting } from '../syntax/ast.ts';
import { bindName, type Context, report } from './context.ts';
import { isError, type Meaning, type NumberMeaning, showMeaning } from './meaning.ts';

/** One swept name and the numbers it takes. */
interface SweptName {
  readonly name: string;
  readonly values: readonly number[];
}

/** All combinations of the names' numbers or, with `runs`, that many of them. */
export interface Sweep {
  readonly names: SweptName[];
  runs?: number;
}

/** More runs than this are a mistake. */
const MOST_RUNS = 256;
/** Of random search, among the streams of draws on the host. */
const STREAM = 0xd0000020;

/** Adds the names of a setting, which are bound to the numbers of `context.choice`, the first of each list where there is none. */
export function addSweep(context: Context, s: Setting, sweep: Sweep): void {
  for (const arg of s.args) {
    const list = context.rules.evaluate(context, arg.value);
    if (arg.name?.name === 'runs' && list.kind === 'number') sweep.runs = drawnRuns(context, arg, list) ?? MOST_RUNS;
    else sweep.names.push(...(sweptName(context, arg, list) ?? []));
  }
  const runs = runsOf(sweep);
  if (runs > MOST_RUNS) {
    const data = { subject: 'sweep', expected: `at most ${MOST_RUNS} runs`, found: String(runs) };
    report(context, 'value-out-of-range', s.keyword, data);
  }
}

/** How many runs it is, 1 where nothing is swept. */
export function runsOf(sweep: Sweep): number {
  return Math.min(sweep.runs ?? Number.POSITIVE_INFINITY, combinations(sweep));
}

function combinations({ names }: Sweep): number {
  return names.reduce((product, { values }) => product * values.length, 1);
}

/** `runs: 12`; undefined, and reported, where that is no number of runs. */
function drawnRuns(context: Context, arg: Argument, { real }: NumberMeaning): number | undefined {
  if (real !== undefined && Number.isInteger(real) && real >= 1) return real;
  const data = { subject: 'runs', expected: 'a whole number of at least 1', found: String(real) };
  report(context, 'value-out-of-range', arg.value, data);
  return undefined;
}

function sweptName(context: Context, arg: Argument, list: Meaning): readonly SweptName[] | undefined {
  const { name } = arg;
  if (name === undefined) {
    report(context, 'missing-argument', arg, {
      callee: 'sweep',
      parameter: 'name',
      type: 'a name for the list',
      signature: 'sweep rate: [0.1, 0.01]',
    });
    return undefined;
  }
  const numbers = list.kind === 'list' ? list.items.filter(isNumber) : [];
  if (list.kind !== 'list' || numbers.length === 0 || numbers.length < list.items.length) {
    const expected = 'a list of numbers such as [0.1, 0.01]';
    if (!isError(list))
      report(context, 'type-mismatch', arg.value, { subject: name.name, expected, found: showMeaning(list) });
    return undefined;
  }
  const chosen = numbers.find(n => n.real === context.choice?.[name.name]) ?? numbers[0]!;
  bindName(context, name, 'binding', chosen).used = true;
  return [{ name: name.name, values: numbers.map(n => n.real) }];
}

function isNumber(m: Meaning): m is NumberMeaning & { readonly real: number } {
  return m.kind === 'number' && m.real !== undefined;
}

/** The combinations to run: all of them, the last name varying fastest, or those that the seed draws. None where nothing is swept. */
export function choicesOf(sweep: Sweep, seed: number): readonly Choice[] {
  const total = combinations(sweep);
  if (sweep.names.length === 0) return [];
  const runs = runsOf(sweep);
  const indices = runs < total ? drawn(runs, total, seed) : Array.from({ length: total }, (_, i) => i);
  return indices.map(index => choiceAt(sweep, index));
}

/** The digits of `index`, the names' lists being the places. */
function choiceAt({ names }: Sweep, index: number): Choice {
  let rest = index;
  const digits = names.toReversed().map(({ name, values }): [string, number] => {
    const at = rest % values.length;
    rest = Math.floor(rest / values.length);
    return [name, values[at]!];
  });
  return Object.fromEntries(digits.reverse());
}

/** `count` different ones of `total` indices, each set as likely as any other (Floyd, in Bentley's column of CACM 30(9), 1987). */
function drawn(count: number, total: number, seed: number): readonly number[] {
  const found = new Set<number>();
  for (let last = total - count; last < total; last++) {
    const at = Math.floor((philox(seed, STREAM, 0, last - total + count) / 2 ** 32) * (last + 1));
    found.add(found.has(at) ? last : at);
  }
  return [...found];
}
