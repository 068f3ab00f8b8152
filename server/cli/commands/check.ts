/** `strata check`: diagnostics, and a look inside: shapes, graph, kernels, plan. */

import { type Emission, emit } from '../../inspect/emit.ts';
import { jsonDiagnostics, printDiagnostics } from '../diagnostics.ts';
import { exitCodes, UsageError } from '../exit.ts';
import { readSource } from '../source.ts';

export interface CheckOptions {
  readonly format: 'text' | 'json';
  readonly emit?: Emission;
}

export async function check(files: readonly string[], options: CheckOptions): Promise<void> {
  if (options.emit !== undefined && options.format === 'json') {
    throw new UsageError('expected --emit with the text format, found --format json');
  }
  const sources = await Promise.all(files.map(readSource));
  if (options.format === 'json') {
    const all = sources.flatMap(jsonDiagnostics);
    console.log(JSON.stringify(all, null, 2));
    if (all.some(d => d.severity === 'error')) process.exitCode = exitCodes.errors;
    return;
  }
  // What is printed for reading on goes to stdout, complaints beside it.
  const errors = printDiagnostics(sources, options.emit === undefined ? process.stdout : process.stderr);
  if (errors > 0) process.exitCode = exitCodes.errors;
  if (options.emit !== undefined)
    for (const source of sources) process.stdout.write(emit(options.emit, source.analysis));
}
