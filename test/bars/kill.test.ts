/** Engines killed without warning, through the command line: what is resumed ends as if nothing had been, bit for bit. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { LAST_CHECKPOINT, METRICS_FILE, readInfo, readMetrics } from '../../engine/process/runFolder.ts';
import { parseSafetensors } from '../../engine/train/safetensors.ts';
import { examples, type Running, start, strata, temporaryFolder } from '../server/cli/cli.ts';

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
  const first = readFileSync(join(examples, 'first.strata'), 'utf8');
  writeFileSync(join(folder.path, 'a.strata'), first.replace(/epochs .*/, 'epochs 24').replace(/ {2}stop .*\n/, ''));
});
afterEach(() => folder.remove());

const train = (run: string): readonly string[] => ['train', 'a.strata', '--device', 'cpu', '--json', '--run', run];
const path = (run: string): string => join(folder.path, run);

function kill(run: string): void {
  process.kill(readInfo(path(run))!.pid, 'SIGKILL');
}

/** All that a curve shows, and the bits of the weights. */
function result(run: string) {
  const steps = readMetrics(path(run)).flatMap(e => (e.type === 'step' ? [[e.step, e.loss, e.lr, e.metrics]] : []));
  const { tensors } = parseSafetensors(readFileSync(join(path(run), LAST_CHECKPOINT)), run);
  const weights = [...tensors].map(([name, { data }]) => [
    name,
    Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64'),
  ]);
  return { steps, weights };
}

async function expectDied(running: Running, run: string): Promise<void> {
  const { code, err } = await running.ended;
  expect(code).toBe(3);
  expect(err).toContain('error[engine-died]');
  expect(err).toContain(`strata resume ${run}`);
}

it('killed in mixed precision, whose scale has fallen by then', async () => {
  const file = join(folder.path, 'a.strata');
  const text = readFileSync(file, 'utf8').replace(
    /minimize cross_entropy/,
    'precision mixed\n  minimize 3000 * cross_entropy',
  );
  writeFileSync(file, text);
  expect(await strata(train('whole'), folder.path)).toMatchObject({ code: 0 });
  const before = start(train('r'), folder.path);
  await before.event('epoch', event => event.epoch >= 2);
  kill('r');
  await expectDied(before, 'r');
  expect(await strata(['resume', 'r', '--json'], folder.path)).toMatchObject({ code: 0 });
  expect(result('r')).toEqual(result('whole'));
  const scales = result('r').steps.map(([, , , metrics]) => (metrics as Record<string, number>).scale!);
  expect(Math.min(...scales)).toBeLessThan(65536);
}, 120_000);

it('killed in the first epoch, then after some, then while checkpoints are written', async () => {
  expect(await strata(train('whole'), folder.path)).toMatchObject({ code: 0 });
  const before = start(train('r'), folder.path);
  await before.event('step');
  kill('r');
  await expectDied(before, 'r');
  for (const epoch of [3, 8]) {
    const again = start(['resume', 'r', '--json'], folder.path);
    await again.event('epoch', event => event.epoch >= epoch);
    await again.event('step', event => event.epoch > epoch);
    kill('r');
    await expectDied(again, 'r');
  }
  // An epoch lasts some 25 milliseconds here, and each ends with two checkpoints: kills soon meet one that is half written.
  for (let turn = 0; turn < 5; turn++) {
    const again = start(['resume', 'r', '--json'], folder.path);
    await again.event('checkpoint');
    kill('r');
    await again.ended;
    expect(() => result('r')).not.toThrow();
  }
  const last = await strata(['resume', 'r', '--json'], folder.path);
  expect(last.code).toBe(0);
  expect(result('r')).toEqual(result('whole'));
  const lines = readFileSync(join(path('r'), METRICS_FILE), 'utf8')
    .trimEnd()
    .split('\n');
  expect(() => lines.map(line => JSON.parse(line) as unknown)).not.toThrow();
  expect(readdirSync(path('r'))).not.toContain('engine.lock');
}, 120_000);
