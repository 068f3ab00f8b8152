/** Runs whose other entries are compiled while the first steps train: waited for when they are needed, stopped and failing meanwhile. */
import { expect, test } from 'vitest';
import type { Backend } from '../../../engine/backend/backend.ts';
import { referenceBackend } from '../../../engine/backend/reference/reference.ts';
import { workspacePaths } from '../../../engine/data/paths.ts';
import type { RunEvent } from '../../../engine/train/events.ts';
import { createTrainer, type Trainer } from '../../../engine/train/trainer.ts';
import { EngineError } from '../../../engine/util/errors.ts';
import { temporaryFolder } from '../../support/files.ts';
import { moonsProgram } from '../../support/moons.ts';

/** The reference backend, on which what isn't compiled first is ready when `others` is, and fails the test when it is run before. */
function backendReadyWith(others: Promise<void>): Backend {
  const backend = referenceBackend();
  return {
    ...backend,
    async compile(entries, { first } = {}) {
      const executable = await backend.compile(entries);
      if (first === undefined) return executable;
      let isReady = false;
      others.then(
        () => {
          isReady = true;
        },
        () => undefined,
      );
      return {
        ...executable,
        async ready(names = entries.map(each => each.name)) {
          if (names.some(name => !first.includes(name))) await others;
        },
        run(entry, times) {
          if (!isReady && !first.includes(entry)) throw new Error(`${entry} is run before it is ready`);
          executable.run(entry, times);
        },
      };
    },
  };
}

/** Trains on 160 samples in batches of 30; the partial batch is the sixth step. */
async function train(others: Promise<void>, watch: (event: RunEvent, trainer: Trainer) => void = () => {}) {
  const folder = temporaryFolder();
  const events: RunEvent[] = [];
  const open = async () => backendReadyWith(others);
  const trainer = createTrainer({
    program: moonsProgram({ run: { epochs: 2 } }),
    folder,
    paths: { last: 'last.safetensors', best: 'best.safetensors' },
    resolvePath: workspacePaths(folder),
    open: { wasm: open, webgpu: open },
    pace: { drain: 0 },
    emit: more => {
      events.push(...more);
      for (const event of more) watch(event, trainer);
    },
  });
  const done = await trainer.run();
  return { done, losses: events.flatMap(event => (event.type === 'step' ? [event.loss] : [])) };
}

test('training begins before the others are ready, and has the same numbers', async () => {
  const plain = await train(Promise.resolve());
  let resolve = () => {};
  const promise = new Promise<void>(done => {
    resolve = done;
  });
  const late = await train(promise, event => {
    if (event.type === 'step' && event.step === 5) resolve();
  });
  expect(plain.done.reason).toBe('finished');
  expect(late.losses).toEqual(plain.losses);
  expect(late.done.metrics).toEqual(plain.done.metrics);
});

test('a run is stopped while it waits for them', async () => {
  const { done } = await train(new Promise(() => {}), (event, { control }) => {
    if (event.type === 'step' && event.step === 5) control.stop();
  });
  expect(done).toMatchObject({ reason: 'stopped', step: 5 });
});

test('what goes wrong with them ends the run where they are needed', async () => {
  const lost = Promise.reject(new EngineError('device-lost', 'the GPU stopped answering'));
  const { done, losses } = await train(lost);
  expect(done).toMatchObject({ reason: 'failed', error: { code: 'device-lost' } });
  expect(losses).toHaveLength(5);
});
