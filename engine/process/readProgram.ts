/** Reads the Program of a run folder: a file that anybody may have edited, so its graphs are held to the registry before they are built upon. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Program } from '../ir/program.ts';
import { parseProgram } from '../ir/programText.ts';
import { graphProblems } from '../ir/validate.ts';
import { typeOf } from '../ops/registry.ts';
import { EngineError } from '../util/errors.ts';
import { PROGRAM_FILE } from './runFolder.ts';

/** The program of `folder`. Throws `run-missing` where there is none, `program-malformed` naming the graph and the first node that is wrong. */
export function readProgram(folder: string): Program {
  const path = join(folder, PROGRAM_FILE);
  const program = parseProgram(readText(path), path);
  const { prepare, augment, ...data } = program.data;
  const graphs = {
    prepare,
    ...(augment && { augment }),
    train: program.train,
    evaluate: program.evaluate,
    ...(program.infer && { infer: program.infer }),
  };
  for (const [name, graph] of Object.entries(graphs)) {
    const problem = graphProblems(graph, typeOf)[0];
    if (problem === undefined) continue;
    throw new EngineError(
      'program-malformed',
      `${path}: expected a graph as Strata wrote it, found ${problem} (${name} of ${data.name}); start the run anew from its source`,
    );
  }
  return program;
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new EngineError('run-missing', `${path}: no such file; start the run anew from its source`, { cause });
  }
}
