/** `sweep rate: [0.1, 0.01], width: [64, 128]`: names that stand for another number in each of several runs. */
import type { Choice } from '../../../engine/ir/program.ts';
import type { Argument, Setting } from '../syntax/ast.ts';
import { bindName, type Context, report } from './context.ts';
import { isError, type Meaning, type NumberMeaning, showMeaning } from './meaning.ts';

/** One swept name and the numbers it takes. */
export interface SweptName {
  readonly name: string;
  readonly values: readonly number[];
}

/** More runs than this are a mistake. */
const MOST_RUNS = 256;

/** The swept names of a setting, which are bound to the numbers of `context.choice`, the first of each list where there is none. */
export function sweepNames(context: Context, s: Setting): readonly SweptName[] {
  const swept = s.args.flatMap(arg => sweptName(context, arg) ?? []);
  const runs = swept.reduce((product, { values }) => product * values.length, 1);
  if (runs > MOST_RUNS) {
    const data = { subject: 'sweep', expected: `at most ${MOST_RUNS} runs`, found: String(runs) };
    report(context, 'value-out-of-range', s.keyword, data);
  }
  return swept;
}

function sweptName(context: Context, arg: Argument): SweptName | undefined {
  const list = context.rules.evaluate(context, arg.value);
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
  return { name: name.name, values: numbers.map(n => n.real) };
}

function isNumber(m: Meaning): m is NumberMeaning & { readonly real: number } {
  return m.kind === 'number' && m.real !== undefined;
}

/** Every combination, the last name varying fastest; none where nothing is swept. */
export function choicesOf(swept: readonly SweptName[]): readonly Choice[] {
  if (swept.length === 0) return [];
  return swept.reduce<readonly Choice[]>(
    (all, { name, values }) => all.flatMap(choice => values.map(value => ({ ...choice, [name]: value }))),
    [{}],
  );
}
