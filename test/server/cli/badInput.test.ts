/** What goes wrong around a run: one coded error each, naming the file and what to do, at once and without a stack. */

import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  cpSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import {
  LAST_CHECKPOINT,
  METRICS_FILE,
  readInfo,
  readMetrics,
  SOCKET_FILE,
} from '../../../engine/process/runFolder.ts';
import { events, examples, type Outcome, start, strata, temporaryFolder } from './cli.ts';

const first = readFileSync(join(examples, 'first.strata'), 'utf8');
const posix = process.platform !== 'win32';

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder.remove());
const at = (...names: string[]): string => join(folder.path, ...names);
const run = (...args: string[]): Promise<Outcome> => strata(args, folder.path);

/** The error of a command: the last event's or the one on stderr. */
function errorOf(outcome: Outcome): string {
  expect(outcome.err + outcome.out).not.toMatch(/^ {4}at /m);
  const done = events(outcome).at(-1);
  if (done?.type === 'done' && done.error) return `${done.error.code}: ${done.error.message}`;
  const [, code, message] = /error\[([\w-]+)\]: (.*)/.exec(outcome.err) ?? [];
  return `${code}: ${message}`;
}

describe('data files', () => {
  const u32 = (...values: number[]): Buffer => Buffer.from(Uint32Array.from(values).buffer).swap32();
  const images = (count: number, pixels = count * 4): Buffer =>
    Buffer.concat([u32(0x803, count, 2, 2), Buffer.alloc(pixels, 7)]);
  const labels = (count: number): Buffer =>
    Buffer.concat([u32(0x801, count), Buffer.from(Array.from({ length: count }, (_, i) => i % 3))]);
  const source = `data D = idx(images: "i", labels: "l") {
  image = image |> flatten
  split validation: 0.25
  batch 4
}
train t on D {
  minimize cross_entropy(image |> linear(3), label) using adam(lr: 0.01)
  epochs 1
}
`;
  const half = (bytes: Buffer): Buffer => bytes.subarray(0, bytes.length >> 1);
  const flipped = (bytes: Buffer): Buffer =>
    Buffer.from(bytes.map((byte, index) => (index === bytes.length - 6 ? byte ^ 255 : byte)));

  it.each<[string, Buffer | undefined, Buffer | undefined, RegExp]>([
    ['missing', undefined, labels(40), /^data-missing: i: no such file; check the path/],
    [
      'empty',
      Buffer.alloc(0),
      labels(40),
      /^data-\w+: i: expected data, found an empty file; copy or download it again/,
    ],
    [
      'truncated',
      images(40, 100),
      labels(40),
      /^data-malformed: i: expected 160 bytes of data, found 100; the file is truncated/,
    ],
    ['without its end as gzip', half(gzipSync(images(4000))), labels(4000), /^data-malformed: i: .*truncated/],
    [
      'damaged as gzip',
      flipped(gzipSync(images(4000))),
      labels(4000),
      /^data-malformed: i: expected a gzip stream, found damaged bytes/,
    ],
    [
      'truncated within gzip',
      gzipSync(images(40, 100)),
      labels(40),
      /^data-malformed: i: expected 160 bytes of data, found 100/,
    ],
    [
      'of another kind',
      Buffer.from('PNG and so on'),
      labels(40),
      /^data-malformed: i: expected an IDX file, .* found 50 4e 47 20/,
    ],
    [
      'of gigabytes by its header',
      u32(0x803, 2 ** 31, 2 ** 16, 2 ** 16),
      labels(40),
      /^data-malformed: i: expected at most \d+ bytes of data/,
    ],
    ['without samples', images(0), labels(0), /^data-malformed: i: expected samples, found dimensions 0 x 2 x 2/],
    ['swapped', labels(40), images(40), /^data-malformed: i: expected images, .* are images and labels swapped/],
    [
      'with too few labels',
      images(40),
      labels(39),
      /^data-malformed: l: expected 40 labels, one for each image of i, found 39/,
    ],
  ])('an IDX file %s', async (_name, image, label, message) => {
    writeFileSync(at('a.strata'), source);
    if (image !== undefined) writeFileSync(at('i'), image);
    if (label !== undefined) writeFileSync(at('l'), label);
    const outcome = await run('train', 'a.strata', '--device', 'cpu', '--json');
    expect(errorOf(outcome)).toMatch(message);
    expect([1, 3]).toContain(outcome.code);
  });

  const reading = (call: string): string =>
    `data D = ${call} {\n  batch 2\n}\ntrain t on D {\n  minimize mse(features |> linear(1), reshape(y, [B, 1])) using adam(lr: 0.01)\n  epochs 1\n}\n`;
  const parquet = new Uint8Array(parquetWriteBuffer({ columnData: [{ name: 'y', data: [1.5, 2.5] }] }));

  it.each<[string, string, Uint8Array | string, RegExp]>([
    [
      'a Parquet file that is cut',
      'parquet("t", target: "y")',
      parquet.subarray(0, -3),
      /^data-malformed: t: expected a Parquet file, found another end/,
    ],
    [
      'a Parquet file whose pages are damaged',
      'parquet("t", target: "y")',
      parquet.map((byte, at) => (at > 4 && at < 14 ? 255 : byte)),
      /^data-malformed: t: expected column "y" of a Parquet file, found damaged bytes/,
    ],
    [
      'a CSV taken for a Parquet file',
      'parquet("t", target: "y")',
      'a,y\n1,2\n',
      /^data-malformed: t: expected a Parquet file/,
    ],
    [
      'a Parquet file taken for a CSV',
      'csv("t", target: "y")',
      parquet,
      /^data-malformed: t: expected text in UTF-8, found other bytes/,
    ],
    [
      'a column of texts that is not there',
      'csv("t", target: "y", texts: "say")',
      'a,y\n1,2\n',
      /^data-malformed: t: expected a column "say", found a, y/,
    ],
  ])('%s', async (_name, call, bytes, message) => {
    writeFileSync(at('a.strata'), reading(call));
    writeFileSync(at('t'), bytes);
    expect(errorOf(await run('train', 'a.strata', '--device', 'cpu', '--json'))).toMatch(message);
  });

  it('labels of more classes than logits', async () => {
    writeFileSync(at('a.strata'), source.replace('linear(3)', 'linear(2)'));
    writeFileSync(at('i'), images(40));
    writeFileSync(at('l'), labels(40));
    expect(errorOf(await run('train', 'a.strata'))).toMatch(
      /^class-mismatch: expected 3 logits for labels of 3 classes .* found 2/,
    );
  });

  it.skipIf(!posix)('a pipe is refused, not waited for', async () => {
    writeFileSync(at('a.strata'), source);
    execFileSync('mkfifo', [at('i')]);
    writeFileSync(at('l'), labels(40));
    expect(errorOf(await run('train', 'a.strata'))).toMatch(
      /^data-malformed: i: expected a file, found a folder or a device/,
    );
  });

  it.skipIf(!posix)('a link that leads out of the workspace', async () => {
    mkdirSync(at('w'));
    writeFileSync(at('w', 'a.strata'), source);
    writeFileSync(at('i'), images(40));
    symlinkSync(at('i'), at('w', 'i'));
    writeFileSync(at('w', 'l'), labels(40));
    expect(errorOf(await strata(['check', 'a.strata'], at('w')).then(o => ({ ...o, err: o.out })))).toMatch(
      /: i: expected a file of the workspace/,
    );
  });

  it.each([
    ['batch 4', 'batch 400', /^batch-too-large: expected a batch of at most 30, .* found 400/],
    ['validation: 0.25', 'validation: 0.001', /^split-out-of-range: .* found 0\.001/],
    ['validation: 0.25', 'validation: 0.999', /^split-out-of-range: .* found 0\.999/],
  ])('%s instead of %s', async (right, wrong, message) => {
    writeFileSync(at('a.strata'), source.replace(right, wrong));
    writeFileSync(at('i'), images(40));
    writeFileSync(at('l'), labels(40));
    const outcome = await run('train', 'a.strata');
    expect(errorOf(outcome)).toMatch(message);
    expect(outcome.code).toBe(1);
  });

  const table = (row: string): string => `a,b,y\n${'0.5,0.25,1.5\n'.repeat(30)}${row}\n0.1,0.2,0.3\n`;
  it.each<[string, string | Buffer, RegExp]>([
    [
      'a gap',
      table('0.5,,1.5'),
      /^data-not-finite: t\.csv: expected numbers in "features", found NaN .* fill them in with fill_missing or leave the column out/,
    ],
    ['nan', table('0.5,nan,1.5'), /^data-not-finite: t\.csv: /],
    [
      'infinity',
      table('0.5,inf,1.5'),
      /^data-malformed: t\.csv, line 32, column "b": expected a number, found "inf" among 31 numbers/,
    ],
    [
      'a text',
      table('0.5,n.b.,1.5'),
      /^data-malformed: t\.csv, line 32, column "b": expected a number, found "n\.b\." .* mend the cell/,
    ],
    [
      'a number beyond f32',
      table('0.5,1e300,1.5'),
      /^data-not-finite: t\.csv: expected numbers in "features", found Infinity/,
    ],
    ['a short row', table('0.5,1'), /^data-malformed: t\.csv, line 32: expected 3 cells, found 2/],
    ['no target', table('0.5,1,'), /^data-malformed: t\.csv, line 32: expected a value for the target "y", found none/],
    ['UTF-16', Buffer.from(`\uFEFF${table('1,2,3')}`, 'utf16le'), /^data-malformed: t\.csv: expected text in UTF-8/],
    [
      'Latin-1',
      Buffer.from(table('1,2,3').replace('a,', 'ä,'), 'latin1'),
      /^data-malformed: t\.csv: expected text in UTF-8/,
    ],
  ])('a table with %s', async (_name, content, message) => {
    writeFileSync(at('t.csv'), content);
    writeFileSync(
      at('a.strata'),
      'data T = csv("t.csv", target: "y") {\n  batch 4\n}\ntrain t on T {\n  minimize mse(features |> linear(1) |> sum(axis: 1), y) using adam(lr: 0.01)\n  epochs 1\n}\n',
    );
    expect(errorOf(await run('train', 'a.strata', '--device', 'cpu', '--json'))).toMatch(message);
  });
});

describe('a loss that leaves the numbers', () => {
  it('stops with the last good weights and names the operation', async () => {
    writeFileSync(at('a.strata'), first.replace('step_decay(0.001, every: 5, gamma: 0.1)', '1e30'));
    const outcome = await run('train', 'a.strata', '--device', 'cpu', '--json', '--run', 'r');
    expect(outcome.code).toBe(3);
    expect(errorOf(outcome)).toMatch(
      /^not-finite: step 2: \w+ of net\.fc\d gave (-?Infinity|NaN); lower the learning rate, .* the weights of step 1 are kept in checkpoints\/last\.safetensors$/,
    );
    expect((await run('evaluate', 'r', '--json')).code).toBe(0);
  });
});

describe('data too large for single precision', () => {
  it('is not blamed on the learning rate, which no update has used yet', async () => {
    writeFileSync(at('t.csv'), `a,b,y\n${'3e20,1e20,0.5\n'.repeat(8)}`);
    writeFileSync(
      at('a.strata'),
      'data T = csv("t.csv", target: "y") {\n  batch 4\n}\ntrain t on T {\n  minimize mse(features |> linear(1) |> sum(axis: 1), y) using adam(lr: 0.01)\n  epochs 1\n}\n',
    );
    expect(errorOf(await run('train', 'a.strata', '--device', 'cpu', '--json'))).toMatch(
      /^not-finite: step 1: \w+ of mse gave Infinity; scale inputs and targets, as standardize does, or look for a logarithm or quotient of 0; the weights of step 0 are kept/,
    );
  });
});

describe('run folders', () => {
  const base = temporaryFolder();
  beforeAll(async () => {
    writeFileSync(join(base.path, 'first.strata'), first);
    await strata(['train', 'first.strata', '--device', 'cpu', '--steps', '20', '--run', 'r'], base.path);
  });
  afterAll(() => base.remove());
  beforeEach(() => {
    cpSync(base.path, folder.path, { recursive: true });
    const request = JSON.parse(readFileSync(at('r', 'request.json'), 'utf8')) as object;
    writeFileSync(
      at('r', 'request.json'),
      JSON.stringify({ ...request, workspace: folder.path, base: folder.path, steps: 40 }),
    );
  });

  const checkpoint = (): string => at('r', LAST_CHECKPOINT);
  const edit = (path: string, change: (bytes: Buffer) => Buffer): void =>
    writeFileSync(path, change(readFileSync(path)));
  const text =
    (from: RegExp, to: string) =>
    (bytes: Buffer): Buffer =>
      Buffer.from(bytes.toString().replace(from, to));
  /** The safetensors header with a change of its text, and its length made right. */
  const header =
    (change: (text: string) => string) =>
    (bytes: Buffer): Buffer => {
      const length = Number(bytes.readBigUInt64LE());
      const changed = Buffer.from(change(bytes.subarray(8, 8 + length).toString()));
      const prefix = Buffer.alloc(8);
      prefix.writeBigUInt64LE(BigInt(changed.length));
      return Buffer.concat([prefix, changed, bytes.subarray(8 + length)]);
    };
  const remedy = 'copy checkpoints/best\\.safetensors in its place and resume, or start the run anew$';

  it.each<[string, () => void, RegExp]>([
    [
      'a cut checkpoint',
      () => truncateSync(checkpoint(), 50_000),
      new RegExp(`^checkpoint-malformed: .*last.safetensors: .* the file is cut; ${remedy}`),
    ],
    [
      'an empty checkpoint',
      () => truncateSync(checkpoint(), 0),
      new RegExp(`^checkpoint-malformed: .* found 0; .*${remedy}`),
    ],
    [
      'a header of gigabytes',
      () => edit(checkpoint(), bytes => Buffer.concat([Buffer.from([0, 0, 0, 0, 2, 0, 0, 0]), bytes.subarray(8)])),
      /^checkpoint-malformed: .* expected a safetensors header of at most/,
    ],
    [
      'overlapping tensors',
      () =>
        edit(
          checkpoint(),
          header(t => t.replace(/"data_offsets":\[(\d+),(\d+)\]/, '"data_offsets":[4,$2]')),
        ),
      /^checkpoint-malformed: /,
    ],
    [
      'a checkpoint of another model',
      () =>
        edit(
          checkpoint(),
          header(t => t.replaceAll('net.fc1.bias', 'net.fc9.bias')),
        ),
      /^checkpoint-mismatch: .* expected "net\.fc1\.bias" \[128\], found no tensor of that name/,
    ],
    [
      'a folder in place of the checkpoint',
      () => {
        rmSync(checkpoint());
        mkdirSync(checkpoint());
      },
      /^checkpoint-malformed: .* expected a file/,
    ],
    [
      'a program that is nonsense',
      () => writeFileSync(at('r', 'program.json'), '{'),
      /^program-malformed: .*program\.json is not JSON; start the run anew/,
    ],
    [
      'a program of another op',
      () => edit(at('r', 'program.json'), text(/matmul/, 'matmulx')),
      /^program-malformed: .*program\.json: expected a graph .* matmulx/,
    ],
    [
      'a program of other sizes',
      () => edit(at('r', 'program.json'), text(/784/, '785')),
      /^program-malformed: .*program\.json: expected a graph .* 785/,
    ],
    [
      'no program',
      () => rmSync(at('r', 'program.json')),
      /^run-missing: .*program\.json: no such file; start the run anew/,
    ],
    [
      'no request',
      () => rmSync(at('r', 'request.json')),
      /^run-missing: .*request\.json: no such file; start the run anew/,
    ],
    [
      'a request that is nonsense',
      () => writeFileSync(at('r', 'request.json'), '[]'),
      /^program-malformed: .*request\.json: /,
    ],
    ['no identity', () => rmSync(at('r', 'run.json')), /^run-missing: r: expected a run folder/],
  ])('%s', async (_name, damage, message) => {
    const kept = readMetrics(at('r')).filter(event => event.type === 'step').length;
    damage();
    const outcome = await run('resume', 'r', '--json');
    expect(outcome.code).toBe(3);
    expect(errorOf(outcome)).toMatch(message);
    expect(readMetrics(at('r')).filter(event => event.type === 'step')).toHaveLength(kept);
  });

  it.each<[string, () => void]>([
    ['a cut tail', () => truncateSync(at('r', METRICS_FILE), readFileSync(at('r', METRICS_FILE)).length - 30)],
    [
      'bytes that are no text',
      () => appendFileSync(at('r', METRICS_FILE), Buffer.from(Array.from({ length: 999 }, (_, i) => (i * 73) % 256))),
    ],
    ['events without fields', () => appendFileSync(at('r', METRICS_FILE), '{"type":"step"}\n{"type":"done"}\n')],
  ])('metrics with %s are mended by the run that goes on', async (_name, damage) => {
    damage();
    expect((await run('resume', 'r', '--json')).code).toBe(0);
    const steps = readMetrics(at('r')).flatMap(event => (event.type === 'step' ? [event.step] : []));
    expect(steps).toEqual(Array.from({ length: 40 }, (_, step) => step + 1));
  });

  it('a finished run is finished again, with the same figures', async () => {
    rmSync(at('r'), { recursive: true });
    cpSync(join(base.path, 'r'), at('r'), { recursive: true });
    const before = readMetrics(at('r')).at(-1);
    const after = events(await run('resume', 'r', '--json')).at(-1);
    if (before?.type !== 'done' || after?.type !== 'done') throw new Error('a run did not end');
    expect(after).toMatchObject({ reason: 'finished', step: before.step, metrics: before.metrics });
  });

  it.skipIf(!posix)('a socket that another process has', async () => {
    rmSync(at('r', SOCKET_FILE), { force: true });
    const server = createServer().listen(at('r', SOCKET_FILE));
    onTestFinished(() => void server.close());
    await new Promise(resolve => server.once('listening', resolve));
    const outcome = await run('resume', 'r', '--json');
    expect(errorOf(outcome)).toMatch(/^socket-taken: .*engine\.sock: another process listens here; stop it/);
    expect(outcome.code).toBe(3);
  });

  it('a path too long for a socket', async () => {
    const outcome = await run(
      'train',
      'first.strata',
      '--device',
      'cpu',
      '--steps',
      '2',
      '--json',
      '--run',
      join('x'.repeat(120), 'y'.repeat(120)),
    );
    expect(outcome.code).toBe(0);
  });

  it.each(['f', join('f', 'x')])('a file in the way of the run folder %s', async name => {
    writeFileSync(at('f'), '');
    const outcome = await run('train', 'first.strata', '--device', 'cpu', '--run', name);
    expect(errorOf(outcome)).toMatch(
      /^run-missing: .* expected a folder, found a file on the way; choose another folder/,
    );
    expect(outcome.code).toBe(3);
  });

  it.skipIf(!posix || process.getuid?.() === 0)('a workspace that is read-only', async () => {
    chmodSync(folder.path, 0o500);
    onTestFinished(() => chmodSync(folder.path, 0o700));
    expect(errorOf(await run('train', 'first.strata', '--device', 'cpu'))).toMatch(
      /^run-missing: .* can't be written; check its permissions/,
    );
  });

  it('an engine that is killed under two watchers: both say what to do', async () => {
    writeFileSync(at('a.strata'), first.replace('epochs   10', 'epochs   5000').replace(/ {2}stop.*\n/, ''));
    const one = start(['train', 'a.strata', '--json', '--device', 'cpu', '--run', 'k'], folder.path);
    await one.event('epoch');
    const two = start(['attach', 'k', '--json'], folder.path);
    await two.event('step');
    process.kill(readInfo(at('k'))!.pid, 'SIGKILL');
    for (const { code, err } of [await one.ended, await two.ended]) {
      expect(code).toBe(3);
      expect(err).toMatch(/error\[engine-died\]: the engine died at step \d+; .* go on with "strata resume k"/);
    }
  });

  it('Ctrl-C while the engine starts leaves none behind', async () => {
    writeFileSync(at('a.strata'), first.replace('epochs   10', 'epochs   5000').replace(/ {2}stop.*\n/, ''));
    const running = start(['train', 'a.strata', '--json', '--device', 'cpu', '--run', 'k'], folder.path);
    while (readInfo(at('k')) === undefined) await new Promise(resolve => setTimeout(resolve, 5));
    running.signal('SIGINT');
    const outcome = await running.ended;
    expect(events(outcome).at(-1)).toMatchObject({ type: 'done', reason: 'stopped' });
  });

  it('no adapter for a run that wants one', async () => {
    const env = { ...process.env };
    onTestFinished(() => void Object.assign(process.env, env));
    process.env.VK_ICD_FILENAMES = at('none.json');
    const outcome = await run('train', 'first.strata', '--device', 'webgpu', '--json', '--run', 'g');
    expect(errorOf(outcome)).toMatch(/^no-adapter: .*cpu/);
    expect(outcome.code).toBe(3);
  });
});
