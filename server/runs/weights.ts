/** Where `init … from` finds weights: a `.safetensors` file, or the newest run of that name in the workspace. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Program } from '../../engine/ir/program.ts';
import { BEST_CHECKPOINT, LAST_CHECKPOINT } from '../../engine/process/runFolder.ts';
import { EngineError } from '../../engine/util/errors.ts';
import { listRuns } from './store.ts';

/** The file that `from` means: a path as it is written, or the best checkpoint of the newest run of that name (or id) that has one, the last where none is the best. Throws `run-missing`. */
export function weightsPath(from: string, workspace: string): string {
  if (/\.safetensors$/i.test(from)) return from;
  for (const { id, name, folder } of listRuns(workspace)) {
    if (id !== from && name !== from) continue;
    const path = [BEST_CHECKPOINT, LAST_CHECKPOINT].map(file => join(folder, file)).find(existsSync);
    if (path !== undefined) return path;
  }
  throw new EngineError(
    'run-missing',
    `${from}: expected a run of this workspace with a checkpoint, or a .safetensors file; train ${from} first, or check the name`,
  );
}

/** The program with the file itself in place of each name of a run, so that its run goes on meaning the same weights. */
export function pinWeights(program: Program, workspace: string): Program {
  const { init } = program.run;
  if (init === undefined) return program;
  const pinned = init.map(({ over, from }) => ({ over, from: weightsPath(from, workspace) }));
  return { ...program, run: { ...program.run, init: pinned } };
}
