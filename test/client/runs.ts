/** Synthesised runs for the client's tests: a loss that falls with noise, the same on every call. */
import type { EpochEvent, RunEvent, SamplesEvent, StartEvent, StepEvent } from '../../engine/train/events.ts';
import type { RunHistory, RunSummary } from '../../server/runs/runs.ts';

export const began = Date.UTC(2026, 10, 24, 9, 30);

export const start: StartEvent = {
  type: 'start',
  run: '2026-11-24T09-30-00-digits',
  name: 'digits',
  time: began,
  device: 'llvmpipe (LLVM 15.0.6, 256 bits)',
  backend: 'webgpu',
  seed: 42,
  parameters: 101_770,
  trainSamples: 8_000,
  validationSamples: 1_000,
  batch: 64,
  stepsPerEpoch: 125,
  steps: 1250,
  epochs: 10,
  fromStep: 0,
  bytes: 31_000_000,
};

export const summary: RunSummary = {
  id: start.run,
  folder: '/project/.strata/runs/2026-11-24T09-30-00-digits',
  name: 'digits',
  source: 'examples/first.strata',
  state: 'running',
  step: 0,
  steps: start.steps,
  epoch: 1,
  started: began,
  resumable: false,
};

/** Noise in 0..1 that depends on the step alone. */
function noise(step: number): number {
  const x = Math.sin(step * 12.9898) * 43758.5453;
  return x - Math.floor(x);
}

export function stepEvent(step: number, msPerStep = 4): StepEvent {
  const fall = 2.2 * Math.exp(-step / 180) + 0.08;
  return {
    type: 'step',
    step,
    epoch: Math.ceil(step / start.stepsPerEpoch),
    loss: fall * (0.65 + 0.7 * noise(step)),
    lr: step > 625 ? 1e-4 : 1e-3,
    metrics: { accuracy: Math.min(1, 1 - 0.36 * fall * (0.5 + noise(step + 7))) },
    time: began + step * msPerStep,
  };
}

export function epochEvent(epoch: number, msPerStep = 4): EpochEvent {
  const step = epoch * start.stepsPerEpoch;
  const fall = 2.2 * Math.exp(-step / 180) + 0.08;
  return {
    type: 'epoch',
    epoch,
    step,
    train: { loss: fall, accuracy: 1 - 0.36 * fall },
    validation: { loss: fall + 0.05 + 0.0015 * epoch, accuracy: 0.985 - 0.36 * fall },
    seconds: (start.stepsPerEpoch * msPerStep) / 1000,
    stepsPerSecond: 1000 / msPerStep,
    samplesPerSecond: (64 * 1000) / msPerStep,
    time: began + step * msPerStep,
  };
}

/** What `show fake` tells at the end of an epoch. */
export function samplesEvent(epoch: number, more: Partial<SamplesEvent> = {}): SamplesEvent {
  const step = epoch * start.stepsPerEpoch;
  const paths = [`samples/epoch-${epoch}-fake.png`];
  return { type: 'samples', epoch, step, name: 'fake', kind: 'image', items: 16, paths, time: began + step, ...more };
}

/** Steps `from`..`to` with the epochs that end among them. */
export function stretch(from: number, to: number): RunEvent[] {
  const events: RunEvent[] = [];
  for (let step = from; step <= to; step++) {
    events.push(stepEvent(step));
    if (step % start.stepsPerEpoch === 0) events.push(epochEvent(step / start.stepsPerEpoch));
  }
  return events;
}

/** What `strata/attach` answers after `steps` steps. */
export function history(
  steps: number,
  more: Partial<RunSummary> = {},
  landmarks: RunHistory['events'] = [],
): RunHistory {
  const events = Array.from({ length: steps }, (_, index) => stepEvent(index + 1));
  const epochs = Array.from({ length: Math.floor(steps / start.stepsPerEpoch) }, (_, index) => epochEvent(index + 1));
  return {
    summary: { ...summary, step: steps, epoch: Math.max(1, Math.ceil(steps / start.stepsPerEpoch)), ...more },
    events: [start, ...epochs, ...landmarks],
    steps: {
      step: events.map(event => event.step),
      loss: events.map(event => event.loss),
      lr: events.map(event => event.lr),
      metrics: { accuracy: events.map(event => event.metrics.accuracy!) },
    },
  };
}
