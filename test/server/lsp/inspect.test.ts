/** A look inside from an editor: the same texts as `--emit`, of the block at the cursor, and the layers as a tree. */
import { describe, expect, it } from 'vitest';
import type { InspectParams, InspectResult, OutlineResult } from '../../../server/lsp/protocol.ts';
import { program } from '../ide/fixture.ts';
import { startTestClient, uri } from './client.ts';

const two = `${program()}\n${program().slice(program().indexOf('train first')).replace('train first', 'train second')}`;

async function client(text: string) {
  const started = await startTestClient();
  started.open(text);
  return {
    inspect: (params: Omit<InspectParams, 'uri'>) =>
      started.request<InspectResult>('strata/inspect', { uri, ...params }),
    outline: () => started.request<OutlineResult>('strata/outline', { uri }),
    request: started.request,
  };
}

describe('strata/inspect', () => {
  it.each([
    ['graph', 'graph train {'],
    ['kernels', 'matmul'],
    ['plan', 'peak memory'],
    ['outline', 'FLOPs a sample'],
    ['shapes', '// [B, 128]'],
  ] as const)('shows %s', async (what, part) => {
    const { inspect } = await client(program());
    expect((await inspect({ what })).text).toContain(part);
  });
  it('shows the block at the cursor, the named one, or the first', async () => {
    const { inspect } = await client(two);
    const position = { line: two.slice(0, two.indexOf('train second')).split('\n').length, character: 0 };
    expect((await inspect({ what: 'outline', position })).train).toBe('second');
    expect((await inspect({ what: 'outline', train: 'second' })).text).toContain('train second');
    expect((await inspect({ what: 'outline' })).train).toBe('first');
  });
  it('says so where there is nothing to show', async () => {
    const { inspect } = await client(program().replace('linear(10)', 'linear(12)'));
    expect((await inspect({ what: 'graph' })).text).toContain('nothing to show while it has errors');
    expect((await (await client('const a = 1\n')).inspect({ what: 'graph' })).text).toContain('no train block');
  });
  it.each([
    [{ uri }],
    [{ uri, what: 'secrets' }],
    [{ uri: 3, what: 'graph' }],
    [null],
    [{ uri: 'file:///x', what: 'graph' }],
  ])('refuses %j', async params => {
    const { request } = await client(program());
    await expect(request('strata/inspect', params as object)).rejects.toThrow(/malformed argument|can be read/);
  });
});

describe('strata/outline', () => {
  it('is a tree with places', async () => {
    const { outline } = await client(two);
    const blocks = await outline();
    expect(blocks.map(b => [b.train, b.weights])).toEqual([
      ['first', 101_770],
      ['second', 101_770],
    ]);
    expect(blocks[0]!.layers[0]).toMatchObject({ name: 'net', kind: 'Net', location: { uri } });
  });
  it('says what stands in the way', async () => {
    const { outline } = await client(program().replace('linear(10)', 'linear(12)'));
    expect((await outline())[0]).toMatchObject({
      layers: [],
      problem: expect.stringMatching(/^an error to mend first/),
    });
  });
});
