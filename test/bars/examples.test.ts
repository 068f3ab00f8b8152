/** Every example checks without a word, and those on tables and points train to their bars. */
import { cpSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { events, examples, strata, temporaryFolder } from '../server/cli/cli.ts';
import { sharedData } from '../support/data.ts';

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
  cpSync(examples, folder.path, { recursive: true });
});
afterEach(() => folder.remove());

const names = readdirSync(examples).filter(name => name.endsWith('.strata'));
const mnist = sharedData('mnist');

it.each(names)('%s has neither errors nor warnings', async name => {
  // Its data is downloaded by whoever wants it; without, the one thing to say is that it is missing.
  if (name === 'mnist.strata' && mnist !== undefined) cpSync(mnist, join(folder.path, 'data'), { recursive: true });
  const { out } = await strata(['check', name], folder.path);
  if (name === 'mnist.strata' && mnist === undefined)
    expect(out.match(/error\[\S+\]/g)).toContain('error[data-missing]');
  else expect(out).toBe('1 file checked: 0 errors, 0 warnings\n');
});

it.each([
  ['spirals.strata', 'test.accuracy', (value: number) => value > 0.97],
  ['blossoms.strata', 'test.accuracy', (value: number) => value > 0.85],
  // Saying that no pump fails is worth 0.93.
  ['pumps.strata', 'test.accuracy', (value: number) => value > 0.96],
  // The noise in the table alone is worth 0.06.
  ['heating.strata', 'test.mae', (value: number) => value < 0.15],
] as const)('%s reaches its %s', async (name, metric, enough) => {
  const outcome = await strata(['train', name, '--device', 'cpu', '--json'], folder.path);
  const done = events(outcome).at(-1);
  if (done?.type !== 'done') throw new Error(outcome.err);
  expect(done.metrics[metric]).toSatisfy(enough);
});
