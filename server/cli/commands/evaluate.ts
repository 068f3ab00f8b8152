/** `strata evaluate`: losses and metrics of a run's last checkpoint on one split of its data. */
import { join } from 'node:path';
import { workspacePaths } from '../../../engine/data/paths.ts';
import { readProgram } from '../../../engine/process/readProgram.ts';
import { LAST_CHECKPOINT, readRequest } from '../../../engine/process/runFolder.ts';
import { readCheckpoint } from '../../../engine/train/checkpoint.ts';
import { evaluateSplit } from '../../../engine/train/evaluate.ts';
import { applyOverrides } from '../../../engine/train/overrides.ts';
import { findRun } from '../../runs/store.ts';
import { count, metricText, tableText } from '../terminal.ts';

export interface EvaluateOptions {
  readonly split: 'train' | 'validation' | 'test';
  readonly json?: boolean;
}

export async function evaluate(run: string, { split, json }: EvaluateOptions): Promise<void> {
  const { folder } = findRun(run, process.cwd());
  const request = readRequest(folder);
  const program = applyOverrides(readProgram(folder), request);
  const path = join(folder, LAST_CHECKPOINT);
  const result = await evaluateSplit(
    {
      program,
      resolvePath: workspacePaths(request.workspace, request.base),
      resumeFrom: { checkpoint: await readCheckpoint(path), path },
    },
    split,
  );
  if (json === true) return console.log(JSON.stringify(result));
  console.log(`${result.split}  ${count(result.samples)} samples on ${result.device}`);
  for (const [name, value] of Object.entries(result.metrics))
    console.log(`${name.padEnd(12)} ${metricText(name, value)}`);
  for (const [name, rows] of Object.entries(result.tables))
    console.log(`\n${tableText(name, rows, result.classes[name])}`);
}
