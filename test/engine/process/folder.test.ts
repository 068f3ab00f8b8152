/** The files of a run folder: requests, infos, metrics that a crash cut, and the lock. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { isLocked, lockRun } from '../../../engine/process/lock.ts';
import { openMetricsLog } from '../../../engine/process/metricsLog.ts';
import {
  INFO_FILE,
  LOCK_FILE,
  METRICS_FILE,
  parseMetrics,
  readInfo,
  readMetrics,
  readRequest,
} from '../../../engine/process/runFolder.ts';
import { chooseAddress } from '../../../engine/process/socket.ts';
import type { RunEvent } from '../../../engine/train/events.ts';
import { temporaryFolder } from '../../support/files.ts';

const step = (at: number): RunEvent => ({
  type: 'step',
  step: at,
  epoch: Math.ceil(at / 2),
  loss: 1 / at,
  lr: 1,
  metrics: {},
  time: at,
});
const epoch = (at: number): RunEvent => ({
  type: 'epoch',
  epoch: at / 2,
  step: at,
  train: {},
  seconds: 1,
  stepsPerSecond: 1,
  samplesPerSecond: 1,
  time: at,
});
const saved = (at: number): RunEvent => ({ type: 'checkpoint', step: at, path: 'c', best: false });
const done = (at: number): RunEvent => ({
  type: 'done',
  reason: 'stopped',
  step: at,
  epoch: 1,
  stepsPerSecond: 1,
  device: '',
  metrics: {},
  time: at,
});
const text = (events: readonly RunEvent[]): string => events.map(event => `${JSON.stringify(event)}\n`).join('');

test('a resumed log holds what was before the checkpoint: later lines, damaged lines and former ends are dropped', async () => {
  const kept = [step(1), step(2), epoch(2), saved(2)];
  const content = `${text([...kept, step(3), done(2), epoch(4)])}\n{"type":"ste\nnull\n{"type":"dance"}\n${text([step(4)])}{"type":"step","st`;
  const path = join(temporaryFolder({ [METRICS_FILE]: content }), METRICS_FILE);
  const log = await openMetricsLog(path, 2);
  expect(log.lines).toBe(4);
  log.append([step(3), step(4)]);
  expect(log.lines).toBe(6);
  log.sync();
  log.close();
  expect(readFileSync(path, 'utf8')).toBe(text([...kept, step(3), step(4)]));
});

test('a fresh log is empty, whatever lay there', async () => {
  const path = join(temporaryFolder({ [METRICS_FILE]: text([step(1)]) }), METRICS_FILE);
  const log = await openMetricsLog(path, 0);
  log.close();
  expect(readFileSync(path, 'utf8')).toBe('');
});

test('metrics are read as far as they are whole', () => {
  const whole = text([step(1), step(2)]);
  expect(parseMetrics(`${whole}{"type":"st`)).toEqual({ events: [step(1), step(2)], bytes: whole.length, damaged: 0 });
  expect(parseMetrics('x\n')).toEqual({ events: [], bytes: 2, damaged: 1 });
  expect(parseMetrics(`${JSON.stringify({ ...step(1), device: 'Grüße' })}\n`).bytes).toBe(
    Buffer.byteLength(JSON.stringify({ ...step(1), device: 'Grüße' })) + 1,
  );
  expect(readMetrics('/nowhere')).toEqual([]);
});

test.each([
  ['nothing', undefined, 'run-missing'],
  ['no JSON', '{', 'program-malformed'],
  ['no workspace', '{}', 'program-malformed'],
  ['a device that is none', '{"workspace":"/w","device":"tpu"}', 'program-malformed'],
  ['negative epochs', '{"workspace":"/w","epochs":-1}', 'program-malformed'],
])('a request of %s is refused', (_, content, code) => {
  const folder = temporaryFolder(content === undefined ? {} : { 'request.json': content });
  expect(() => readRequest(folder)).toThrow(
    expect.objectContaining({ code, message: expect.stringContaining('request.json') }),
  );
});

test('a request as the run manager writes it', () => {
  const request = { workspace: '/w', base: '/w/a', device: 'auto', epochs: 3, seed: 0, resume: true };
  expect(readRequest(temporaryFolder({ 'request.json': JSON.stringify(request) }))).toEqual(request);
});

test.each([
  '',
  '{',
  '{"protocol":99,"pid":1,"socket":"s","started":1}',
  '{"protocol":1,"pid":-1,"socket":"s","started":1}',
])('info %j is none', content => {
  expect(readInfo(temporaryFolder({ [INFO_FILE]: content }))).toBeUndefined();
});

test('a lock is held by one, given back, and taken from the dead', () => {
  const folder = temporaryFolder();
  const unlock = lockRun(folder);
  expect(isLocked(folder)).toBe(true);
  expect(() => lockRun(folder)).toThrow(expect.objectContaining({ code: 'run-busy' }));
  unlock();
  expect(isLocked(folder)).toBe(false);
  const dead = spawnSync(process.execPath, ['-e', '']).pid;
  for (const holder of [`${dead} 1`, '', 'garbage', `${process.pid} 1`]) {
    writeFileSync(join(folder, LOCK_FILE), holder);
    lockRun(folder)();
    expect(existsSync(join(folder, LOCK_FILE))).toBe(false);
  }
});

test.skipIf(process.platform !== 'linux')('an engine that is dead but not yet buried holds no lock', async () => {
  const folder = temporaryFolder();
  // The shell's child ends with its input, after the shell has become a sleep, which waits for no child.
  const script = 'cat <&3 >/dev/null & echo $!; exec 3<&-; exec sleep 60';
  const parent = spawn('/bin/sh', ['-c', script], { stdio: ['ignore', 'pipe', 'ignore', 'pipe'] });
  onTestFinished(() => void parent.kill());
  const pid = await new Promise<string>(resolve => parent.stdout!.once('data', data => resolve(String(data).trim())));
  const stat = (of: string | number | undefined) => readFileSync(`/proc/${of}/stat`, 'utf8');
  const start = stat(pid).split(' ').at(21);
  await vi.waitUntil(() => stat(parent.pid).includes('(sleep)'));
  parent.stdio[3]!.destroy();
  writeFileSync(join(folder, LOCK_FILE), `${pid} ${start}`);
  await vi.waitUntil(() => stat(pid).includes(') Z '));
  expect(isLocked(folder)).toBe(false);
});

test('sockets lie in the run folder where the path is short enough, else in the temporary folder, on Windows in pipes', () => {
  expect(chooseAddress('/w/run', 'linux').path).toBe('/w/run/engine.sock');
  const far = chooseAddress(`/w/${'ü'.repeat(60)}`, 'linux');
  expect(Buffer.byteLength(far.path)).toBeLessThan(104);
  far.remove();
  expect(chooseAddress('C:\\w\\run', 'win32').path).toMatch(/^\\\\\.\\pipe\\strata-[0-9a-f-]{36}$/);
});
