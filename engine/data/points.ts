/** The `spirals` and `moons` sources: points of the plane in classes that no line separates, drawn from a seed. */
import type { Call } from '../ir/program.ts';
import { LIMITS } from './limits.ts';
import { createRandom, type Random, STREAMS } from './random.ts';
import {
  countArgument,
  type DataColumn,
  type DataSet,
  floatArgument,
  type ProceduralReader,
  type SourceColumn,
} from './schema.ts';

/** Places sample `i` of class `label`. */
type Curve = (label: number, classes: number, random: Random) => readonly [number, number];

/** Arms of an Archimedean spiral, one and a quarter turns each. */
const spiral: Curve = (label, classes, random) => {
  const along = Math.sqrt(random.unit());
  const angle = 2 * Math.PI * (1.25 * along + label / classes);
  return [along * Math.cos(angle), along * Math.sin(angle)];
};

/** Two interleaved half circles, as scikit-learn's `make_moons` has them. */
const moon: Curve = (label, _classes, random) => {
  const angle = Math.PI * random.unit();
  return label === 0 ? [Math.cos(angle), Math.sin(angle)] : [1 - Math.cos(angle), 0.5 - Math.sin(angle)];
};

/** `spirals(samples, classes, noise, seed)`: columns `point` [2] and `label`. */
export const spiralsReader: ProceduralReader = pointsReader(spiral, 0.02, args =>
  countArgument(args, 'classes', 2, 2, 100),
);
/** `moons(samples, noise, seed)`: columns `point` [2] and `label`. */
export const moonsReader: ProceduralReader = pointsReader(moon, 0.1, () => 2);

function pointsReader(curve: Curve, noise: number, classesOf: (args: Call['args']) => number): ProceduralReader {
  const columns = (args: Call['args']): SourceColumn[] => [
    { name: 'point', dtype: 'f32', shape: [2] },
    { name: 'label', dtype: 'i32', shape: [], classes: classesOf(args) },
  ];
  const count = (args: Call['args']): number => countArgument(args, 'samples', 1000, 1, LIMITS.generated);
  return {
    schema: args => ({ columns: columns(args), samples: count(args) }),
    load: async args =>
      draw(
        columns(args),
        count(args),
        curve,
        floatArgument(args, 'noise', noise),
        countArgument(args, 'seed', 0, 0, 2 ** 32 - 1),
      ),
  };
}

function draw(columns: readonly SourceColumn[], samples: number, curve: Curve, noise: number, seed: number): DataSet {
  const points = new Float32Array(2 * samples);
  const labels = new Int32Array(samples);
  const classes = columns[1]?.classes ?? 2;
  for (let i = 0; i < samples; i++) {
    const random = createRandom(seed, STREAMS.points, i);
    const label = i % classes;
    const [x, y] = curve(label, classes, random);
    // Box and Muller: two normal draws from two uniform ones.
    const radius = noise * Math.sqrt(-2 * Math.log(1 - random.unit()));
    const angle = 2 * Math.PI * random.unit();
    points.set([x + radius * Math.cos(angle), y + radius * Math.sin(angle)], 2 * i);
    labels[i] = label;
  }
  const data = [points, labels];
  const filled: DataColumn[] = columns.map((column, at) => ({ ...column, data: data[at]! }));
  return { samples, columns: filled, target: 'label' };
}
