/** Schemas come in the background: asked for at each keystroke, read once, kept until files say otherwise. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runSchemaJob, type SchemaAnswer, type SchemaJob } from '../../../server/data/schemaJob.ts';
import { createSchemaStore, type SchemaStore } from '../../../server/data/schemaStore.ts';
import { createSchemaWorker } from '../../../server/data/schemaWorker.ts';

const csv = (path: string) => ({ name: 'csv', args: { path } });
const uri = 'file:///w/a.strata';
const schema = (samples: number) => ({ kind: 'schema', columns: [], samples }) as const;

/** A store whose jobs are answered by hand. */
function byHand() {
  const jobs: { readonly job: SchemaJob; readonly answer: (answer: SchemaAnswer | Error) => void }[] = [];
  const arrivals: (readonly string[])[] = [];
  let wake = (): void => {};
  const store = createSchemaStore({
    placeOf: u => (u.startsWith('file:') ? { workspace: '/w', base: '/w' } : undefined),
    arrived: uris => arrivals.push(uris),
    run: job =>
      new Promise((resolve, reject) => {
        jobs.push({ job, answer: a => (a instanceof Error ? reject(a) : resolve(a)) });
        wake();
      }),
  });
  /** The next job that is begun. */
  const next = async () => {
    while (jobs.length === 0) await new Promise<void>(resolve => (wake = resolve));
    return jobs.shift()!;
  };
  return { store, next, arrivals };
}

const known = (store: SchemaStore, path = 'a.csv') => store.read(csv(path), uri);

describe('a schema', () => {
  it('is pending until it is read, and whoever asked is told once', async () => {
    const { store, next, arrivals } = byHand();
    expect(known(store)).toEqual({ kind: 'pending' });
    expect(known(store)).toBe(known(store));
    store.read(csv('a.csv'), 'file:///w/b.strata');
    expect(store.waiting).toBe(true);
    (await next()).answer({ stamp: '1', result: schema(5) });
    await store.settled();
    expect(store.waiting).toBe(false);
    expect(known(store)).toEqual(schema(5));
    expect(arrivals).toEqual([[uri, 'file:///w/b.strata']]);
  });

  it('is kept while its file is looked at again, and nobody is told of what stays the same', async () => {
    const { store, next, arrivals } = byHand();
    known(store);
    (await next()).answer({ stamp: '1', result: schema(5) });
    await store.settled();
    store.lookAgain();
    const again = await next();
    expect(again.job.stamp).toBe('1');
    expect(known(store)).toEqual(schema(5));
    expect(store.waiting).toBe(false);
    again.answer({ stamp: '1' });
    await store.settled();
    store.lookAgain();
    (await next()).answer({ stamp: '2', result: schema(6) });
    await store.settled();
    expect(known(store)).toEqual(schema(6));
    expect(arrivals).toHaveLength(2);
  });

  it('whose file changes while it is read is read once more', async () => {
    const { store, next } = byHand();
    known(store);
    const first = await next();
    store.lookAgain();
    first.answer({ stamp: '1', result: schema(5) });
    (await next()).answer({ stamp: '2', result: schema(6) });
    await store.settled();
    expect(known(store)).toEqual(schema(6));
  });

  it('that was asked for last is read first, and of many edits only the latest are', async () => {
    const { store, next } = byHand();
    known(store, 'first');
    const running = await next();
    for (let i = 0; i < 100; i++) known(store, `edit ${i}`);
    running.answer({ stamp: '1', result: schema(0) });
    const order: string[] = [];
    for (let i = 0; i < 32; i++) {
      const { job, answer } = await next();
      order.push(String(job.source.args.path));
      answer({ stamp: '1', result: schema(i) });
    }
    await store.settled();
    expect(order).toEqual(Array.from({ length: 32 }, (_, i) => `edit ${99 - i}`));
  });

  it('that the reader dies of is a problem, and is not tried again until files change', async () => {
    const { store, next } = byHand();
    known(store);
    (await next()).answer(new Error('it needs more than 768 MB of memory'));
    await store.settled();
    const problem = { kind: 'problem', code: 'data-malformed', message: expect.stringContaining('768 MB') };
    expect(known(store)).toMatchObject(problem);
    expect(known(store)).toMatchObject(problem);
    store.lookAgain();
    (await next()).answer({ stamp: '1', result: schema(1) });
    await store.settled();
    expect(known(store)).toEqual(schema(1));
  });

  it('of procedural data needs no reading, that of a file beside no saved text is refused at once', () => {
    const { store } = byHand();
    expect(store.read({ name: 'digits', args: {} }, 'untitled:1')).toMatchObject({ kind: 'schema', samples: 5000 });
    expect(store.read({ name: 'digits', args: { samples: -1 } }, uri)).toMatchObject({ kind: 'problem' });
    expect(store.read(csv('a.csv'), 'untitled:1')).toMatchObject({ kind: 'problem', argument: 'path' });
    expect(store.waiting).toBe(false);
  });
});

describe('the thread that reads schemas', () => {
  let folder: string;
  let entry: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'strata-thread-'));
    entry = join(folder, 'schemas.mjs');
    const banner = { js: "import { createRequire as r } from 'node:module'; const require = r(import.meta.url);" };
    await build({
      entryPoints: [join(import.meta.dirname, '../../../server/data/schemaThread.ts')],
      outfile: entry,
      bundle: true,
      format: 'esm',
      platform: 'node',
      banner,
      logLevel: 'error',
    });
    writeFileSync(join(folder, 'a.csv'), 'x,k\n1,a\n2,b\n');
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const job = (path: string): SchemaJob => ({ source: csv(path), workspace: folder, base: folder });
  const body = (code: string): string => {
    const path = join(folder, `${code.length}.mjs`);
    writeFileSync(path, `import { parentPort } from 'node:worker_threads'; ${code}`);
    return path;
  };

  it.each([0, 60_000])('answers what this thread would, job after job, also after a rest of %d ms', async idle => {
    const { run } = createSchemaWorker(entry, { idle });
    for (const path of ['a.csv', 'none.csv', 'a.csv']) {
      expect(await run(job(path))).toEqual(await runSchemaJob(job(path)));
      await new Promise(resolve => setTimeout(resolve, 1));
    }
  });

  it('is ended and started anew when it takes too long', async () => {
    const slow = body(
      "parentPort.on('message', job => { while (job.source.args.path === 'a') ; parentPort.postMessage(1); });",
    );
    const { run } = createSchemaWorker(slow, { patience: 200 });
    await expect(run(job('a'))).rejects.toThrow('reading it takes more than 0.2 s');
    expect(await run(job('b'))).toBe(1);
  });

  it('that throws or dies ends one job, not the server', async () => {
    const dying = body(
      "parentPort.on('message', job => { if (job.source.args.path === 'a') throw new Error('oh'); if (job.source.args.path === 'x') process.exit(3); parentPort.postMessage(2); });",
    );
    const { run } = createSchemaWorker(dying);
    await expect(run(job('a'))).rejects.toThrow('oh');
    await expect(run(job('x'))).rejects.toThrow('ended');
    expect(await run(job('b'))).toBe(2);
  });
});
