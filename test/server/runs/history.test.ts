import { describe, expect, it } from 'vitest';
import type { RunEvent, StepEvent } from '../../../engine/train/events.ts';
import { historyOf, summarize, thin } from '../../../server/runs/history.ts';

const identity = { id: 'r', folder: '/runs/r', name: 'first', source: 'first.strata', started: 1 };
const start: RunEvent = {
  type: 'start',
  run: 'r',
  name: 'first',
  time: 1,
  device: 'CPU',
  backend: 'wasm',
  seed: 42,
  parameters: 10,
  trainSamples: 640,
  validationSamples: 64,
  batch: 64,
  stepsPerEpoch: 10,
  steps: 100,
  epochs: 10,
  fromStep: 0,
  bytes: 1000,
};
const step = (n: number, loss: number): StepEvent => ({
  type: 'step',
  step: n,
  epoch: Math.ceil(n / 10),
  loss,
  lr: 0.001,
  metrics: { accuracy: 1 - loss },
  time: n,
});
const done = (reason: 'finished' | 'stopped' | 'early-stop' | 'failed'): RunEvent => ({
  type: 'done',
  reason,
  step: 20,
  epoch: 2,
  stepsPerSecond: 1,
  device: 'CPU',
  metrics: {},
  time: 99,
});

describe('summary', () => {
  it.each<[string, readonly RunEvent[], boolean, string]>([
    ['an engine that has said nothing yet', [], true, 'starting'],
    ['a run under way', [start, step(1, 0.9)], true, 'running'],
    ['a paused run', [start, step(1, 0.9), { type: 'state', state: 'paused', step: 1, time: 2 }], true, 'paused'],
    ['a finished run', [start, done('finished')], false, 'finished'],
    ['early stopping is a way to finish', [start, done('early-stop')], false, 'finished'],
    ['a stopped run', [start, done('stopped')], false, 'stopped'],
    ['a failed run', [start, done('failed')], false, 'failed'],
    ['an engine that vanished', [start, step(1, 0.9)], false, 'died'],
    ['a resumed run', [start, done('stopped'), { ...start, fromStep: 20 } as RunEvent, step(21, 0.1)], true, 'running'],
  ])('%s', (_title, events, live, state) => {
    expect(summarize(identity, events, live, true)).toMatchObject({
      state,
      resumable: !live && state !== 'finished',
    });
  });

  it('tells where the run is', () => {
    expect(summarize(identity, [start, step(1, 0.9), step(12, 0.4)], true, false)).toMatchObject({
      step: 12,
      steps: 100,
      epoch: 2,
      loss: 0.4,
    });
  });
});

describe('history', () => {
  it('holds steps as columns and the rest as it was said', () => {
    const history = historyOf(summarize(identity, [start], true, false), [
      start,
      step(1, 0.9),
      step(2, 0.8),
      done('finished'),
    ]);
    expect(history.events.map(e => e.type)).toEqual(['start', 'done']);
    expect(history.steps.step).toEqual([1, 2]);
    expect(history.steps.metrics.accuracy).toEqual([1 - 0.9, 1 - 0.8]);
  });

  it('keeps spikes when it thins', () => {
    const steps = Array.from({ length: 100_000 }, (_, i) => step(i + 1, i === 54_321 ? 99 : 1 / (i + 1)));
    const thinned = thin(steps, 1000);
    expect(thinned.length).toBeLessThanOrEqual(1000);
    expect(Math.max(...thinned.map(s => s.loss))).toBe(99);
    expect(thinned[0]).toBe(steps[0]);
    expect(thinned.at(-1)).toBe(steps.at(-1));
    expect(thinned.every((s, i) => i === 0 || s.step > thinned[i - 1]!.step)).toBe(true);
  });
});
