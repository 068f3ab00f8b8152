/** The model of a run, for commands that use it: its program and the weights that did best. */
import { existsSync, realpathSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { readProgram } from '../../engine/process/readProgram.ts';
import { BEST_CHECKPOINT, LAST_CHECKPOINT } from '../../engine/process/runFolder.ts';
import { readCheckpoint } from '../../engine/train/checkpoint.ts';
import type { TrainedModel } from '../../engine/train/inference.ts';
import { EngineError } from '../../engine/util/errors.ts';
import type { RunIdentity } from '../runs/history.ts';
import { findRun } from '../runs/store.ts';

/** The best checkpoint of a run, as `init … from` takes it; the last where none is the best. Throws `run-missing`, `checkpoint-missing`, `checkpoint-malformed`. */
export async function trainedModel(run: string): Promise<TrainedModel & { readonly identity: RunIdentity }> {
  const identity = findRun(run, process.cwd());
  const { folder } = identity;
  const path = [BEST_CHECKPOINT, LAST_CHECKPOINT].map(name => join(folder, name)).find(existsSync);
  if (path === undefined)
    throw new EngineError(
      'checkpoint-missing',
      `${run}: expected a checkpoint, found none; train the run for an epoch first`,
    );
  return { identity, program: readProgram(folder), checkpoint: await readCheckpoint(path), path };
}

/** A file that the user names on the command line: anywhere, seen from the current folder. Throws `data-missing`. */
export function namedFile(name: string): string {
  try {
    return realpathSync(resolve(name));
  } catch (cause) {
    throw new EngineError('data-missing', `${name}: no such file; check the path, which starts at the current folder`, {
      cause,
    });
  }
}
