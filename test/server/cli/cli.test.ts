/** The command line as its users meet it: the built program, real files, real engines. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readMetrics } from '../../../engine/process/runFolder.ts';
import { events, examples, start, strata, temporaryFolder } from './cli.ts';

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder.remove());

const first = readFileSync(join(examples, 'first.strata'), 'utf8');
const write = (name: string, text: string): void => writeFileSync(join(folder.path, name), text);
const run = (...args: string[]) => strata(args, folder.path);

describe('check', () => {
  it('is content with the example', async () => {
    write('first.strata', first);
    expect(await run('check', 'first.strata')).toEqual({
      code: 0,
      out: '1 file checked: 0 errors, 0 warnings\n',
      err: '',
    });
  });

  it('shows a mistake where it is and exits with 1', async () => {
    write('bad.strata', first.replace('fc2 = linear(10)', 'fc2 = linear(11)'));
    const { code, out } = await run('check', 'bad.strata');
    expect(code).toBe(1);
    expect(out).toContain('error[shape-mismatch]: ');
    expect(out).toMatch(/bad\.strata:\d+:\d+/);
    expect(out).toContain('^');
    expect(out).toContain('1 error, 0 warnings');
  });

  it('as JSON lists file, range, severity, code, message and related', async () => {
    write('bad.strata', first.replace('fc2 = linear(10)', 'fc2 = linear(11)'));
    const { code, out } = await run('check', 'bad.strata', '--format', 'json');
    expect(code).toBe(1);
    expect(JSON.parse(out)).toEqual([
      expect.objectContaining({
        file: 'bad.strata',
        severity: 'error',
        code: 'shape-mismatch',
        message: expect.any(String),
        related: expect.any(Array),
        range: { start: { line: expect.any(Number), column: expect.any(Number) }, end: expect.anything() },
      }),
    ]);
  });

  it.each([
    ['shapes', '// [B, 784] -> [B, 128]'],
    ['outline', 'FLOPs a sample'],
    ['graph', 'graph train {'],
    ['kernels', 'matmul'],
    ['plan', 'peak memory'],
  ])('emits %s', async (what, text) => {
    write('first.strata', first);
    const { code, out } = await run('check', 'first.strata', '--emit', what);
    expect(code).toBe(0);
    expect(out).toContain(text);
  });

  it.each([
    [['check', 'none.strata'], 3, 'error[data-missing]: none.strata: expected a .strata file, found none'],
    [['check'], 2, "missing required argument 'files'"],
    [['chekc', 'a'], 2, 'Did you mean check?'],
    [['train', 'first.strata', '--epochs', '0'], 2, 'at least 1'],
    [['train', 'first.strata', '--epochs', '1', '--steps', '1'], 2, 'expected one of --epochs and --steps, found both'],
    [['train', 'first.strata', 'other'], 2, 'expected one of the train blocks digits, found other'],
    [['resume', 'nowhere'], 3, 'error[run-missing]: nowhere'],
    [['attach', 'nowhere'], 3, 'error[run-missing]: nowhere'],
    [['evaluate', 'nowhere'], 3, 'error[run-missing]: nowhere'],
    [['lsp'], 2, 'expected --stdio'],
  ] as const)('%j fails with %i: %s', async (args, code, message) => {
    write('first.strata', first);
    const outcome = await run(...args);
    expect(outcome.err).toContain(message);
    expect(outcome.code).toBe(code);
  });
});

describe('fmt', () => {
  it('rewrites what is not canonical, and only then', async () => {
    write('a.strata', first.replace('  fc1 = linear(128)', 'fc1=linear( 128 )'));
    expect(await run('fmt', '--check', 'a.strata')).toMatchObject({ code: 1, out: 'a.strata is not formatted\n' });
    expect(await run('fmt', 'a.strata')).toMatchObject({ code: 0 });
    expect(readFileSync(join(folder.path, 'a.strata'), 'utf8')).toBe(first);
    expect(await run('fmt', '--check', 'a.strata')).toEqual({ code: 0, out: '', err: '' });
  });
});

describe('train', () => {
  it('streams JSON lines from start to done, and keeps them in the run folder', async () => {
    write('first.strata', first);
    const outcome = await run('train', 'first.strata', '--epochs', '2', '--device', 'cpu', '--json', '--run', 'r');
    expect(outcome).toMatchObject({ code: 0, err: '' });
    const all = events(outcome);
    expect(all[0]).toMatchObject({ type: 'start', name: 'digits', epochs: 2, steps: 126, backend: 'wasm' });
    expect(all.filter(e => e.type === 'step')).toHaveLength(126);
    expect(all.filter(e => e.type === 'epoch')).toHaveLength(2);
    expect(all.at(-1)).toMatchObject({
      type: 'done',
      reason: 'finished',
      checkpoint: expect.any(String),
      device: expect.any(String),
      stepsPerSecond: expect.any(Number),
      metrics: { loss: expect.any(Number), 'test.accuracy': expect.any(Number) },
    });
    const kept = readMetrics(join(folder.path, 'r'));
    expect(kept.filter(e => e.type !== 'state' || e.state !== 'starting')).toEqual(all);
    const again = await run('train', 'first.strata', '--run', 'r');
    expect(again).toMatchObject({ code: 3, err: expect.stringContaining('error[run-busy]') });
  });

  it('same seed, same curve, bit for bit; another seed, another curve', async () => {
    write('first.strata', first);
    const losses = async (seed: string): Promise<number[]> => {
      const outcome = await run('train', 'first.strata', '--steps', '40', '--device', 'cpu', '--seed', seed, '--json');
      return events(outcome).flatMap(e => (e.type === 'step' ? [e.loss] : []));
    };
    const [one, two, other] = [await losses('7'), await losses('7'), await losses('8')];
    expect(one).toHaveLength(40);
    expect(two).toEqual(one);
    expect(other).not.toEqual(one);
  });

  it('does not train a program with errors', async () => {
    write('bad.strata', first.replace('linear(10)', 'linear(11)'));
    const { code, err, out } = await run('train', 'bad.strata');
    expect(code).toBe(1);
    expect(err).toContain('error[shape-mismatch]');
    expect(out).toBe('');
    expect(existsSync(join(folder.path, '.strata'))).toBe(false);
  });

  it('says what only shows when the program is lowered', async () => {
    const text =
      'model Net(x: [B, 2], act: layer) -> [B, 2] {\n  x |> linear(2) |> act\n}\ndata D = moons() {\n  batch 8\n}\ntrain t on D {\n  net = Net(act: dropout(2))\n  minimize cross_entropy(net(point), label) using adam()\n  epochs 1\n}\n';
    write('a.strata', text);
    const { code, err } = await run('train', 'a.strata');
    expect(code).toBe(1);
    expect(err).toContain('expected a rate of at least 0 and below 1 for dropout, found 2');
  });

  it('Ctrl-C stops with a checkpoint; resume goes on to the same end', async () => {
    write('first.strata', first.replace('epochs   10', 'epochs   60').replace(/ {2}stop.*\n/, ''));
    const running = start(['train', 'first.strata', '--json', '--device', 'cpu', '--run', 'r'], folder.path);
    await running.event('epoch', e => e.epoch === 3);
    running.signal('SIGINT');
    const stopped = await running.ended;
    expect(events(stopped).at(-1)).toMatchObject({ type: 'done', reason: 'stopped', checkpoint: expect.any(String) });
    expect(stopped.code).toBe(0);
    const resumed = await run('resume', 'r', '--json');
    expect(events(resumed)[0]).toMatchObject({ type: 'start', fromStep: expect.any(Number) });
    expect(events(resumed).at(-1)).toMatchObject({ type: 'done', reason: 'finished', epoch: 60 });
    const whole = await run('train', 'first.strata', '--json', '--device', 'cpu', '--run', 'whole');
    const losses = (name: string): number[] =>
      readMetrics(join(folder.path, name)).flatMap(e => (e.type === 'step' ? [e.loss] : []));
    expect(losses('r')).toEqual(losses('whole'));
    expect(whole.code).toBe(0);
  }, 60_000);

  it('can be followed and stopped from another terminal', async () => {
    write('first.strata', first.replace('epochs   10', 'epochs   5000').replace(/ {2}stop.*\n/, ''));
    const running = start(['train', 'first.strata', '--json', '--device', 'cpu', '--run', 'r'], folder.path);
    await running.event('step');
    const other = start(['attach', 'r', '--json'], folder.path);
    expect(await other.event('start')).toMatchObject({ name: 'digits' });
    await other.event('epoch');
    running.signal('SIGINT');
    expect((await other.event('done')).reason).toBe('stopped');
    expect((await other.ended).code).toBe(0);
    await running.ended;
  }, 60_000);

  it('a sweep makes a run of each combination, then fine-tunes from the last of them', async () => {
    const train = (name: string, lines: string) => `train ${name} on D {\n  ${lines}\n  steps 2\n  device cpu\n}\n`;
    const data = 'data D = moons() {\n  split validation: 0.1\n  batch 64\n}\n';
    const objective = 'minimize cross_entropy(point |> net |> relu |> linear(2), label) using adam(lr: ';
    const sweep = train('wide', `sweep rate: [0.1, 0.01]\n  net = linear(8)\n  ${objective}rate)`);
    const tuned = train('tuned', `net = linear(8)\n  init net from "wide"\n  freeze net\n  ${objective}0.1)`);
    write('sweep.strata', data + sweep);
    const { code, err } = await run('train', 'sweep.strata');
    expect([code, err]).toEqual([0, '']);
    const { out } = await run('runs');
    expect(out).toMatch(/rate=0\.01 [\s\S]*rate=0\.1 /);
    write('tuned.strata', data + tuned);
    expect(await run('train', 'tuned.strata', '--run', 'tuned')).toMatchObject({ code: 0 });
    const program = readFileSync(join(folder.path, 'tuned', 'program.json'), 'utf8');
    expect(program).toMatch(/"from": ".*-wide(-2)?\/checkpoints\/best\.safetensors"/);
    write('wrong.strata', data + tuned.replace('linear(8)', 'linear(9)'));
    expect(await run('check', 'wrong.strata')).toMatchObject({ code: 1, out: expect.stringContaining('[9, 2]') });
  });

  it('writes text with a run, and predicts with another', async () => {
    write(
      'made.strata',
      'data D = sequences(samples: 200, length: 8, symbols: 5) { batch 20 }\ntrain t on D {\n  logits = tokens |> embedding(8) |> gru(8) |> linear(5)\n  minimize cross_entropy(logits, next) using adam()\n  epochs 1\n}\n',
    );
    expect(await run('train', 'made.strata', '--run', 'made')).toMatchObject({ code: 0 });
    const wishes = '--tokens 6 --temperature 0.5 --top-k 2'.split(' ');
    const written = await run('generate', 'made', '--prompt', '1 2', ...wishes);
    expect([written.code, written.err]).toEqual([0, '']);
    expect(written.out).toMatch(/^1 2( [0-4]){6}\n$/);
    const again = await run('generate', 'made', '--prompt', '1 2', ...wishes, '--json');
    expect(JSON.parse(again.out)).toEqual({ text: written.out.trimEnd() });
    expect(await run('generate', 'made', '--prompt', '9')).toMatchObject({
      code: 3,
      err: expect.stringContaining('found 9'),
    });
    expect(await run('generate', 'made', '--temperature', '-1')).toMatchObject({ code: 2 });
    write(
      'rows.csv',
      `x,kind\n${Array.from({ length: 40 }, (_, i) => `${i},${i < 20 ? 'low' : 'high'}`).join('\n')}\n`,
    );
    write(
      'rows.strata',
      'data R = csv("rows.csv", target: "kind") {\n  features = features |> standardize\n  batch 20\n}\ntrain t on R {\n  minimize cross_entropy(features |> linear(2), kind) using adam(lr: 0.1)\n  epochs 40\n}\n',
    );
    expect(await run('train', 'rows.strata', '--run', 'rows')).toMatchObject({ code: 0 });
    write('new.csv', 'x\n1\n38\n');
    expect((await run('predict', 'rows', 'new.csv')).out).toMatch(
      /^new\.csv:1 {2}kind low [\d.]+% .*\nnew\.csv:2 {2}kind high [\d.]+% .*\n$/,
    );
    const lines = (await run('predict', 'rows', 'new.csv', '--json')).out
      .trim()
      .split('\n')
      .map(line => JSON.parse(line));
    expect(lines.map(({ row, said }) => [row, said.kind.name])).toEqual([
      [1, 'low'],
      [2, 'high'],
    ]);
    expect(await run('predict', 'rows', 'none.csv')).toMatchObject({
      code: 3,
      err: expect.stringContaining('none.csv: no such file'),
    });
  }, 60_000);

  it('ends with the tables of its reports, as an evaluation does', async () => {
    write('first.strata', first.replace('accuracy(logits, label)', 'confusion(logits, label)'));
    const all = events(await run('train', 'first.strata', '--epochs', '1', '--device', 'cpu', '--json', '--run', 'r'));
    const done = all.at(-1);
    if (done?.type !== 'done') throw new Error('no end');
    expect(Object.keys(done.tables ?? {})).toEqual(['validation.confusion', 'test.confusion']);
    const table = done.tables!['test.confusion']!;
    const [whole, right] = [table.flat(), table.map((row, i) => row[i]!)].map(s => s.reduce((sum, v) => sum + v, 0));
    expect(whole).toBeCloseTo(1, 6);
    expect(right).toBeCloseTo(done.metrics['test.confusion']!, 6);
    const evaluated = await run('evaluate', 'r', '--split', 'test');
    expect(evaluated.out).toContain('confusion: targets down, predictions across, % of each target');
  });

  it('calls the classes of a table by their names, where the data has them', async () => {
    const table = readFileSync(join(examples, 'blossoms.strata'), 'utf8').replace('accuracy(', 'confusion(');
    write('table.strata', table.replace('data/blossoms.csv', 'blossoms.csv'));
    write('blossoms.csv', readFileSync(join(examples, 'data/blossoms.csv'), 'utf8'));
    const trained = await run('train', 'table.strata', '--epochs', '1', '--device', 'cpu', '--json', '--run', 'r');
    const done = events(trained).at(-1);
    const names = done?.type === 'done' ? done.classes?.confusion : undefined;
    expect(names).toEqual(['bellflower', 'daisy', 'primrose']);
    const { out } = await run('evaluate', 'r', '--split', 'test');
    const lines = out.slice(out.indexOf('confusion: targets')).trimEnd().split('\n');
    expect(lines[1]!.trim().split(/ +/)).toEqual(names);
    expect(lines.slice(2).map(line => line.trim().split(/ +/)[0])).toEqual(names);
    expect(new Set(lines.slice(1).map(line => line.length)).size).toBe(1);
  });

  it('ends quietly when its reader has seen enough', () => {
    const command = `"${process.execPath}" dist/cli.js check examples/gpt.strata --emit kernels | head -n 1`;
    const { stdout, stderr } = spawnSync('/bin/sh', ['-c', command], { cwd: join(examples, '..'), encoding: 'utf8' });
    expect(stdout).toBe('// train gpt\n');
    expect(stderr).not.toMatch(/EPIPE|Error/);
  }, 60_000);

  it('exports a run, and does not mix it with other files', async () => {
    write(
      'm.strata',
      'data D = moons() { batch 50 }\ntrain t on D {\n  minimize cross_entropy(point |> linear(2), label) using adam()\n  steps 2\n}\n',
    );
    expect(await run('train', 'm.strata', '--run', 'r')).toMatchObject({ code: 0 });
    expect(await run('export', 'pytorch', 'r', '--out', 'there')).toMatchObject({ code: 0, err: '' });
    for (const name of ['model.py', 'run.py', 'weights.safetensors', 'example.safetensors'])
      expect(existsSync(join(folder.path, 'there', name))).toBe(true);
    expect(await run('export', 'pytorch', 'r', '--out', 'there')).toMatchObject({ code: 0 });
    expect(await run('export', 'pytorch', 'r', '--out', '.')).toMatchObject({
      code: 3,
      err: expect.stringContaining('other files'),
    });
    expect(await run('export', 'onnx', 'r')).toMatchObject({ code: 2 });
  }, 60_000);

  it('evaluates a run, and lists it', async () => {
    write('first.strata', first);
    const trained = await run('train', 'first.strata', '--epochs', '3', '--device', 'cpu', '--json');
    const done = events(trained).at(-1);
    if (done?.type !== 'done') throw new Error('the run did not end');
    const listed = JSON.parse((await run('runs', '--json')).out) as { id: string; state: string }[];
    expect(listed).toEqual([expect.objectContaining({ state: 'finished', name: 'digits', source: 'first.strata' })]);
    const evaluated = JSON.parse((await run('evaluate', listed[0]!.id, '--split', 'test', '--json')).out) as {
      metrics: Record<string, number>;
    };
    expect(evaluated.metrics.accuracy).toBeCloseTo(done.metrics['test.accuracy']!, 5);
  });
});
