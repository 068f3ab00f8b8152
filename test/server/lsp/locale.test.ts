/** The server speaks the language of the editor, but for diagnostics. */
import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { CodeLens, InlayHint } from 'vscode-languageserver';
import { languages, speak } from '../../../server/ide/texts.ts';
import { program } from '../ide/fixture.ts';
import { startTestClient, summary, uri } from './client.ts';

const english = languages.en!;
const textDocument = { uri };
const placeholders = (text: string) => [...text.matchAll(/\{\d\}/g)].map(m => m[0]).sort();

describe.each(Object.entries(languages).filter(([name]) => name !== 'en'))('%s', (_, texts) => {
  it('has every text, in its own words and with the same values', () => {
    expect(Object.keys(texts)).toEqual(Object.keys(english));
    for (const [key, text] of Object.entries(english)) {
      const translation = texts[key as keyof typeof texts];
      expect(placeholders(translation), key).toEqual(placeholders(text));
      expect(translation, key).not.toBe(text);
    }
  });
});

it('server and client speak the same languages', () => {
  const manifests = readdirSync('.').flatMap(name => /^package\.nls\.(.+)\.json$/.exec(name)?.[1] ?? []);
  expect(Object.keys(languages).sort()).toEqual(['en', ...manifests].sort());
});

it.each([
  ['zh-cn', '训练'],
  ['zh-CN', '训练'],
  ['zh', '训练'],
  ['zh-Hans-CN', '训练'],
  ['zh-tw', 'Train'],
  ['de', 'Train'],
  ['constructor', 'Train'],
  [undefined, 'Train'],
])('the locale %s is answered with %s', (locale, expected) => expect(speak(locale)('train')).toBe(expected));

describe('a server that is told zh-cn', () => {
  const titles = async (client: Awaited<ReturnType<typeof startTestClient>>) =>
    (await client.request<CodeLens[]>('textDocument/codeLens', { textDocument })).map(l => l.command?.title);

  it('has lenses and hints in Chinese, and diagnostics in English', async () => {
    const client = await startTestClient({
      locale: 'zh-cn',
      runs: [summary({ state: 'stopped', resumable: true, step: 1040, steps: 20_000 })],
    });
    client.open(program().replace('x |> linear(128)', 'fc = linear(128)\n  x |> fc'));
    expect(await titles(client)).toEqual(
      expect.arrayContaining(['训练', '从第 1,040/20,000 步继续', '101,770 个权重']),
    );
    const range = { start: { line: 0, character: 0 }, end: { line: 99, character: 0 } };
    const hints = await client.request<InlayHint[]>('textDocument/inlayHint', { textDocument, range });
    expect(hints.map(h => h.label)).toContain('100,480 个权重');
    client.edit(2, program().replace('linear(10)', 'linear(12)'));
    expect((await client.diagnostics(2)).diagnostics[0]?.message).toMatch(/^expected \[B, 10\]/);
    expect((await titles(client)).join()).toContain('无法训练：请先修正一个错误：expected [B, 10]');
  });

  it('refuses in Chinese', async () => {
    const client = await startTestClient({ locale: 'zh-cn', initializationOptions: { trusted: false } });
    client.open(program());
    const train = client.request('workspace/executeCommand', { command: 'strata.train', arguments: [{ uri }] });
    await expect(train).rejects.toThrow('无法训练：此工作区未受信任');
    const fetch = client.request('workspace/executeCommand', { command: 'strata.fetch', arguments: [{ uri }] });
    await expect(fetch).rejects.toThrow('无法获取：此工作区未受信任');
    const position = { line: 0, character: 2 };
    const rename = client.request('textDocument/rename', { textDocument, position, newName: 'x' });
    await expect(rename).rejects.toThrow('此处没有可更改的名称');
  });

  it('names its bars in Chinese', async () => {
    const client = await startTestClient({ locale: 'zh-cn', capabilities: { window: { workDoneProgress: true } } });
    client.emit(summary({ step: 1, epoch: 2 }), []);
    const bars = () => client.received.filter(m => m.method === '$/progress').map(m => m.params);
    await expect
      .poll(() => bars()[0])
      .toMatchObject({ value: { title: '正在训练 first', message: '第 2 轮, 第 1/100 步' } });
  });
});
