/** Programs from Strata text as a user has them, with the real readers of data: analysed, lowered, trained in a folder. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { wasmBackend } from '../../engine/backend/wasm/index.ts';
import { workspacePaths } from '../../engine/data/paths.ts';
import type { Program } from '../../engine/ir/program.ts';
import type { DoneEvent, RunEvent } from '../../engine/train/events.ts';
import { createTrainer, type Trainer, type TrainerOptions } from '../../engine/train/trainer.ts';
import { runSchemaJob } from '../../server/data/schemaJob.ts';
import { lower } from '../../server/lang/lower/lower.ts';
import { analyzeSettled, createLangHost } from '../../server/runs/langHost.ts';
import { temporaryFolder } from './files.ts';

/** A workspace of files, `main.strata` among them, removed with its test. */
export function workspaceOf(files: Readonly<Record<string, string | Uint8Array>>): string {
  const folder = temporaryFolder();
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  return folder;
}

/** The program of the first train block of `text`, as the file `main.strata` of `folder`; what is wrong with it is thrown. */
export async function programOf(text: string, folder: string): Promise<Program> {
  const host = createLangHost({ run: runSchemaJob, workspaceOf: () => folder });
  const analysis = await analyzeSettled(pathToFileURL(join(folder, 'main.strata')).href, text, host);
  const lowered = lower(analysis);
  if (lowered.kind === 'program') return lowered.program;
  throw new Error(lowered.kind === 'errors' ? JSON.stringify(lowered.facts.map(f => [f.code, f.data])) : lowered.kind);
}

export interface SourceRun {
  readonly done: DoneEvent;
  readonly events: readonly RunEvent[];
  /** The run folder. */
  readonly folder: string;
}

export const checkpointPaths = { last: 'checkpoints/last.safetensors', best: 'checkpoints/best.safetensors' };

/** Trains `program` to its end over the data in `workspace`, on the CPU. */
export async function trainSource(
  program: Program,
  workspace: string,
  options: Partial<TrainerOptions> = {},
  watch: (event: RunEvent, trainer: Trainer) => void = () => {},
): Promise<SourceRun> {
  const folder = options.folder ?? join(workspace, 'run');
  const events: RunEvent[] = [];
  const trainer = createTrainer({
    program,
    folder,
    paths: checkpointPaths,
    resolvePath: workspacePaths(workspace),
    open: { wasm: wasmBackend, webgpu: () => wasmBackend() },
    emit: more => {
      events.push(...more);
      for (const event of more) watch(event, trainer);
    },
    ...options,
  });
  return { done: await trainer.run(), events, folder };
}
