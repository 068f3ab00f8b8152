/** Learning-rate schedules, computed on the device from the step count. `lr` of each may itself be a schedule, so they compose. */
import type { GraphBuilder, Value } from '../builder.ts';
import type { ScheduleFunction } from './function.ts';

type Args = Readonly<Record<string, number | boolean>>;

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
    name: 'exponential_decay',
    signature: 'exponential_decay(lr: schedule, gamma: float) -> schedule',
    doc: 'lr * gamma^epoch, with epochs counted from 0.',
    value: (b, { epoch, base }, args) => b.mul(base, power(b, num(args, 'gamma'), epoch)),
  },
  {
    kind: 'schedule',
    name: 'cosine',
    signature: 'cosine(lr: schedule, steps: int = 0, min: float = 0) -> schedule',
    doc: 'Falls from lr to `min` along half a cosine over `steps` steps, 0 meaning the whole run, and stays there (Loshchilov and Hutter, 2016).',
    value: (b, { step, total, base }, args) => {
      const [steps, min] = [num(args, 'steps') || total, num(args, 'min')];
      const height = b.mul(b.add(b.cos(b.mul(progress(b, step, steps), Math.PI)), 1), 0.5);
      return b.add(b.mul(b.sub(base, min), height), min);
    },
  },
  {
    kind: 'schedule',
    name: 'linear_warmup',
    signature: 'linear_warmup(lr: schedule, steps: int, start: float = 0) -> schedule',
    doc: 'Rises in a straight line from start * lr to lr over `steps` steps, and follows lr from there.',
    value: (b, { step, base }, args) => {
      const start = num(args, 'start');
      return b.mul(base, b.add(b.mul(progress(b, step, num(args, 'steps')), 1 - start), start));
    },
  },
];
