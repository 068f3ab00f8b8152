/** The socket server by itself: attaching, commands, batches, clients that misbehave. */
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { type BroadcastHooks, type Command, createBroadcast } from '../../../engine/process/broadcast.ts';
import type { EngineMessage } from '../../../engine/process/protocol.ts';
import { listenPrivately } from '../../../engine/process/socket.ts';
import type { RunEvent } from '../../../engine/train/events.ts';
import { connectClient } from '../../support/engineRun.ts';
import { temporaryFolder } from '../../support/files.ts';

const step = (at: number): RunEvent => ({ type: 'step', step: at, epoch: 1, loss: at, lr: 1, metrics: {}, time: at });
const stepsIn = (messages: readonly EngineMessage[]): number[] =>
  messages.flatMap(message =>
    message.type === 'events' ? message.events.map(event => (event.type === 'step' ? event.step : 0)) : [],
  );

async function serve() {
  const path = join(temporaryFolder(), 's');
  const commands: Command[] = [];
  let line = 0;
  const hooks: BroadcastHooks = {
    command: command => commands.push(command),
    status: () => ({ line, state: { type: 'state', state: 'running', step: line, time: 0 } }),
  };
  const broadcast = createBroadcast(hooks);
  await listenPrivately(broadcast.server, { path, remove: () => {} });
  onTestFinished(() => broadcast.close());
  const send = (...events: RunEvent[]): void => {
    line += events.length;
    broadcast.send(events);
  };
  return { path, commands, broadcast, send };
}

const attached = (message: EngineMessage): boolean => message.type === 'attached';

test('a client that attaches gets the events after its line, others none', async () => {
  const { path, send, broadcast } = await serve();
  const first = await connectClient(path);
  const silent = await connectClient(path);
  send(step(1));
  first.send({ type: 'attach' });
  expect(await first.until(attached)).toMatchObject({ line: 1, protocol: 1, state: { state: 'running', step: 1 } });
  send(step(2), step(3));
  const second = await connectClient(path);
  second.send({ type: 'attach' });
  expect(await second.until(attached)).toMatchObject({ line: 3 });
  send(step(4));
  await broadcast.close();
  await Promise.all([first.closed, second.closed, silent.closed]);
  expect([first, second, silent].map(client => stepsIn(client.messages))).toEqual([[2, 3, 4], [4], []]);
});

test('attaching twice gives no event twice', async () => {
  const { path, send, broadcast } = await serve();
  const client = await connectClient(path);
  client.send({ type: 'attach' });
  await client.until(attached);
  send(step(1));
  client.send({ type: 'attach' });
  await client.until(message => message.type === 'attached' && message.line === 1);
  send(step(2));
  await broadcast.close();
  await client.closed;
  expect(stepsIn(client.messages)).toEqual([1, 2]);
});

test('commands arrive in order, in whatever pieces they come', async () => {
  const { path, commands } = await serve();
  const client = await connectClient(path);
  for (const piece of [
    '{"type":"pau',
    'se"}\n{"type":"continue"}\n\n{"type"',
    ':"checkpoint"}\n{"type":"stop"}\n{"type":"attach"}\n',
  ])
    client.send(piece);
  await client.until(attached);
  expect(commands).toEqual(['pause', 'continue', 'checkpoint', 'stop']);
});

test.each(['{"type":"dance"}', '{}', 'null', '[1]', 'not json', '{"type":{"a":1}}'])(
  '%s is refused and does no harm',
  async text => {
    const { path, commands } = await serve();
    const client = await connectClient(path);
    client.send(`${text}\n`);
    expect(await client.until(message => message.type === 'refused')).toMatchObject({ code: 'unsupported' });
    client.send({ type: 'attach' });
    await client.until(attached);
    expect(commands).toEqual([]);
  },
);

test('a client that sends without end is dropped, others stay', async () => {
  const { path } = await serve();
  const rude = await connectClient(path);
  rude.send('x'.repeat(100_000));
  await rude.closed;
  const polite = await connectClient(path);
  polite.send({ type: 'attach' });
  await polite.until(attached);
});

test('a socket somebody answers on is not taken, one that nobody answers on is', async () => {
  const { path, broadcast } = await serve();
  const second = createBroadcast({
    command: () => {},
    status: () => ({ line: 0, state: { type: 'state', state: 'running', step: 0, time: 0 } }),
  });
  onTestFinished(() => second.close());
  await expect(listenPrivately(second.server, { path, remove: () => {} })).rejects.toMatchObject({
    code: 'socket-taken',
  });
  await broadcast.close();
  await listenPrivately(second.server, { path, remove: () => {} });
  const client = await connectClient(path);
  client.send({ type: 'attach' });
  await client.until(attached);
});
