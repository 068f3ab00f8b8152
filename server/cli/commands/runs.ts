/** `strata runs`: the runs of the current folder, newest first. */

import { createRunManager } from '../../runs/manager.ts';
import type { RunSummary } from '../../runs/runs.ts';
import { enginePath } from '../follow.ts';
import { count, paint } from '../terminal.ts';

export async function runs(options: { readonly json?: boolean }): Promise<void> {
  const manager = createRunManager({ engine: enginePath, runtime: () => undefined, log: () => {} });
  const all = await manager.list(process.cwd());
  manager.dispose();
  if (options.json === true) return console.log(JSON.stringify(all, null, 2));
  if (all.length === 0) return console.log('no runs here; start one with "strata train FILE"');
  const rows = all.map(row);
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map(r => r[column]!.length)));
  for (const cells of rows)
    console.log(
      cells
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    );
  if (all.some(run => run.resumable)) console.log(paint('dim', 'go on with "strata resume RUN"'));
}

function row(run: RunSummary): readonly string[] {
  const loss = run.loss === undefined ? '' : `loss ${run.loss.toPrecision(4)}`;
  return [run.id, run.state, `step ${count(run.step)}/${count(run.steps)}`, loss, run.choice ?? '', run.source];
}
