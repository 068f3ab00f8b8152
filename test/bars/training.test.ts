/** What the main job must reach, through the built command line: digits, and MNIST where it is at hand. */
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DoneEvent, RunEvent } from '../../engine/train/events.ts';
import { events, examples, strata, temporaryFolder } from '../server/cli/cli.ts';
import { sharedData } from '../support/data.ts';

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder.remove());

const example = (name: string): string => readFileSync(join(examples, name), 'utf8');

async function train(text: string, ...options: string[]): Promise<{ events: RunEvent[]; done: DoneEvent }> {
  writeFileSync(join(folder.path, 'a.strata'), text);
  const outcome = await strata(['train', 'a.strata', '--device', 'cpu', '--json', ...options], folder.path);
  const all = events(outcome);
  const done = all.at(-1);
  if (done?.type !== 'done') throw new Error(`the run did not end: ${outcome.err}`);
  return { events: all, done };
}

/** The learning rate of each epoch's steps, which must be one. */
function rates(all: readonly RunEvent[]): number[] {
  const found = new Map<number, Set<number>>();
  for (const event of all) {
    if (event.type === 'step') found.set(event.epoch, (found.get(event.epoch) ?? new Set()).add(event.lr));
  }
  return [...found.values()].map(set => {
    expect(set.size).toBe(1);
    return [...set][0]!;
  });
}

/** The epoch after which the loop that PyTorch users write stops: `if loss < best: wait = 0 else: wait += 1; if wait >= patience: break`. */
function stopsAfter(losses: readonly number[], patience: number): number | undefined {
  let best = Number.POSITIVE_INFINITY;
  let wait = 0;
  for (const [epoch, loss] of losses.entries()) {
    wait = loss < best ? 0 : wait + 1;
    best = Math.min(best, loss);
    if (wait >= patience) return epoch + 1;
  }
  return undefined;
}

const validationLosses = (all: readonly RunEvent[]): number[] =>
  all.flatMap(event => (event.type === 'epoch' ? [event.validation!.loss!] : []));

describe('digits()', () => {
  it.each(['1', '2', '3'])('SimpleNet passes 0.95 with seed %s', async seed => {
    const { done } = await train(example('first.strata'), '--seed', seed);
    expect(done.metrics['test.accuracy']).toBeGreaterThan(0.95);
  });

  it.each(['1', '2', '3'])('SimpleNet passes 0.95 in mixed precision with seed %s', async seed => {
    const text = example('first.strata').replace(/( {2})(seed .*)/, '$1$2\n$1precision mixed');
    const { events: all, done } = await train(text, '--seed', seed);
    expect(all.find(event => event.type === 'step')).toMatchObject({ metrics: { scale: 65536 } });
    expect(done.metrics['test.accuracy']).toBeGreaterThan(0.95);
  });

  it('a linear model stays under 90%, however long it trains', async () => {
    const linear = example('first.strata')
      .replace(/ {2}fc1 = .*\n/, '')
      .replace('x |> fc1 |> relu |> fc2', 'x |> fc2')
      .replace('step_decay(0.001, every: 5, gamma: 0.1)', '0.001')
      .replace(/ {2}stop .*\n/, '');
    const { events: all, done } = await train(linear, '--epochs', '60');
    const best = Math.max(...all.flatMap(event => (event.type === 'epoch' ? [event.validation!.accuracy!] : [])));
    expect(Math.max(best, done.metrics['test.accuracy']!)).toBeLessThan(0.9);
  });
});

const mnist = sharedData('mnist');
describe.skipIf(mnist === undefined)('MNIST, 9,000 digits', () => {
  const text = example('mnist.strata');
  const plain = text.replace(/ {2}augment .*\n/, '').replace('step_decay(0.001, every: 5, gamma: 0.1)', '0.001');
  beforeEach(() => {
    mkdirSync(join(folder.path, 'data'));
    cpSync(mnist!, join(folder.path, 'data'), { recursive: true });
  });

  it.each(['1', '2', '3'])('at least 0.945 after ten epochs of Adam at 1e-3 with seed %s', async seed => {
    const { events: all, done } = await train(plain.replace(/ {2}stop .*\n/, ''), '--seed', seed);
    expect(all[0]).toMatchObject({ type: 'start', trainSamples: 9000, validationSamples: 1000, batch: 64, epochs: 10 });
    expect(done).toMatchObject({ reason: 'finished', step: 1410 });
    expect(done.metrics['test.accuracy']).toBeGreaterThanOrEqual(0.945);
  });

  it('the example with augmentation trains; its rate falls as StepLR lets it', async () => {
    const { events: all, done } = await train(text);
    expect(done.metrics['test.accuracy']).toBeGreaterThan(0.945);
    const expected = Array.from({ length: done.epoch }, (_, epoch) =>
      Math.fround(0.001 * 0.1 ** Math.floor(epoch / 5)),
    );
    for (const [epoch, rate] of rates(all).entries()) expect(rate / expected[epoch]!).toBeCloseTo(1, 6);
  });

  it('stops early after the epoch in which a loop in PyTorch would', async () => {
    const hasty = plain.replace('patience: 5', 'patience: 2').replace('lr: 0.001', 'lr: 0.003');
    const { events: all, done } = await train(hasty, '--epochs', '40');
    expect(done.reason).toBe('early-stop');
    expect(stopsAfter(validationLosses(all), 2)).toBe(done.epoch);
  });
});
