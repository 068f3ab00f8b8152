/** Learning-rate schedules, computed on the device from the step count. `lr` of each may itself be a schedule, so they compose. */
import { never } from '../../util/errors.ts';
import type { GraphBuilder, Value } from '../builder.ts';
import type { Settings as Args, ScheduleFunction } from './function.ts';

/** factor^exponent for a factor above 0 and an exponent f32 scalar of at least 0. */
function power(b: GraphBuilder, factor: number, exponent: Value): Value {
  return b.exp(b.mul(exponent, Math.log(factor)));
}

function num(args: Args, name: string): number {
  return Number(args[name]);
}

/** step / steps, held at 1 from there on. */
function progress(b: GraphBuilder, step: Value, steps: number): Value {
  return b.minimum(b.div(step, steps), 1);
}

/** From `from` to `to` along half a cosine while `at` goes from 0 to 1. */
function alongCosine(b: GraphBuilder, from: Value, to: Value, at: Value): Value {
  const height = b.mul(b.add(b.cos(b.mul(at, Math.PI)), 1), 0.5);
  return b.add(to, b.mul(b.sub(from, to), height));
}

export const schedules: readonly ScheduleFunction[] = [
  {
    kind: 'schedule',
    name: 'step_decay',
    signature: 'step_decay(lr: schedule, every: int, gamma: float = 0.1) -> schedule',
    doc: 'lr * gamma^floor(epoch / every), with epochs counted from 0.',
    example: 'adam(lr: step_decay(0.001, every: 5, gamma: 0.1))',
    value: (b, { epoch, base }, args) =>
      b.mul(base, power(b, num(args, 'gamma'), b.floor(b.div(epoch, num(args, 'every'))))),
  },
  {
    kind: 'schedule',
    name: 'multi_step',
    signature: 'multi_step(lr: schedule, milestones: numbers, gamma: float = 0.1) -> schedule',
    doc: 'lr times `gamma` from each of the epochs `milestones` on, with epochs counted from 0; one that is named twice counts twice.',
    example: 'sgd(lr: multi_step(0.1, milestones: [30, 60, 80]), momentum: 0.9)',
    value: (b, { epoch, base }, args) => {
      const { milestones } = args;
      if (typeof milestones !== 'object') throw never('milestones that are no list', String(milestones));
      return milestones.reduce(
        (lr, from) => b.select(b.greaterEqual(epoch, from), b.mul(lr, num(args, 'gamma')), lr),
        base,
      );
    },
  },
  {
    kind: 'schedule',
    name: 'exponential_decay',
    signature: 'exponential_decay(lr: schedule, gamma: float) -> schedule',
    doc: 'lr * gamma^epoch, with epochs counted from 0.',
    example: 'sgd(lr: exponential_decay(0.1, gamma: 0.95))',
    value: (b, { epoch, base }, args) => b.mul(base, power(b, num(args, 'gamma'), epoch)),
  },
  {
    kind: 'schedule',
    name: 'cosine',
    signature: 'cosine(lr: schedule, steps: int = 0, min: float = 0) -> schedule',
    doc: 'Falls from lr to `min` along half a cosine over `steps` steps, 0 meaning the whole run, and stays there (Loshchilov and Hutter, 2016).',
    example: 'adamw(lr: cosine(3e-4, min: 3e-5))',
    value: (b, { step, total, base }, args) => {
      const [steps, min] = [num(args, 'steps') || total, num(args, 'min')];
      const height = b.mul(b.add(b.cos(b.mul(progress(b, step, steps), Math.PI)), 1), 0.5);
      return b.add(b.mul(b.sub(base, min), height), min);
    },
  },
  {
    kind: 'schedule',
    name: 'cosine_restarts',
    signature: 'cosine_restarts(lr: schedule, every: int, min: float = 0) -> schedule',
    doc: 'Falls from lr to `min` along half a cosine, and starts again at lr after each `every` steps (Loshchilov and Hutter, 2016).',
    example: 'sgd(lr: cosine_restarts(0.1, every: 500), momentum: 0.9)',
    value: (b, { step, base }, args) => {
      const [every, min] = [num(args, 'every'), b.constant(num(args, 'min'))];
      const turns = b.floor(b.div(b.add(step, 0.5), every));
      return alongCosine(b, base, min, b.div(b.sub(step, b.mul(turns, every)), every));
    },
  },
  {
    kind: 'schedule',
    name: 'polynomial_decay',
    signature: 'polynomial_decay(lr: schedule, steps: int = 0, power: float = 1) -> schedule',
    doc: 'lr * (1 - step / steps)^power until it is 0, `steps` of 0 meaning the whole run; in a straight line with a power of 1.',
    example: 'adamw(lr: linear_warmup(polynomial_decay(5e-5), steps: 100))',
    value: (b, { step, total, base }, args) => {
      const rest = b.sub(1, progress(b, step, num(args, 'steps') || total));
      return b.mul(base, num(args, 'power') === 1 ? rest : b.pow(rest, num(args, 'power')));
    },
  },
  {
    kind: 'schedule',
    name: 'linear_warmup',
    signature: 'linear_warmup(lr: schedule, steps: int, start: float = 0) -> schedule',
    doc: 'Rises in a straight line from start * lr to lr over `steps` steps, and follows lr from there.',
    example: 'adamw(lr: linear_warmup(cosine(3e-4), steps: 200))',
    value: (b, { step, base }, args) => {
      const start = num(args, 'start');
      return b.mul(base, b.add(b.mul(progress(b, step, num(args, 'steps')), 1 - start), start));
    },
  },
  {
    kind: 'schedule',
    name: 'one_cycle',
    signature:
      'one_cycle(lr: schedule, steps: int = 0, rise: float = 0.3, div: float = 25, final_div: float = 1e4) -> schedule',
    doc: 'Rises along half a cosine from lr / div to lr over the part `rise` of `steps`, 0 meaning the whole run, then falls to lr / div / final_div and stays there (Smith and Topin, 2018).',
    example: 'sgd(lr: one_cycle(0.1), momentum: 0.9)',
    value: (b, { step, total, base }, args) => {
      const last = (num(args, 'steps') || total) - 1;
      // A run of one step has no time to rise.
      const top = Math.max(num(args, 'rise') * (last + 1) - 1, 1e-6);
      const low = b.div(base, num(args, 'div'));
      const up = alongCosine(b, low, base, b.minimum(b.div(step, top), 1));
      const fallen = b.minimum(b.div(b.sub(step, top), Math.max(last - top, 1e-6)), 1);
      const down = alongCosine(b, base, b.div(low, num(args, 'final_div')), fallen);
      return b.select(b.lessEqual(step, top), up, down);
    },
  },
  {
    kind: 'schedule',
    name: 'plateau',
    signature:
      'plateau(lr: schedule, factor: float = 0.1, patience: int = 10, threshold: float = 1e-4, cooldown: int = 0, min: float = 0, monitor: metric = validation.loss) -> schedule',
    doc: 'lr times `factor`, again each time that `monitor` has not got better by the part `threshold` for more than `patience` epochs in a row, but no lower than `min`; `cooldown` epochs after that are not counted.',
    example: 'adam(lr: plateau(1e-3, patience: 3, monitor: validation.loss))',
    observed: true,
    value: (b, { base, factor }, args) => b.minimum(base, b.maximum(b.mul(base, factor), num(args, 'min'))),
  },
];
