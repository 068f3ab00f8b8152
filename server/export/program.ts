/** A run's source, lowered once more while a trace listens. */
import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { isInside } from '../../engine/data/paths.ts';
import { printGraph } from '../../engine/ir/print.ts';
import type { Program } from '../../engine/ir/program.ts';
import { readRequest, SOURCE_FILE } from '../../engine/process/runFolder.ts';
import { EngineError } from '../../engine/util/errors.ts';
import { analyze } from '../lang/analyze.ts';
import type { LangHost } from '../lang/api.ts';
import { lower } from '../lang/lower/lower.ts';
import { filePath, fileUri } from '../runs/fileUri.ts';
import type { RunIdentity } from '../runs/history.ts';
import { createTrace, type Trace } from './trace.ts';

/**
 * What the models of a run compute, from the source kept in its folder; the data's types are those of its program, so the data need not be there.
 * Throws `program-malformed` where files that the source imports have changed since, `unsupported` where nothing is predicted.
 */
export function traceRun({ folder, source }: RunIdentity, program: Program): Trace {
  if (program.infer === undefined || program.predictions === undefined)
    throw new EngineError(
      'unsupported',
      `train ${program.name}: expected a loss that compares what a model says with a field of the data, found none; there is no model to export`,
    );
  const { workspace } = readRequest(folder);
  const path = resolve(workspace, source);
  const text = readFileSync(join(folder, SOURCE_FILE), 'utf8');
  const trace = createTrace(program.name);
  const analysis = analyze(fileUri(path), text, hostOf(program, workspace));
  const lowered = lower(analysis, program.name, program.choice, trace.listener);
  const same =
    lowered.kind === 'program' &&
    lowered.program.infer &&
    printGraph(lowered.program.infer) === printGraph(program.infer);
  if (same) return trace;
  throw new EngineError(
    'program-malformed',
    `${join(folder, SOURCE_FILE)}: expected the source of the run's program, found another; files that it imports from ${dirname(path)} changed since, train it again`,
  );
}

function hostOf({ data }: Program, workspace: string): LangHost {
  return {
    readText(uri) {
      const path = filePath(uri);
      try {
        return path !== undefined && isInside(workspace, path) ? readFileSync(path, 'utf8') : undefined;
      } catch {
        return undefined;
      }
    },
    readSchema: () => ({ kind: 'schema', columns: data.columns }),
  };
}
