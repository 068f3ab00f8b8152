/** Learning-rate schedules against torch.optim.lr_scheduler. */
import { describe, expect, it } from 'vitest';
import { evaluateGraph } from '../../../../engine/backend/reference/evaluateGraph.ts';
import type { Call } from '../../../../engine/ir/program.ts';
import { GraphBuilder } from '../../../../engine/ops/builder.ts';
import { follow, UNREDUCED } from '../../../../engine/train/plateau.ts';
import type { StepLayout } from '../../../../engine/train/step.ts';
import { learningRate, progressOf } from '../../../../engine/train/update.ts';
import { golden, relativeError } from '../../../goldens/golden.ts';
import { call } from '../../../support/macros.ts';

interface ScheduleGolden {
  readonly single: readonly {
    readonly name: string;
    readonly args: Readonly<Record<string, number | readonly number[]>>;
    readonly unit: 'step' | 'epoch';
    readonly base: number;
    readonly values: readonly number[];
  }[];
  readonly warmup_of_exponential: readonly number[];
  readonly plateau: readonly {
    readonly better: 'lower' | 'higher';
    readonly args: Readonly<Record<string, number>>;
    readonly base: number;
    readonly metrics: readonly number[];
    readonly values: readonly number[];
  }[];
}

/** The learning rate of `lr` at steps 0 .. count - 1. */
function sequence(lr: Call, count: number, stepsPerEpoch: number): number[] {
  const b = new GraphBuilder();
  const step = b.state('step', { dtype: 'i32', shape: [] });
  const layout = { stepsPerEpoch, steps: count, accumulate: 1 } as StepLayout;
  const graph = b.finish('lr', [{ name: 'lr', value: learningRate(b, lr, progressOf(b, layout, step, 1)) }]);
  return Array.from({ length: count }, (_, i) => {
    const at = { dtype: 'i32' as const, shape: [], data: Float64Array.of(i) };
    return evaluateGraph(graph, { step: at }).lr!.data[0]!;
  });
}

const stored = golden<ScheduleGolden>('schedules');

describe('schedules', () => {
  it.each(stored.single.map(s => [`${s.name} ${JSON.stringify(s.args)}`, s] as const))('%s', (_, expected) => {
    const { name, args, base, unit, values } = expected;
    const lr = call(name, 'schedule', { ...args, lr: base });
    // A cosine stays at its least where PyTorch's would rise again: 30 values are its fall.
    if (unit === 'step') expect(relativeError(sequence(lr, values.length, 7), values, 0)).toBeLessThan(1e-6);
    const perEpoch = sequence(lr, 4 * values.length, 4).filter((_, step) => step % 4 === 3);
    if (unit === 'epoch') expect(relativeError(perEpoch, values, 0)).toBeLessThan(1e-6);
  });

  it('composes: a warmup whose lr is itself a schedule', () => {
    const decay = call('exponential_decay', 'schedule', { lr: 1e-2, gamma: 0.9 });
    const warmup = call('linear_warmup', 'schedule', { lr: decay, steps: 8, start: 0.1 });
    const values = stored.warmup_of_exponential;
    expect(relativeError(sequence(warmup, values.length, 1), values, 0)).toBeLessThan(1e-6);
  });

  it('composes the other way: a schedule of a warmup', () => {
    const warmup = call('linear_warmup', 'schedule', { lr: 1e-2, steps: 8, start: 0.1 });
    const values = sequence(call('exponential_decay', 'schedule', { lr: warmup, gamma: 0.9 }), 30, 1);
    expect(relativeError(values, stored.warmup_of_exponential, 0)).toBeLessThan(1e-6);
  });

  it.each(stored.plateau)('plateau in mode $better follows the metric as ReduceLROnPlateau', run => {
    const schedule: Call = { name: 'plateau', args: { ...run.args, monitor: 'validation.loss' } };
    let state = UNREDUCED;
    const values = run.metrics.map(metric => {
      state = follow(state, metric, run.better, schedule);
      return Math.max(run.base * state.factor, run.args.min!);
    });
    expect(relativeError(values, run.values, 0)).toBeLessThan(1e-6);
    expect(new Set(run.values).size).toBeGreaterThan(2);
  });

  it('takes the whole run as the length of a cosine without one', () => {
    const lrs = sequence(call('cosine', 'schedule', { lr: 1 }), 10, 5);
    expect(lrs[0]).toBeCloseTo(1, 12);
    expect(lrs[5]).toBeCloseTo(0.5, 12);
  });
});
