/** Training as a service: commands, refusals, runs as notifications and bars, lenses. */

import { describe, expect, it } from 'vitest';
import type { CodeLens } from 'vscode-languageserver';
import { program } from '../ide/fixture.ts';
import { startTestClient, summary, uri } from './client.ts';

const textDocument = { uri };
const wrong = program().replace('linear(10)', 'linear(12)');

describe('training', () => {
  const train = { command: 'strata.train', arguments: [{ uri }] };

  it('starts the run of a sound file', async () => {
    const client = await startTestClient();
    client.open(program());
    expect(await client.request('workspace/executeCommand', train)).toMatchObject({
      name: 'first',
      source: 'first.strata',
    });
    expect(client.calls).toEqual(['start first']);
  });

  it.each([
    ['errors in the file', wrong, {}, [{ uri }], /^can't train: .*/],
    ['an untrusted workspace', program(), { trusted: false }, [{ uri }], /^can't train: the workspace is not trusted$/],
    [
      'a train block that is not there',
      program(),
      {},
      [{ uri, train: 'second' }],
      /^no train block is called second: there are first$/,
    ],
    ['a malformed argument', program(), {}, ['first'], /^malformed argument/],
    ['no argument', program(), {}, undefined, /^malformed argument/],
  ])('refuses %s', async (_, text, initializationOptions, args, reason) => {
    const client = await startTestClient({ initializationOptions });
    client.open(text);
    const request = client.request('workspace/executeCommand', { command: 'strata.train', arguments: args });
    await expect(request).rejects.toThrow(reason);
    expect(client.calls).toEqual([]);
  });

  it('starts the runs of a sweep one after the other', async () => {
    const client = await startTestClient();
    const text = program().replace('net = Net()', 'sweep rate: [0.1, 0.01]\n  net = Net()');
    client.open(text.replace('lr: 0.001', 'lr: rate'));
    await client.request('workspace/executeCommand', train);
    expect(client.calls).toEqual(['start first {"rate":0.1}']);
    client.emit(summary({ state: 'finished' }), []);
    await expect.poll(() => client.calls).toEqual(['start first {"rate":0.1}', 'start first {"rate":0.01}']);
  });

  it('tells why a sweep can not go on', async () => {
    const client = await startTestClient();
    const text = program().replace('net = Net()', 'sweep heads: [4, 3]\n  net = Net()');
    client.open(
      text.replace(
        'logits = net(image)',
        'logits = net(image |> unsqueeze(1) |> self_attention(heads: heads) |> squeeze(1))',
      ),
    );
    await client.request('workspace/executeCommand', train);
    client.emit(summary({ state: 'finished' }), []);
    const shown = () => client.received.filter(m => m.method === 'window/showMessage').map(m => m.params);
    await expect
      .poll(shown)
      .toMatchObject([{ message: expect.stringMatching(/^the sweep ends: can't train with {"heads":3}: ./) }]);
    expect(client.calls).toEqual(['start first {"heads":4}']);
  });

  it('refuses a text that was never saved', async () => {
    const client = await startTestClient();
    client.open(program(), 'untitled:one');
    const request = client.request('workspace/executeCommand', { ...train, arguments: [{ uri: 'untitled:one' }] });
    await expect(request).rejects.toThrow("can't train: save the file first");
  });

  it('trains when trust is granted, and not because a settings file says so', async () => {
    const client = await startTestClient({ initializationOptions: { trusted: false } });
    client.open(program());
    await client.connection.sendNotification('workspace/didChangeConfiguration', {
      settings: { strata: { trusted: true } },
    });
    await client.request('workspace/executeCommand', train);
    expect(client.calls).toEqual(['start first']);
  });

  it.each(['pause', 'continue', 'stop', 'resume'])('passes %s on to the run', async action => {
    const client = await startTestClient();
    const folder = '/project/.strata/runs/1';
    await client.request('workspace/executeCommand', { command: `strata.${action}`, arguments: [{ folder }] });
    expect(client.calls).toEqual([`${action} ${folder}`]);
  });

  it('touches no folder that is not a run of the workspace', async () => {
    const client = await startTestClient();
    for (const folder of ['/etc', '/project', '']) {
      const request = client.request('workspace/executeCommand', { command: 'strata.stop', arguments: [{ folder }] });
      await expect(request).rejects.toThrow('expected a run of this workspace');
      await expect(client.request('strata/attach', { folder })).rejects.toThrow('expected a run of this workspace');
    }
    expect(client.calls).toEqual([]);
  });

  it('hands on events as strata/run and as progress that ends with the run', async () => {
    const client = await startTestClient({ capabilities: { window: { workDoneProgress: true } } });
    const event = { type: 'step', step: 1, epoch: 1, loss: 2, lr: 1, metrics: {}, time: 0 } as const;
    client.emit(summary({ step: 1 }), [event]);
    const seen = (method: string) => client.received.filter(m => m.method === method).map(m => m.params);
    await expect.poll(() => seen('$/progress')).toHaveLength(1);
    expect(seen('strata/run')).toEqual([{ summary: summary({ step: 1 }), events: [event] }]);
    client.emit(summary({ state: 'finished' }), []);
    await expect.poll(() => seen('$/progress').at(-1)).toMatchObject({ value: { kind: 'end' } });
  });

  it('leaves the progress to clients that show runs by themselves', async () => {
    const capabilities = { window: { workDoneProgress: true } };
    const client = await startTestClient({ capabilities, initializationOptions: { showsRuns: true } });
    client.emit(summary({ step: 1 }), []);
    // An answer comes after all that was sent before it.
    await client.request('strata/runs', {});
    expect(client.received.map(m => m.method)).toContain('strata/run');
    expect(client.received.filter(m => m.method.includes('rogress'))).toEqual([]);
  });
});

describe('lenses', () => {
  const titles = async (client: Awaited<ReturnType<typeof startTestClient>>) =>
    (await client.request<CodeLens[]>('textDocument/codeLens', { textDocument })).map(l => l.command?.title);

  it('offer training, and resuming where a run of the file has stopped', async () => {
    const stopped = summary({ state: 'stopped', resumable: true, step: 40 });
    const other = summary({ state: 'stopped', resumable: true, source: 'other.strata' });
    const client = await startTestClient({ runs: [other, stopped] });
    client.open(program());
    expect(await titles(client)).toEqual(expect.arrayContaining(['Train', 'Resume at step 40 of 100']));
  });

  it('say why there is no training', async () => {
    const client = await startTestClient({ initializationOptions: { trusted: false } });
    client.open(program());
    expect(await titles(client)).toContain("can't train: the workspace is not trusted");
    expect(await titles(client)).not.toContain('Train');
  });
});
