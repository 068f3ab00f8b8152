/** A sweep starts its runs one after the other, and ends with the first that doesn't finish. */
import { expect, it, vi } from 'vitest';
import type { RunListener } from '../../../server/runs/manager.ts';
import type { RunSummary } from '../../../server/runs/runs.ts';
import type { NewRun } from '../../../server/runs/store.ts';
import { startSweep } from '../../../server/runs/sweep.ts';
import { summary } from '../lsp/client.ts';

/** A manager whose runs are named by their texts; `end` tells how the one with that name ended. */
function manager(state: (name: string) => RunSummary['state'] = () => 'running') {
  const started: string[] = [];
  const listeners = new Set<RunListener>();
  const tell = (name: string, ended: RunSummary['state']) => {
    for (const listener of [...listeners]) listener(summary({ folder: name, state: ended }), []);
  };
  return {
    started,
    listeners,
    end: tell,
    async start({ text }: NewRun): Promise<RunSummary> {
      if (text === 'broken') throw new Error('no runtime');
      started.push(text);
      if (state(text) !== 'running') tell(text, state(text));
      return summary({ folder: text });
    },
    onEvents(listener: RunListener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

const runs = (...names: readonly string[]) =>
  names.map(text => (): NewRun => {
    if (text === 'wrong') throw new Error('a size of 0');
    return { text } as NewRun;
  });
const unexpected = (error: unknown) => {
  throw error;
};

it('goes on when a run has finished, not before and not for another', async () => {
  const m = manager();
  expect(await startSweep(m, runs('a', 'b', 'c'), unexpected)).toMatchObject({ folder: 'a' });
  m.end('elsewhere', 'finished');
  m.end('a', 'paused');
  expect(m.started).toEqual(['a']);
  m.end('a', 'finished');
  await vi.waitFor(() => expect(m.started).toEqual(['a', 'b']));
  m.end('b', 'finished');
  await vi.waitFor(() => expect(m.started).toEqual(['a', 'b', 'c']));
  m.end('c', 'finished');
  expect(m.listeners.size).toBe(0);
});

it.each(['stopped', 'failed', 'died'] as const)('ends with a run that %s', async ended => {
  const m = manager();
  await startSweep(m, runs('a', 'b'), unexpected);
  m.end('a', ended);
  expect(m.started).toEqual(['a']);
  expect(m.listeners.size).toBe(0);
});

it('goes on after runs that are over before they are known', async () => {
  const m = manager(() => 'finished');
  await startSweep(m, runs('a', 'b', 'c'), unexpected);
  await vi.waitFor(() => expect(m.started).toEqual(['a', 'b', 'c']));
  expect(m.listeners.size).toBe(0);
});

it('rejects where the first can not start, and tells where a later one can not', async () => {
  await expect(startSweep(manager(), runs('broken', 'b'), unexpected)).rejects.toThrow('no runtime');
  const m = manager(() => 'finished');
  const refused = vi.fn();
  await startSweep(m, runs('a', 'wrong', 'c'), refused);
  await vi.waitFor(() => expect(refused).toHaveBeenCalledWith(new Error('a size of 0')));
  expect([m.started, m.listeners.size]).toEqual([['a'], 0]);
});
