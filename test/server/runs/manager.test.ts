/** A real engine under the run manager: what listeners hear, and in which order. */
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import type { RunEvent } from '../../../engine/train/events.ts';
import { createRunManager } from '../../../server/runs/manager.ts';
import type { RunSummary } from '../../../server/runs/runs.ts';
import { temporaryFolder } from '../../support/files.ts';
import { moonsProgram } from '../../support/moons.ts';

it('tells of a run before its engine answers, which may be busy compiling, and of its end', async () => {
  const engine = fileURLToPath(new URL('../../../dist/engine.js', import.meta.url));
  const manager = createRunManager({ engine, runtime: () => undefined, log: () => {} });
  const heard: { readonly summary: RunSummary; readonly events: readonly RunEvent[] }[] = [];
  try {
    const over = new Promise<void>(resolve => {
      manager.onEvents((summary, events) => {
        heard.push({ summary, events });
        if (summary.state === 'finished') resolve();
      });
    });
    const request = { workspace: temporaryFolder() };
    const { folder } = await manager.start({ program: moonsProgram(), text: '', source: 'main.strata', request });
    await over;
    expect(heard[0]).toMatchObject({ summary: { folder, state: 'starting', step: 0 }, events: [] });
    expect(heard.filter(({ summary }) => summary.folder !== folder)).toEqual([]);
    expect(heard.at(-1)!.summary).toMatchObject({ state: 'finished', step: 18 });
  } finally {
    manager.dispose();
  }
});
