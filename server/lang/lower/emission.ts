/** Building a graph from a program: parameters registered once by name, random streams, and the body of each model run in place. */
import type { Dim } from '../../../engine/dim/dim.ts';
import { isConstant } from '../../../engine/dim/dim.ts';
import type { Fit, Init, ParameterSpec, Reading } from '../../../engine/ir/program.ts';
import { GraphBuilder, type Value } from '../../../engine/ops/builder.ts';
import { fittedType } from '../../../engine/ops/library/fitted.ts';
import type { BuildContext } from '../../../engine/ops/library/function.ts';
import { ShapeError } from '../../../engine/ops/shapeError.ts';
import type { Emission, EmissionListener } from '../check/context.ts';
import { showShape, type TensorMeaning } from '../check/meaning.ts';
import { type RunningStatistics, runningStatistics } from './statistics.ts';

export interface Builder extends Emission {
  readonly b: GraphBuilder;
  /** In order of first use. */
  readonly parameters: ReadonlyMap<string, ParameterSpec>;
  readonly statistics: RunningStatistics;
  /** What is to be learnt from the training samples, in order of dependence, and the values it is learnt from. */
  readonly fits: readonly FitSpec[];
  readonly comparisons: readonly Comparison[];
}

/** What a loss compared. */
export interface Comparison {
  readonly reading: Reading;
  readonly said: TensorMeaning;
  readonly target: TensorMeaning;
}

export interface FitSpec extends Fit {
  readonly values: Value;
}

export interface BuilderOptions {
  /** Random streams of graphs that run in one step must differ. */
  readonly firstStream?: number;
  /** Fitted numbers are weights that stay as they are (of a train block), or inputs (of a data block). */
  readonly fittedAs?: 'weight' | 'input';
  readonly listener?: EmissionListener | undefined;
}

export function builder(
  training: boolean,
  { firstStream = 0, fittedAs = 'weight', listener }: BuilderOptions = {},
): Builder {
  const b = new GraphBuilder();
  const parameters = new Map<string, ParameterSpec>();
  const statistics = runningStatistics();
  const fits: FitSpec[] = [];
  const comparisons: Comparison[] = [];
  let streams = firstStream;
  const scalar = (name: string): Value => b.input(name, { dtype: 'i32', shape: [] });
  const register = (name: string, shape: readonly Dim[], init: Init, trainable: boolean): Value => {
    const sizes = shape.filter(isConstant);
    if (sizes.length < shape.length) {
      throw new ShapeError({
        code: 'bad-attribute',
        op: name,
        expected: 'weights of sizes known before training',
        found: showShape(shape),
      });
    }
    const known = parameters.get(name);
    if (known && showShape(known.shape) !== showShape(sizes)) {
      throw new ShapeError({
        code: 'shape-mismatch',
        op: name,
        expected: `weights ${showShape(known.shape)}`,
        found: showShape(sizes),
      });
    }
    parameters.set(name, known ?? { name, shape: sizes, init, trainable });
    return b.state(name, { dtype: 'f32', shape: sizes });
  };
  const stream = () => streams++;
  const turn: Emission['turn'] = (declare, make) => {
    const before = { streams, fits: fits.length, comparisons: comparisons.length };
    const result = statistics.turn(declare, make);
    if (fits.length === before.fits && comparisons.length === before.comparisons) return result;
    streams = before.streams;
    fits.length = before.fits;
    comparisons.length = before.comparisons;
    return undefined;
  };
  const contexts = new Map<string, BuildContext>();
  const at = (path: string): BuildContext => {
    const known = contexts.get(path);
    if (known) return known;
    const prefixed = (name: string) => (path === '' ? name : `${path}.${name}`);
    const context: BuildContext = {
      b,
      training,
      parameter: (name, shape, init) => register(prefixed(name), shape, init, true),
      statistic: (name, shape, initial) => {
        const full = prefixed(name);
        const before = () => register(full, shape, { kind: 'constant', value: initial }, false);
        const known = before();
        return {
          // A layer that is applied twice in a step goes on from what the first application has left, as in PyTorch.
          value: training ? statistics.value(full, before) : known,
          update: next => {
            if (training) statistics.update(full, next);
          },
        };
      },
      fitted: (name, statistic, values) => {
        const fit = prefixed(name);
        const type = fittedType(statistic, values);
        fits.push({ name: fit, statistic, values });
        return fittedAs === 'input' ? b.input(fit, type) : register(fit, type.shape, { kind: 'fitted', fit }, false);
      },
      stream,
      uniform: shape => b.uniform(scalar('seed'), scalar('step'), shape, stream()),
    };
    contexts.set(path, context);
    return context;
  };
  const compared: Emission['compared'] = (reading, said, target) => {
    comparisons.push({ reading, said, target });
    listener?.compared(said, target);
  };
  const made = { parameters, statistics, fits, comparisons, layers: new Map() };
  return { b, training, ...made, compared, turn, at, ...(listener && { listener }) };
}
