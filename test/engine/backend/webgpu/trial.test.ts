/** The trial of subgroups: passed by backends that compute rightly, failed by one that is wrong in one result, and by one that fails. */
import { expect, it } from 'vitest';
import type { Executable } from '../../../../engine/backend/backend.ts';
import { referenceBackend } from '../../../../engine/backend/reference/reference.ts';
import { reducesRightly } from '../../../../engine/backend/webgpu/trial.ts';
import type { Schedule } from '../../../../engine/kernel/kernel.ts';
import { openWebgpu } from '../../../support/devices.ts';

const reference = async (schedule: Schedule): Promise<Executable> => (await referenceBackend()).compile([schedule]);

it('the reference passes', async () => {
  expect(await reducesRightly(reference)).toBe(true);
});

it.each(['sum', 'max', 'min', 'argmax'])('a wrong %s fails', async wrong => {
  const broken = async (schedule: Schedule): Promise<Executable> => {
    const executable = await reference(schedule);
    return {
      ...executable,
      read: async name => {
        const found = await executable.read(name);
        return name === wrong ? found.map(value => value + 1) : found;
      },
    };
  };
  expect(await reducesRightly(broken)).toBe(false);
});

it('an error of the device fails', async () => {
  expect(await reducesRightly(() => Promise.reject(new Error('refused')))).toBe(false);
});

it('this device passes, with subgroups and without', { timeout: 60_000 }, async context => {
  const backend = (await openWebgpu({ tune: false })) ?? context.skip();
  expect(await reducesRightly(schedule => backend.compile([schedule]))).toBe(true);
  expect(await reducesRightly(schedule => backend.compile([schedule], { subgroups: undefined }))).toBe(true);
  await backend.dispose();
});
