/** `strata train`, `resume` and `attach`: starts an engine or finds a live one, and follows it to its end. */
import { dirname } from 'node:path';
import type { Choice, Program } from '../../../engine/ir/program.ts';
import type { DoneEvent } from '../../../engine/train/events.ts';
import { unfetched } from '../../ide/unfetched.ts';
import { lower } from '../../lang/lower/lower.ts';
import { findRun } from '../../runs/store.ts';
import { printObstacles } from '../diagnostics.ts';
import { ReportedError, UsageError } from '../exit.ts';
import { type FollowOptions, follow } from '../follow.ts';
import { readSource, type Source, shortPath } from '../source.ts';
import { paint } from '../terminal.ts';
import { fetchFor } from './fetch.ts';

export interface TrainOptions extends FollowOptions {
  readonly device?: 'auto' | 'webgpu' | 'cpu';
  readonly epochs?: number;
  readonly steps?: number;
  readonly seed?: number;
  readonly run?: string;
}

export async function train(file: string, name: string | undefined, options: TrainOptions): Promise<void> {
  if (options.epochs !== undefined && options.steps !== undefined) {
    throw new UsageError('expected one of --epochs and --steps, found both');
  }
  const source = await readWithData(file, options);
  const lowered = lowerOrReport(file, source, name);
  if (options.run !== undefined && lowered.choices.length > 0) {
    throw new UsageError('expected no --run for a sweep, which makes a folder for each of its runs');
  }
  for (const choice of lowered.choices.length > 0 ? lowered.choices : [undefined]) {
    const { program } = choice === undefined ? lowered : lowerOrReport(file, source, name, choice);
    if (choice !== undefined && options.json !== true) console.log(paint('dim', `sweep ${JSON.stringify(choice)}`));
    const { reason } = await startAndFollow(source, program, options);
    // A run that failed or was interrupted ends the sweep.
    if (reason === 'failed' || reason === 'stopped') return;
  }
}

/** Whoever trains wants the data: it is fetched, and said to be, beside the events that --json prints. */
async function readWithData(file: string, { json }: FollowOptions): Promise<Source> {
  const source = await readSource(file);
  if (unfetched(source.analysis).length === 0) return source;
  await fetchFor(file, json === true ? process.stderr : process.stdout);
  return readSource(file);
}

function lowerOrReport(file: string, source: Source, name: string | undefined, choice?: Choice) {
  const lowered = lower(source.analysis, name, choice);
  if (lowered.kind === 'unknown-train') throw unknownTrain(file, name, lowered.names);
  if (lowered.kind === 'errors') {
    printObstacles(source, lowered.facts, process.stderr);
    throw new ReportedError(`${file} has errors`);
  }
  return lowered;
}

async function startAndFollow(source: Source, program: Program, options: TrainOptions): Promise<DoneEvent> {
  const { device, epochs, steps, seed, run } = options;
  return follow(options, manager =>
    manager.start({
      program,
      text: source.text,
      source: shortPath(source.path, source.workspace),
      ...(run === undefined ? {} : { folder: run }),
      request: {
        workspace: source.workspace,
        base: dirname(source.path),
        ...(device === undefined ? {} : { device }),
        ...(epochs === undefined ? {} : { epochs }),
        ...(steps === undefined ? {} : { steps }),
        ...(seed === undefined ? {} : { seed }),
      },
    }),
  );
}

export async function resume(run: string, options: FollowOptions): Promise<void> {
  const { folder } = findRun(run, process.cwd());
  await follow(options, manager => manager.resume(folder));
}

/** Follows a live run from its beginning; Ctrl-C leaves it to itself. */
export async function attach(run: string, options: FollowOptions): Promise<void> {
  const { folder } = findRun(run, process.cwd());
  await follow({ ...options, past: true, interrupt: 'leave' }, manager => manager.attach(folder));
}

function unknownTrain(file: string, name: string | undefined, names: readonly string[]): UsageError {
  if (names.length === 0) return new UsageError(`${file}: expected a train block, found none`);
  return new UsageError(`${file}: expected one of the train blocks ${names.join(', ')}, found ${name}`);
}
