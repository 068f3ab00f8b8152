/** Analyses are made when asked for, kept while they hold, and made anew when something they read has changed. */
import { describe, expect, it } from 'vitest';
import type { SchemaResult } from '../../../server/lang/api.ts';
import type { ServerHost } from '../../../server/lsp/host.ts';
import { createWorkspace, type Workspace } from '../../../server/lsp/workspace.ts';

const net = 'model Net(x: [B, 4]) -> [B, 2] {\n  x |> linear(2)\n}\n';
const importing = 'import Net from "net.strata"\n\nmodel Two(x: [B, 4]) -> [B, 2] {\n  x |> Net\n}\n';

interface Disk {
  readonly files: Map<string, string>;
  schema: SchemaResult;
}

function setUp(files: Record<string, string> = {}): { readonly workspace: Workspace; readonly disk: Disk } {
  const disk: Disk = { files: new Map(Object.entries(files)), schema: { kind: 'schema', columns: [], samples: 1 } };
  const host: ServerHost = {
    setFolders: () => {},
    folders: () => ['/w'],
    langHost: openText => ({
      readText: uri => openText(uri) ?? disk.files.get(uri),
      readSchema: () => disk.schema,
    }),
    listFolder: () => [],
    linkTarget: () => undefined,
    sourceFiles: () => [...disk.files.keys()],
    trainingPlace: () => undefined,
    ownsRun: () => false,
  };
  return { workspace: createWorkspace(host), disk };
}

const open = (workspace: Workspace, uri: string, text: string) =>
  workspace.open({ uri, languageId: 'strata', version: 1, text });
const codes = (workspace: Workspace, uri: string) => workspace.analysis(uri)?.facts.map(f => f.code);

describe('analyses', () => {
  it('are the same until the text changes', () => {
    const { workspace } = setUp();
    open(workspace, 'file:///w/a.strata', net);
    const first = workspace.analysis('file:///w/a.strata');
    expect(workspace.analysis('file:///w/a.strata')).toBe(first);
    const stamp = workspace.stamp('file:///w/a.strata');
    workspace.change('file:///w/a.strata', 2, [{ text: `${net}\n` }], 'utf-16');
    expect(workspace.analysis('file:///w/a.strata')).not.toBe(first);
    expect(workspace.stamp('file:///w/a.strata')).not.toBe(stamp);
  });

  it('of an importing file follow the text that is open, not the one on disk', () => {
    const { workspace } = setUp({ 'file:///w/net.strata': net });
    open(workspace, 'file:///w/a.strata', importing);
    expect(codes(workspace, 'file:///w/a.strata')).toEqual([]);
    open(workspace, 'file:///w/net.strata', net.replace('[B, 2]', '[B, 3]').replace('linear(2)', 'linear(3)'));
    expect(workspace.dependents('file:///w/net.strata')).toEqual(['file:///w/a.strata']);
    expect(codes(workspace, 'file:///w/a.strata')).toContain('shape-mismatch');
    workspace.close('file:///w/net.strata');
    expect(codes(workspace, 'file:///w/a.strata')).toEqual([]);
  });

  it('follow data files that change on disk', () => {
    const { workspace, disk } = setUp();
    const uri = 'file:///w/a.strata';
    open(workspace, uri, 'data D = csv("a.csv") {\n  batch 1\n}\n');
    expect(codes(workspace, uri)).toEqual([]);
    disk.schema = { kind: 'problem', code: 'data-missing', message: 'a.csv: no such file' };
    expect(workspace.changedOnDisk(['file:///w/a.csv'])).toEqual([uri]);
    expect(codes(workspace, uri)).toEqual(['data-missing']);
  });

  it('without data files are left alone by what happens on disk', () => {
    const { workspace } = setUp();
    open(workspace, 'file:///w/a.strata', net);
    expect(workspace.changedOnDisk(['file:///w/a.csv', 'file:///w/other.strata'])).toEqual([]);
  });

  it('are made again after whatever may have happened on disk, if they import or are closed', () => {
    const { workspace } = setUp({ 'file:///w/net.strata': net });
    open(workspace, 'file:///w/a.strata', importing);
    open(workspace, 'file:///w/b.strata', 'const c = 1\n');
    for (const uri of workspace.uris()) workspace.analysis(uri);
    const stamp = workspace.stamp('file:///w/net.strata');
    expect(workspace.changedOnDisk('anything')).toEqual(['file:///w/a.strata']);
    expect(workspace.stamp('file:///w/net.strata')).not.toBe(stamp);
  });

  it('of files that name something hold the closed ones as well', () => {
    const { workspace } = setUp({ 'file:///w/net.strata': net, 'file:///w/c.strata': 'const c = 1\n' });
    open(workspace, 'file:///w/a.strata', importing);
    const found = [...workspace.filesWith((_, text) => text.includes('Net'))];
    expect(found.map(a => a.uri).sort()).toEqual(['file:///w/a.strata', 'file:///w/net.strata']);
  });

  it('of closed files have a stamp that changes with what they import', () => {
    const { workspace } = setUp({ 'file:///w/net.strata': net, 'file:///w/a.strata': importing });
    workspace.analysis('file:///w/a.strata');
    const stamp = workspace.stamp('file:///w/a.strata');
    open(workspace, 'file:///w/net.strata', `${net}\n`);
    expect(workspace.stamp('file:///w/a.strata')).not.toBe(stamp);
  });

  it('of many closed files are not all kept', () => {
    const large = `${net}// ${'x'.repeat(100_000)}\n`;
    const files = Object.fromEntries(Array.from({ length: 5 }, (_, i) => [`file:///w/${i}.strata`, large]));
    const { workspace } = setUp(files);
    const first = workspace.analysis('file:///w/0.strata');
    for (const uri of Object.keys(files).slice(1)) workspace.analysis(uri);
    expect(workspace.analysis('file:///w/0.strata')).not.toBe(first);
    expect(workspace.analysis('file:///w/0.strata')).toBe(workspace.analysis('file:///w/0.strata'));
  });
});

it('texts that the client hands over are read as if they were on disk', () => {
  const { workspace } = setUp();
  open(workspace, 'vfs://h/w/a.strata', importing);
  expect(codes(workspace, 'vfs://h/w/a.strata')).toContain('invalid-import');
  expect(workspace.provide([{ uri: 'vfs://h/w/net.strata', text: net }])).toEqual(['vfs://h/w/a.strata']);
  expect(codes(workspace, 'vfs://h/w/a.strata')).toEqual([]);
  expect(workspace.uris()).toContain('vfs://h/w/net.strata');
  workspace.provide([{ uri: 'vfs://h/w/net.strata' }]);
  expect(codes(workspace, 'vfs://h/w/a.strata')).toContain('invalid-import');
});

describe('declared names', () => {
  it('follow open texts and the disk', () => {
    const { workspace, disk } = setUp({ 'file:///w/net.strata': net });
    const names = () => [...workspace.declared()].flatMap(f => f.declared.map(d => d.name));
    expect(names()).toEqual(['Net']);
    open(workspace, 'file:///w/net.strata', net.replace('Net', 'Open'));
    expect(names()).toEqual(['Open']);
    workspace.close('file:///w/net.strata');
    disk.files.set('file:///w/net.strata', net.replace('Net', 'Saved'));
    workspace.changedOnDisk(['file:///w/net.strata']);
    expect(names()).toEqual(['Saved']);
  });
});

it('a change to a document that is not open is none', () => {
  expect(setUp().workspace.change('file:///w/a.strata', 1, [{ text: '' }], 'utf-16')).toBe(false);
});
