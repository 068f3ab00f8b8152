/** The programs that benchmarks of compilation go through: the workloads of `strata bench` and the examples that need no files of their own. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Program } from '../../engine/ir/program.ts';
import { workloadProgram, workloads } from '../../server/cli/workloads.ts';
import { runSchemaJob } from '../../server/data/schemaJob.ts';
import { lower } from '../../server/lang/lower/lower.ts';
import { analyzeSettled, createLangHost } from '../../server/runs/langHost.ts';

/** Needs files that are not shipped. */
const withoutData = ['mnist.strata'];
const WORKLOAD = 'bench ';

/** Of all programs, or of those whose names contain one of `parts`. */
export function programNames(examples: string, parts: readonly string[]): readonly string[] {
  const files = readdirSync(examples).filter(name => name.endsWith('.strata') && !withoutData.includes(name));
  const all = [...Object.keys(workloads).map(name => WORKLOAD + name), ...files];
  return all.filter(each => parts.length === 0 || parts.some(part => each.includes(part)));
}

export async function programNamed(examples: string, name: string): Promise<Program> {
  if (name.startsWith(WORKLOAD)) return workloadProgram(name.slice(WORKLOAD.length));
  const path = join(examples, name);
  const host = createLangHost({ run: runSchemaJob, workspaceOf: () => dirname(path) });
  const lowered = lower(await analyzeSettled(pathToFileURL(path).href, readFileSync(path, 'utf8'), host), undefined);
  if (lowered.kind !== 'program') throw new Error(`${name} does not lower: ${JSON.stringify(lowered)}`);
  return lowered.program;
}
