/** Files whose names have spaces, `#`, `%`, brackets and foreign letters, on a disk, in whichever spelling a client puts them into uris. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { Location, Position, WorkspaceEdit } from 'vscode-languageserver';
import { URI } from 'vscode-uri';
import { canonicalUri, relativePath, resolveUri } from '../../../server/lang/uri.ts';
import { createNodeHost } from '../../../server/lsp/nodeHost.ts';
import { temporaryFolder } from '../../support/files.ts';
import { startTestClient } from './client.ts';

const spellings: Readonly<Record<string, (path: string) => string>> = {
  'VS Code': path => URI.file(path).toString(),
  'URLs of browsers and Node': path => pathToFileURL(path).href,
  Neovim: path => `file://${path.split('/').map(encodeURIComponent).join('/')}`,
  'small hex digits': path => `file://${encodeURI(path).replace(/%[0-9A-F]{2}|[#()[\]']/g, hex)}`,
};
const hex = (text: string) => (text.startsWith('%') ? text : `%${text.charCodeAt(0).toString(16)}`).toLowerCase();

const mainName = "my nets/main 50% (é)'s.strata";
const partName = 'parts #1 [語]/block 100%25.strata';
const dataName = 'dätä & more/a,b; c=1.csv';
const block = 'model Block(x: [B, D]) -> [B, D] {\n  x |> linear(D) |> relu\n}\n';
const main = `import Block from "../${partName}"

model Net(x: [B, 1]) -> [B] {
  x |> Block |> linear(1) |> squeeze(1)
}

data Points = csv("../${dataName}", target: "y") {
  batch 2
}

train first on Points {
  net = Net()
  minimize mse(net(features), y) using adam(lr: 0.1)
  epochs 1
}
`;

const dist = fileURLToPath(new URL('../../../dist', import.meta.url));

async function start(spell: (path: string) => string) {
  const files = { [mainName]: main, [partName]: block, [dataName]: 'x,y\n1.5,2.5\n3.5,4.5\n5.5,6.5\n' };
  const named = Object.entries(files).map(([name, text]) => [`w (1)/${name}`, text]);
  const root = join(temporaryFolder(Object.fromEntries(named)), 'w (1)');
  const uri = (name: string) => spell(join(root, name));
  const client = await startTestClient({ host: createNodeHost(dist), folders: [spell(root)] });
  const codes = async (version: number) =>
    (await client.diagnostics(version, uri(mainName))).diagnostics.map(d => d.message);
  client.open(main, uri(mainName));
  return { client, uri, codes };
}

const pathOf = (uri: string) => fileURLToPath(uri);
const nameAt = (text: string, word: string): Position => {
  const before = text.slice(0, text.indexOf(word)).split('\n');
  return { line: before.length - 1, character: before.at(-1)!.length };
};

describe.each(Object.entries(spellings))('uris as %s spell them', (_, spell) => {
  it('the file is checked with what it imports and with its data', async () => {
    const { client, uri, codes } = await start(spell);
    expect(await codes(1)).toEqual([]);
    client.open(block.replaceAll('[B, D]', '[B, D, 7]'), uri(partName));
    await expect
      .poll(() => client.received.filter(m => (m.params as { uri?: string }).uri === uri(mainName)).at(-1)?.params)
      .toMatchObject({ diagnostics: [{ code: 'shape-mismatch' }] });
    client.edit(2, main.replace(dataName, 'dätä/gone.csv'), uri(mainName));
    expect((await codes(2)).join()).toContain('dätä/gone.csv');
  });

  it('what is on disk is where definitions, links and references lead', async () => {
    const { client, uri, codes } = await start(spell);
    await codes(1);
    const at = { textDocument: { uri: uri(mainName) }, position: nameAt(main, 'Block |>') };
    const definition = await client.request<Location>('textDocument/definition', at);
    expect(pathOf(definition.uri)).toBe(pathOf(uri(partName)));
    client.open(block, uri(partName));
    expect((await client.request<Location>('textDocument/definition', at)).uri).toBe(uri(partName));
    const links = await client.request<{ target: string }[]>('textDocument/documentLink', at);
    expect(links.map(l => pathOf(l.target))).toEqual([partName, dataName].map(name => pathOf(uri(name))));
    const from = { textDocument: { uri: uri(partName) }, position: nameAt(block, 'Block') };
    const found = await client.request<Location[]>('textDocument/references', {
      ...from,
      context: { includeDeclaration: true },
    });
    const counts = [mainName, partName].map(name => found.filter(l => l.uri === uri(name)).length);
    expect([...counts, found.length]).toEqual([2, 1, 3]);
  });

  it('renaming a name changes it in both files', async () => {
    const { client, uri, codes } = await start(spell);
    await codes(1);
    const position = nameAt(main, 'Block |>');
    const edit = await client.request<WorkspaceEdit>('textDocument/rename', {
      textDocument: { uri: uri(mainName) },
      position,
      newName: 'Layer',
    });
    const edited = Object.entries(edit.changes!).map(([file, edits]) => [pathOf(file), edits.length]);
    expect(edited.sort()).toEqual([
      [pathOf(uri(mainName)), 2],
      [pathOf(uri(partName)), 1],
    ]);
    expect(Object.keys(edit.changes!)).toContain(uri(mainName));
  });

  it.each([
    ['an imported file', partName, 'parts/neu & "alt" 7%.strata', '../parts/neu & \\"alt\\" 7%.strata'],
    ['a data file', dataName, 'a b#c.csv', '../a b#c.csv'],
    ['a folder', 'parts #1 [語]', 'p', '../p/block 100%25.strata'],
  ])('renaming %s changes the path to it', async (_, from, to, path) => {
    const { client, uri, codes } = await start(spell);
    await codes(1);
    const files = [{ oldUri: uri(from), newUri: uri(to) }];
    const edit = await client.request<WorkspaceEdit>('workspace/willRenameFiles', { files });
    expect(edit.changes).toEqual({ [uri(mainName)]: [expect.objectContaining({ newText: path })] });
  });

  it('a change on disk reaches who imports the file', async () => {
    const { client, uri, codes } = await start(spell);
    await codes(1);
    writeFileSync(pathOf(uri(partName)), '');
    await client.connection.sendNotification('workspace/didChangeWatchedFiles', {
      changes: [{ uri: uri(partName), type: 2 }],
    });
    await expect
      .poll(() => client.received.filter(m => m.method === 'textDocument/publishDiagnostics').at(-1)?.params)
      .toMatchObject({ uri: uri(mainName), diagnostics: expect.arrayContaining([expect.anything()]) });
  });
});

it('drives of Windows are one, whatever a client makes of the letter and its colon', () => {
  const spelled = ['file:///C:/w/a b.strata', 'file:///c%3A/w/a%20b.strata', 'file:///c:/w/a%20b.strata'];
  expect(new Set(spelled.map(canonicalUri)).size).toBe(1);
  expect(resolveUri('file:///C:/w/a.strata', '../x y/b.strata')).toBe('file:///c%3A/x%20y/b.strata');
  expect(relativePath('file:///c%3A/w/a.strata', 'file:///C:/x y/b.strata')).toBe('../x y/b.strata');
  expect(relativePath('file:///c%3A/w/a.strata', 'file:///d%3A/w/b.strata')).toBeUndefined();
});

it.each(['', 'nonsense', 'file:////x', 'untitled:Untitled-1', 'file:///w/%E0%A4%A.strata'])(
  'the spelling of %j is its own',
  uri => expect(canonicalUri(canonicalUri(uri))).toBe(canonicalUri(uri)),
);
