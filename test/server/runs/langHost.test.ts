import { mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { encode } from 'fast-png';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Call } from '../../../engine/ir/program.ts';
import { encodeSafetensors } from '../../../engine/train/safetensors.ts';
import { runSchemaJob } from '../../../server/data/schemaJob.ts';
import type { SchemaResult } from '../../../server/lang/api.ts';
import { analyzeSettled, createLangHost, type DiskHost } from '../../../server/runs/langHost.ts';

let outer: string;
let workspace: string;
beforeEach(() => {
  outer = mkdtempSync(join(tmpdir(), 'strata-host-'));
  workspace = join(outer, 'ws');
  mkdirSync(workspace);
});
afterEach(() => rmSync(outer, { recursive: true, force: true }));

const uri = (name: string): string => pathToFileURL(join(workspace, name)).href;
const host = (open: Record<string, string> = {}) =>
  createLangHost({
    run: runSchemaJob,
    workspaceOf: u => (u.startsWith('file:') ? workspace : undefined),
    openText: u => open[u],
  });
/** Once it is read. */
async function schemaOf(h: DiskHost, source: Call, from = uri('m.strata')): Promise<SchemaResult> {
  h.readSchema(source, from);
  await h.schemas.settled();
  return h.readSchema(source, from);
}
/** After the change of a file. */
async function lookedAgain(h: DiskHost, source: Call): Promise<SchemaResult> {
  h.schemas.lookAgain();
  await h.schemas.settled();
  return h.readSchema(source, uri('m.strata'));
}
const csv = (file: string) => ({ name: 'csv', args: { path: file } });

describe('schemas', () => {
  it('come from real files and follow their changes', async () => {
    const file = join(workspace, 'a.csv');
    writeFileSync(file, 'x,y\n1,2\n3,4\n');
    const h = host();
    const first = await schemaOf(h, csv('a.csv'));
    expect(first).toMatchObject({ kind: 'schema', samples: 2, columns: [{ name: 'x' }, { name: 'y' }] });
    expect(await lookedAgain(h, csv('a.csv'))).toBe(first);
    writeFileSync(file, 'x\n1\n2\n3\n');
    utimesSync(file, 1, 1);
    expect(await lookedAgain(h, csv('a.csv'))).toMatchObject({ samples: 3, columns: [{ name: 'x' }] });
  });

  it('of a folder per class follow what comes to its folders', async () => {
    const [yes, no] = ['yes', 'no'].map(label => join(workspace, 'photos', label));
    for (const folder of [yes!, no!]) mkdirSync(folder, { recursive: true });
    const grey = encode({ width: 2, height: 1, channels: 1, data: Uint8Array.of(1, 2) });
    for (const folder of [yes!, no!]) writeFileSync(join(folder, 'a.png'), grey);
    const h = host();
    const images = { name: 'images', args: { path: 'photos' } };
    const first = await schemaOf(h, images);
    expect(first).toMatchObject({ samples: 2, columns: [{ shape: [1, 1, 2] }, { classNames: ['no', 'yes'] }] });
    expect(await lookedAgain(h, images)).toBe(first);
    writeFileSync(join(yes!, 'b.png'), grey);
    utimesSync(yes!, 1, 1);
    expect(await lookedAgain(h, images)).toMatchObject({ samples: 3 });
  });

  it('type a test set that lacks classes of the training set', async () => {
    writeFileSync(join(workspace, 'train.csv'), 'x,k\n1.5,a\n2.5,b\n3.5,c\n');
    writeFileSync(join(workspace, 'test.csv'), 'x,k\n1.5,a\n2.5,c\n');
    const text = 'data D = csv("train.csv") {\n  test csv("test.csv")\n  batch 2\n}\n';
    expect((await analyzeSettled(uri('m.strata'), text, host())).facts).toEqual([]);
  });

  it.each([
    ['a file that is not there', 'none.csv', 'data-missing', 'none.csv: no such file'],
    ['a path out of the workspace', '../secret.csv', 'data-malformed', 'leads out of it'],
    ['a link out of the workspace', 'link.csv', 'data-malformed', 'leads out of it'],
    [
      'an address of no file',
      'ftp://example.org/a.csv',
      'data-malformed',
      'expected a file of the workspace or an http',
    ],
    ['an address without a checksum', 'https://example.org/a.csv', 'data-missing', 'expected a checksum'],
    ['an address not fetched yet', `https://example.org/a.csv#sha256=${'0'.repeat(64)}`, 'data-missing', 'not fetched'],
  ])('%s is a problem, not a crash', async (_title, path, code, message) => {
    writeFileSync(join(outer, 'secret.csv'), 'password\n1\n');
    symlinkSync(join(outer, 'secret.csv'), join(workspace, 'link.csv'));
    const result = await schemaOf(host(), csv(path));
    expect(result).toMatchObject({
      kind: 'problem',
      code,
      argument: 'path',
      message: expect.stringContaining(message),
    });
  });

  it('an untitled text may use procedural data but no files', () => {
    expect(host().readSchema({ name: 'digits', args: {} }, 'untitled:Untitled-1')).toMatchObject({ kind: 'schema' });
    expect(host().readSchema(csv('a.csv'), 'untitled:Untitled-1')).toMatchObject({
      kind: 'problem',
      code: 'data-missing',
    });
  });
});

describe('imported texts', () => {
  it('come from the editor first, then from the workspace alone', () => {
    writeFileSync(join(workspace, 'a.strata'), 'on disk');
    writeFileSync(join(outer, 'b.strata'), 'outside');
    expect(host().readText(uri('a.strata'))).toBe('on disk');
    expect(host({ [uri('a.strata')]: 'open' }).readText(uri('a.strata'))).toBe('open');
    expect(host().readText(uri('../b.strata'))).toBeUndefined();
    expect(host().readText(uri('none.strata'))).toBeUndefined();
  });
});

describe('weights', () => {
  const save = (folder: string, name: string, width: number, started: number, checkpoint = true): void => {
    const run = join(workspace, '.strata', 'runs', folder);
    mkdirSync(join(run, 'checkpoints'), { recursive: true });
    writeFileSync(join(run, 'run.json'), JSON.stringify({ name, source: 'a.strata', started }));
    const tensors = new Map([['fc.weight', { shape: [width], data: new Float32Array(width) }]]);
    const bytes = Buffer.concat(encodeSafetensors({ tensors, metadata: {} }));
    if (checkpoint) writeFileSync(join(run, 'checkpoints', 'last.safetensors'), bytes);
    writeFileSync(join(workspace, `${folder}.safetensors`), bytes);
  };
  const shapes = (from: string) => {
    const result = host().readWeights?.(from, uri('m.strata'));
    return result?.kind === 'weights' ? Object.fromEntries(result.shapes) : result;
  };

  it('are those of the newest run of that name with a checkpoint, of a run by its id, or of a file', () => {
    save('1-pretrain', 'pretrain', 2, 1);
    save('2-pretrain', 'pretrain', 3, 2);
    save('3-pretrain', 'pretrain', 4, 3, false);
    save('4-other', 'other', 5, 4);
    expect(shapes('pretrain')).toEqual({ 'fc.weight': [3] });
    expect(shapes('1-pretrain')).toEqual({ 'fc.weight': [2] });
    expect(shapes('4-other.safetensors')).toEqual({ 'fc.weight': [5] });
  });

  it('that are not there, cut or outside of the workspace are told, not thrown', () => {
    writeFileSync(join(workspace, 'cut.safetensors'), 'abc');
    writeFileSync(join(outer, 'far.safetensors'), 'abc');
    mkdirSync(join(workspace, 'folder.safetensors'));
    expect(shapes('pretrain')).toMatchObject({ kind: 'problem', code: 'data-missing' });
    expect(shapes('none.safetensors')).toMatchObject({ kind: 'problem', code: 'data-missing' });
    expect(shapes('../far.safetensors')).toMatchObject({ kind: 'problem', code: 'data-missing' });
    for (const name of ['cut', 'folder'])
      expect(shapes(`${name}.safetensors`)).toMatchObject({ kind: 'problem', code: 'data-malformed' });
  });
});
