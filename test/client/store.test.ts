/** What the page makes of a run's events and history. */
import { describe, expect, it } from 'vitest';
import { subtitle, tiles } from '../../client/panel/web/describe.ts';
import { problemOf } from '../../client/panel/web/problem.ts';
import {
  apply,
  best,
  chartNames,
  elapsed,
  emptyStore,
  fromHistory,
  type RunStore,
  speed,
  stepsDone,
  validationPoints,
} from '../../client/panel/web/store.ts';
import type { DoneEvent, RunEvent } from '../../engine/train/events.ts';
import { began, epochEvent, history, start, stepEvent, stretch } from './runs.ts';

function play(...events: RunEvent[]): RunStore {
  const store = emptyStore();
  for (const event of events) apply(store, event);
  return store;
}

const steps = (store: RunStore) => [...store.step.values.subarray(0, store.step.length)];
const done = (more: Partial<DoneEvent> = {}): DoneEvent => ({
  type: 'done',
  reason: 'finished',
  step: 1250,
  epoch: 10,
  stepsPerSecond: 250,
  device: 'CPU',
  metrics: {},
  time: began + 5000,
  ...more,
});
const tile = (store: RunStore, id: string, now = began + 1000) => {
  const { value, detail } = tiles(store, now).find(each => each.id === id)!;
  return `${value} | ${detail}`;
};

describe('the store of a run', () => {
  it('is the same from a history and from the events themselves', () => {
    const [a, b] = [fromHistory(history(300)), play(start, ...stretch(1, 300))];
    expect(steps(a)).toEqual(steps(b));
    expect(a.loss.values.slice(0, 300)).toEqual(b.loss.values.slice(0, 300));
    expect(a.epochs).toEqual(b.epochs);
  });

  it('drops steps that it has when the stream overlaps the history', () => {
    const store = fromHistory(history(300));
    for (const event of stretch(280, 310)) apply(store, event);
    expect(steps(store)).toEqual(Array.from({ length: 310 }, (_, index) => index + 1));
    expect(store.epochs.map(epoch => epoch.epoch)).toEqual([1, 2]);
  });

  it('takes back what a resumed run does again', () => {
    const store = play(start, ...stretch(1, 300), done({ reason: 'stopped', step: 300 }));
    apply(store, { ...start, fromStep: 250, time: began + 10_000 });
    expect(stepsDone(store)).toBe(250);
    expect(store.epochs.map(epoch => epoch.step)).toEqual([125, 250]);
    apply(store, stepEvent(251));
    expect(steps(store).at(-1)).toBe(251);
    expect(store.state).toBe('running');
    // 5 s before, 2 s since.
    expect(elapsed(store, began + 12_000)).toBe(7);
  });

  it('starts anew when the events of the whole run are told again', () => {
    const store = play(start, ...stretch(1, 20));
    for (const event of [start, ...stretch(1, 10)]) apply(store, event);
    expect(steps(store)).toHaveLength(10);
    expect(store.before).toBe(0);
  });

  it('gives a report that turns up late no values before', () => {
    const { metrics: _, ...bare } = stepEvent(1);
    const store = play(start, { ...bare, metrics: {} }, stepEvent(2));
    const accuracy = store.metrics.get('accuracy')!;
    expect(accuracy.values[0]).toBeNaN();
    expect(accuracy.values[1]).toBeGreaterThan(0);
    expect(chartNames(store)).toEqual(['loss', 'accuracy']);
  });

  it('keeps 100,000 steps within a second', () => {
    const store = play(start);
    const from = performance.now();
    for (let step = 1; step <= 100_000; step++) apply(store, stepEvent(step));
    expect(store.step.length).toBe(100_000);
    expect(performance.now() - from).toBeLessThan(1000);
  });

  it('finds the best validation and the points of the curve', () => {
    const store = play(start, epochEvent(1), epochEvent(2), { ...epochEvent(3), validation: { loss: 9 } });
    expect(best(store)).toMatchObject({ metric: 'loss', epoch: 2, step: 250 });
    expect(validationPoints(store, 'loss').x).toEqual([125, 250, 375]);
    expect(validationPoints(store, 'accuracy').x).toEqual([125, 250]);
  });

  it('measures the speed over the last seconds, and not over a pause', () => {
    const store = play(start, ...stretch(1, 500));
    expect(speed(store)).toBeCloseTo(250, 0);
    apply(store, { type: 'state', state: 'paused', step: 500, time: began + 60_000 });
    apply(store, { ...stepEvent(501), time: began + 90_000 });
    expect(speed(store)).toBeCloseTo(250, 0);
  });
});

describe('tiles', () => {
  it('tell loss, progress and speed of a live run', () => {
    const store = play(start, ...stretch(1, 500));
    expect(tile(store, 'epoch')).toBe('4 / 10 | step 500 of 1,250');
    expect(tile(store, 'time', began + 2000)).toBe('0:03 | 0:02 elapsed');
    expect(tile(store, 'speed')).toBe('250 | 16.0k samples/s');
    expect(tile(store, 'rate')).toBe('0.001 | batch of 64');
    expect(tile(store, 'device')).toBe(`WebGPU | ${start.device}`);
    expect(tile(store, 'best')).toMatch(/^0\.\d{4} \| loss, epoch 4$/);
  });

  it('say what is awaited before there are values', () => {
    expect(tile(emptyStore(), 'loss')).toBe('– | mean of recent steps');
    expect(tile(emptyStore(), 'epoch')).toBe('– | waiting for the engine');
    expect(tile(play({ ...start, validationSamples: 0 }), 'best')).toBe('– | no validation split');
  });

  it('say how it ended', () => {
    expect(tile(play(start, ...stretch(1, 1250), done()), 'time')).toBe('5.0 s | all epochs done');
    expect(tile(play(start, done({ reason: 'early-stop' })), 'time')).toBe('5.0 s | stopped early, no improvement');
  });
});

describe('problems', () => {
  it('come with the code and what to do', () => {
    const error = { code: 'not-finite', message: 'the loss is NaN at step 301' };
    const store = play(start, done({ reason: 'failed', error }));
    expect(problemOf(store)).toMatchObject({
      code: 'not-finite',
      message: error.message,
      remedy: expect.stringContaining('smaller learning rate'),
    });
  });

  it('name the numbers of a sweep', () => {
    const store = fromHistory(history(10, { choice: 'rate=0.1' }));
    expect(subtitle(store)).toMatch(/^rate=0\.1 · 101,770 parameters/);
    expect(subtitle(fromHistory(history(10)))).toMatch(/^101,770 parameters/);
  });

  it('name the checkpoint of an engine that died', () => {
    const store = fromHistory(history(10, { state: 'died', resumable: true }));
    expect(problemOf(store)?.remedy).toMatch(/[Rr]esume/);
    expect(problemOf(fromHistory(history(10)))).toBeUndefined();
  });

  it('keep a code that this version does not know', () => {
    const store = play(start, done({ reason: 'failed', error: { code: 'from-the-future', message: 'm' } }));
    expect(problemOf(store)).toEqual({ heading: 'Training failed', message: 'm', code: 'from-the-future' });
  });
});
