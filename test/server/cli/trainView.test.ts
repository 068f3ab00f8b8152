/** What a run looks like in a terminal: said from the start on, and what went wrong comes last. */
import { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { DoneEvent, RunEvent, StartEvent } from '../../../engine/train/events.ts';
import { jsonView, terminalView } from '../../../server/cli/trainView.ts';

const eraseLine = '\r\x1b[2K';
const starting: RunEvent = { type: 'state', state: 'starting', step: 0, time: 0 };
const start: StartEvent = {
  type: 'start',
  run: 'r',
  name: 'digits',
  time: 0,
  device: 'CPU',
  backend: 'wasm',
  seed: 0,
  parameters: 1000,
  trainSamples: 64,
  validationSamples: 0,
  batch: 32,
  stepsPerEpoch: 2,
  steps: 4,
  epochs: 2,
  fromStep: 0,
  bytes: 0,
};
const steps = [3, 2].map(
  (loss, at): RunEvent => ({ type: 'step', step: at + 1, epoch: 1, loss, lr: 0.1, metrics: {}, time: at }),
);
const failed: DoneEvent = {
  type: 'done',
  reason: 'failed',
  step: 2,
  epoch: 1,
  stepsPerSecond: 10,
  device: 'CPU',
  metrics: { loss: 2 },
  error: { code: 'not-finite', message: 'step 3: exp gave Infinity' },
  time: 3,
};

/** A stream that keeps what is written, as a terminal of a width or as a file. */
function kept(columns?: number) {
  let text = '';
  const write = (chunk: Buffer, _: string, done: () => void): void => {
    text += chunk.toString();
    done();
  };
  const terminal = columns === undefined ? {} : { isTTY: true, columns };
  const stream = Object.assign(new Writable({ write }), terminal) as unknown as NodeJS.WriteStream;
  return { stream, text: () => text };
}

describe('a run in the terminal', () => {
  it.each([80, 0])('says what is going on before its first step, %i columns wide', columns => {
    const { stream, text } = kept(columns);
    const view = terminalView(stream);
    view.begin();
    expect(text()).toMatch(/starting: reading data, compiling the training step…$/);
    view.show(starting);
    view.show(start);
    const line = text().split('\n')[0]!;
    expect(line.slice(line.lastIndexOf(eraseLine) + eraseLine.length)).toMatch(/^\S*digits/);
  });

  it.each([
    [0, 'failed after 0 steps on CPU\n'],
    [1, 'failed after 1 step, 10 steps/s on CPU\n'],
  ])('that took %i steps has a speed if there was one', (step, line) => {
    const { stream, text } = kept();
    const view = terminalView(stream);
    for (const event of [starting, start, { ...failed, step }]) view.show(event);
    expect(text()).toContain(line);
  });

  it('ends with what went wrong, below the chart', () => {
    const { stream, text } = kept();
    const view = terminalView(stream);
    view.begin();
    for (const event of [starting, start, ...steps, failed]) view.show(event);
    view.end();
    expect(text()).toContain('┤');
    expect(text()).not.toContain('starting');
    expect(text().trimEnd().split('\n').at(-1)).toBe('error[not-finite]: step 3: exp gave Infinity');
  });
});

it('JSON lines are the events and nothing else', () => {
  const lines: string[] = [];
  const view = jsonView(line => lines.push(line));
  view.begin();
  for (const event of [starting, start, failed]) view.show(event);
  view.end();
  expect(lines.map(line => JSON.parse(line))).toEqual([start, failed]);
});
