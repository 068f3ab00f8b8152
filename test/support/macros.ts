/** Builds library macros without the language: a context that collects parameters, defaults read from the signature. */
import type { Dim } from '../../engine/dim/dim.ts';
import type { CallArgument, Init, ParameterSpec, Statistic } from '../../engine/ir/program.ts';
import { GraphBuilder, isValue, type Value } from '../../engine/ops/builder.ts';
import { fittedType } from '../../engine/ops/library/fitted.ts';
import type { Arguments, BuildContext, LibraryFunction } from '../../engine/ops/library/function.ts';
import { library, type Place } from '../../engine/ops/library/library.ts';

/** A context whose weights are states named `scope.name`, listed in `parameters`. */
export interface TestContext extends BuildContext {
  readonly parameters: ParameterSpec[];
  /** New values of running statistics, by parameter name. */
  readonly updates: Record<string, Value>;
  scope: string;
  /** What is to be learnt, from which values. */
  readonly fits: { readonly name: string; readonly statistic: Statistic; readonly values: Value }[];
}

export function testContext(b = new GraphBuilder(), training = true): TestContext {
  const parameters: ParameterSpec[] = [];
  const updates: Record<string, Value> = {};
  const fits: TestContext['fits'][number][] = [];
  let streams = 0;
  const scalar = { dtype: 'i32', shape: [] } as const;
  const declare = (name: string, shape: readonly Dim[], init: Init, trainable: boolean): Value => {
    if (!parameters.some(p => p.name === name)) parameters.push({ name, shape: shape as number[], init, trainable });
    return b.state(name, { dtype: 'f32', shape });
  };
  return {
    b,
    training,
    parameters,
    updates,
    scope: '',
    fits,
    parameter(name, shape, init) {
      return declare(this.scope + name, shape, init, true);
    },
    statistic(name, shape, initial) {
      const full = this.scope + name;
      const value = declare(full, shape, { kind: 'constant', value: initial }, false);
      return {
        value,
        update: next => {
          updates[full] = next;
        },
      };
    },
    fitted(name, statistic, values) {
      fits.push({ name, statistic, values });
      return b.input(name, fittedType(statistic, values));
    },
    stream: () => streams++,
    uniform(shape) {
      return b.uniform(b.input('seed', scalar), b.input('step', scalar), shape, streams++);
    },
  };
}

/** Literal defaults of a signature: `(x: [...], rate: float = 0.5)` gives `{ rate: 0.5 }`. */
export function defaultsOf(signature: string): Record<string, number | boolean | string> {
  const defaults = [...signature.matchAll(/(\w+): (?:\w+ \| )*\w+ = ("[^"]*"|[-\w.]+)/g)];
  const literal = (text: string): number | boolean | string =>
    /^[a-z][.\w]*$/i.test(text) && text !== 'true' && text !== 'false' ? text : (JSON.parse(text) as number);
  return Object.fromEntries(defaults.map(([, name, text]) => [name!, literal(text!)]));
}

export function libraryFunction<P extends Place>(name: string, place: P) {
  const found = library[place][name];
  if (found === undefined) throw new Error(`no ${place} ${name}`);
  return found;
}

/** Applies a tensor function, metric or transform of one result with its defaults filled in. */
export function apply(
  context: BuildContext,
  name: string,
  args: Arguments,
  place: 'model' | 'metric' | 'transform' = 'model',
): Value {
  return applyAll(context, name, args, place)[0]!;
}

/** The same with all its results. */
export function applyAll(
  context: BuildContext,
  name: string,
  args: Arguments,
  place: 'model' | 'metric' | 'transform' = 'model',
): readonly Value[] {
  const { build, signature } = libraryFunction(name, place);
  const built = build(context, { ...defaultsOf(signature), ...args });
  return isValue(built) ? [built] : built;
}

/** A call with its defaults filled in, as the language lowers it. */
export function call(name: string, place: Place, args: Readonly<Record<string, CallArgument>>) {
  const { signature }: LibraryFunction = libraryFunction(name, place);
  return { name, args: { ...defaultsOf(signature), ...args } };
}
