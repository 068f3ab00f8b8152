/** The engine as a real process: killed and resumed bit for bit, served to several clients, ended in a coded error. */
import { existsSync, mkdirSync, readFileSync, statSync, watch, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import type { EngineMessage } from '../../../engine/process/protocol.ts';
import {
  LAST_CHECKPOINT,
  METRICS_FILE,
  readInfo,
  readMetrics,
  readRequest,
  SOCKET_FILE,
} from '../../../engine/process/runFolder.ts';
import type { RunEvent } from '../../../engine/train/events.ts';
import {
  bundleEngine,
  type Child,
  type Client,
  connectClient,
  makeRun,
  startChild,
  writeRequest,
} from '../../support/engineRun.ts';
import { moonsProgram } from '../../support/moons.ts';

let bundle: string;
beforeAll(async () => {
  const made = await bundleEngine();
  bundle = made.path;
  return made.dispose;
});

/** Steps of an epoch of `long`: enough for it to be caught in the middle. */
const EPOCH = 3000;
const long = (epochs = 3, hidden = 16) =>
  moonsProgram({
    hidden,
    lr: 0.01,
    run: { epochs },
    data: { batch: 5, source: { name: 'moons', args: { samples: 18_750, seed: 0 } } },
  });

/** Resolves when `look` gives something, looking again at every change of the folder. */
function onChange<T>(folder: string, look: () => T | undefined): Promise<T> {
  return new Promise(resolve => {
    const settle = (): void => {
      const found = look();
      if (found === undefined) return;
      watcher.close();
      resolve(found);
    };
    const watcher = watch(folder, settle);
    settle();
  });
}

async function start(
  folder: string,
  backend: 'reference' | 'wasm' = 'reference',
): Promise<{ child: Child; client: Client }> {
  const child = startChild(bundle, folder, { backend });
  const info = await onChange(folder, () => {
    const found = readInfo(folder);
    return found?.pid === child.process.pid ? found : undefined;
  });
  const client = await connectClient(info.socket);
  client.send({ type: 'attach' });
  await client.until(message => message.type === 'attached');
  return { child, client };
}

const events = (messages: readonly EngineMessage[]): RunEvent[] =>
  messages.flatMap(message => (message.type === 'events' ? message.events : []));
const has = (fits: (event: RunEvent) => boolean) => (message: EngineMessage) =>
  message.type === 'events' && message.events.some(fits);

/** What must be the same in two runs: everything but the clock. */
function essence(folder: string): unknown[] {
  return readMetrics(folder).flatMap((event): unknown[] => {
    if (event.type === 'step') return [[event.step, event.epoch, event.loss, event.lr, event.metrics]];
    if (event.type === 'epoch') return [[event.epoch, event.step, event.train, event.validation]];
    if (event.type === 'done') return [[event.reason, event.step, event.metrics]];
    return [];
  });
}

test.each(['reference', 'wasm'] as const)(
  'killed in mid-epoch and resumed on %s: curve and weights are those of the uninterrupted run, bit for bit',
  async backend => {
    const whole = makeRun(long(3, backend === 'wasm' ? 512 : 16));
    await startChild(bundle, whole, { backend }).exited;
    const cut = makeRun(long(3, backend === 'wasm' ? 512 : 16));
    const { child, client } = await start(cut, backend);
    await client.until(has(event => event.type === 'step' && event.step > EPOCH && event.step % EPOCH < EPOCH / 3));
    child.process.kill('SIGKILL');
    expect((await child.exited).signal).toBe('SIGKILL');
    const before = readMetrics(cut);
    expect(before.at(-1)?.type).not.toBe('done');
    expect(before.some(event => event.type === 'step' && event.step > EPOCH)).toBe(true);
    writeFileSync(join(cut, METRICS_FILE), '{"type":"step","st', { flag: 'a' }); // a line the crash cut
    writeRequest(cut, { ...readRequest(cut), resume: true });
    const resumed = startChild(bundle, cut, { backend });
    expect(await resumed.exited).toMatchObject({ code: 0 });
    expect(essence(cut)).toEqual(essence(whole));
    const starts = readMetrics(cut).flatMap(event => (event.type === 'start' ? [event.fromStep] : []));
    expect(starts).toEqual([0, EPOCH]);
    expect(readFileSync(join(cut, LAST_CHECKPOINT))).toEqual(readFileSync(join(whole, LAST_CHECKPOINT)));
  },
);

test('killed before its first checkpoint, a run is resumed from the start', async () => {
  const folder = makeRun(long(1));
  const { child, client } = await start(folder);
  await client.until(has(event => event.type === 'step'));
  child.process.kill('SIGKILL');
  await child.exited;
  writeRequest(folder, { ...readRequest(folder), resume: true });
  expect(await startChild(bundle, folder).exited).toMatchObject({ code: 0 });
  expect(
    readMetrics(folder)
      .filter(event => event.type === 'step')
      .map(event => event.step),
  ).toEqual(Array.from({ length: EPOCH }, (_, i) => i + 1));
});

test('several clients see each event once, at most 20 messages a second; they may leave at any time', async () => {
  const folder = makeRun(long(2));
  const { child, client } = await start(folder);
  const info = readInfo(folder)!;
  expect(statSync(info.socket).mode & 0o777).toBe(0o600);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  await client.until(has(event => event.type === 'step'));
  const [late, rude] = [await connectClient(info.socket), await connectClient(info.socket)];
  rude.send('{"type":"attach"}\n{"type":"dance"}\nnot json\n');
  await rude.until(message => message.type === 'refused');
  rude.socket.destroy();
  late.send({ type: 'attach' });
  const attached = (await late.until(message => message.type === 'attached')) as EngineMessage & { type: 'attached' };
  expect(await child.exited).toMatchObject({ code: 0 });
  await Promise.all([client.closed, late.closed]);
  const all = readMetrics(folder);
  const first = client.messages[0] as EngineMessage & { type: 'attached' };
  expect(events(client.messages)).toEqual(all.slice(first.line));
  expect(events(late.messages)).toEqual(all.slice(attached.line));
  expect(attached.state.state).toBe('running');
  const seconds = (client.times.at(-1)! - client.times[0]!) / 1000;
  expect(client.messages.length).toBeLessThanOrEqual(20 * seconds + 3);
  expect(child.output()).toEqual({ stdout: '', stderr: '' });
});

// On a machine that is busy with other things a measurement may be off; the engine is at fault only if it is slow every time.
test('pause, continue and stop are answered within 200 ms', { retry: 2 }, async () => {
  const { child, client } = await start(makeRun(long(50)));
  await client.until(has(event => event.type === 'step'));
  const latencies: number[] = [];
  const ask = async (type: 'pause' | 'continue' | 'stop', state: string): Promise<void> => {
    const from = client.messages.length;
    const asked = performance.now();
    client.send({ type });
    await client.until(
      message =>
        client.messages.indexOf(message) >= from &&
        has(event => event.type === 'state' && event.state === state)(message),
    );
    latencies.push(performance.now() - asked);
  };
  await ask('pause', 'paused');
  await ask('continue', 'running');
  await ask('stop', 'stopped');
  expect(await child.exited).toMatchObject({ code: 0 });
  expect(Math.max(...latencies)).toBeLessThan(200);
  expect(events(client.messages).at(-1)).toMatchObject({
    type: 'done',
    reason: 'stopped',
    checkpoint: LAST_CHECKPOINT,
  });
});

test('two engines never train one folder, and the first is not disturbed', async () => {
  const folder = makeRun(long(50));
  const { child, client } = await start(folder);
  await client.until(has(event => event.type === 'step'));
  const second = startChild(bundle, folder);
  expect(await second.exited).toMatchObject({ code: 1 });
  expect(second.output().stderr).toMatch(/^run-busy: .*another engine trains this run/);
  client.send({ type: 'stop' });
  expect(await child.exited).toMatchObject({ code: 0 });
  expect(readMetrics(folder).at(-1)).toMatchObject({ type: 'done', reason: 'stopped' });
});

test('a socket that somebody else listens on is left alone', async () => {
  const folder = makeRun(moonsProgram());
  const other = createServer();
  await new Promise<void>(resolve => other.listen(join(folder, SOCKET_FILE), resolve));
  const child = startChild(bundle, folder);
  expect(await child.exited).toMatchObject({ code: 1 });
  expect(readMetrics(folder).at(-1)).toMatchObject({ type: 'done', reason: 'failed', error: { code: 'socket-taken' } });
  await new Promise(resolve => other.close(resolve));
});

test('a folder too deep for a socket path is served from the temporary folder', async () => {
  const folder = makeRun(moonsProgram());
  const deep = join(folder, 'd'.repeat(60), 'e'.repeat(60));
  mkdirSync(deep, { recursive: true });
  for (const name of ['program.json', 'request.json'])
    writeFileSync(join(deep, name), readFileSync(join(folder, name)));
  const child = startChild(bundle, deep);
  const info = await onChange(deep, () => readInfo(deep));
  expect(info.socket.length).toBeLessThan(104);
  expect(await child.exited).toMatchObject({ code: 0 });
  expect(existsSync(info.socket)).toBe(false);
});

test.each([
  ['a program that is cut', 'program.json', '{"version":1', 'program-malformed'],
  ['a program of another version', 'program.json', '{"version":99}', 'program-malformed'],
  ['a request that is none', 'request.json', '{"workspace":1}', 'program-malformed'],
])('%s ends in a coded error that is in the log', async (_, name, content, code) => {
  const folder = makeRun(moonsProgram());
  writeFileSync(join(folder, name), content);
  const child = startChild(bundle, folder);
  const { code: exit } = await child.exited;
  expect(exit).toBe(1);
  expect(readMetrics(folder).at(-1)).toMatchObject({ type: 'done', reason: 'failed', error: { code } });
});

test('a checkpoint that is cut is named, and the history stays', async () => {
  const folder = makeRun(moonsProgram());
  await startChild(bundle, folder).exited;
  const before = readMetrics(folder).length;
  const path = join(folder, LAST_CHECKPOINT);
  writeFileSync(path, readFileSync(path).subarray(0, 100));
  writeRequest(folder, { ...readRequest(folder), resume: true });
  expect(await startChild(bundle, folder).exited).toMatchObject({ code: 1 });
  const after = readMetrics(folder);
  expect(after.length).toBe(before + 2);
  expect(after.at(-1)).toMatchObject({
    error: { code: 'checkpoint-malformed', message: expect.stringContaining('last.safetensors') },
  });
});

test.skipIf(process.platform === 'win32')(
  'no room for the metrics: disk-full, and once there is room the run goes on as if nothing had been',
  async () => {
    const whole = makeRun(moonsProgram({ run: { epochs: 20 } }));
    await startChild(bundle, whole).exited;
    const cut = makeRun(moonsProgram({ run: { epochs: 20 } }));
    const child = startChild(bundle, cut, { blocks: 16 }); // 8 KiB of metrics
    expect(await child.exited).toMatchObject({ code: 1 });
    expect(child.output().stderr).toMatch(
      /^disk-full: .*metrics.jsonl: no room to write; free some space and resume the run/,
    );
    expect(readMetrics(cut).at(-1)!.type).not.toBe('done');
    writeRequest(cut, { ...readRequest(cut), resume: true });
    expect(await startChild(bundle, cut).exited).toMatchObject({ code: 0 });
    expect(essence(cut)).toEqual(essence(whole));
    expect(readFileSync(join(cut, LAST_CHECKPOINT))).toEqual(readFileSync(join(whole, LAST_CHECKPOINT)));
  },
);

test.skipIf(process.platform === 'win32')(
  'no room for a checkpoint: disk-full is in the log, the folder stays readable',
  async () => {
    const folder = makeRun(moonsProgram({ hidden: 512 })); // 3 * 2562 floats: 30 KiB
    expect(await startChild(bundle, folder, { blocks: 40 }).exited).toMatchObject({ code: 1 });
    const last = readMetrics(folder).at(-1);
    expect(last).toMatchObject({ type: 'done', reason: 'failed', error: { code: 'disk-full' } });
    expect(last).not.toHaveProperty('checkpoint');
    expect(existsSync(join(folder, LAST_CHECKPOINT))).toBe(false);
  },
);
