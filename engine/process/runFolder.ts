/** The files of a run folder: their names, and readers for what the engine and the run manager tell each other through them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import type { RunEvent } from '../train/events.ts';
import { EngineError } from '../util/errors.ts';
import { PROTOCOL_VERSION, type RunInfo } from './protocol.ts';

/** Written by the run manager before it starts the engine. */
export const PROGRAM_FILE = 'program.json';
export const SOURCE_FILE = 'source.strata';
export const REQUEST_FILE = 'request.json';
/** Written by the engine. */
export const INFO_FILE = 'info.json';
export const METRICS_FILE = 'metrics.jsonl';
export const LOG_FILE = 'engine.log';
export const LOCK_FILE = 'engine.lock';
export const SOCKET_FILE = 'engine.sock';
/** Safetensors: the newest state, to resume from, and the one with the best monitored value. Relative to the run folder, with `/`. */
export const LAST_CHECKPOINT = 'checkpoints/last.safetensors';
export const BEST_CHECKPOINT = 'checkpoints/best.safetensors';

/** What the run manager asks of the engine: `request.json`. */
export interface RunRequest {
  /** Absolute path of the workspace folder, which data paths may not leave. */
  readonly workspace: string;
  /** Absolute path of the folder that relative data paths start at, the source file's; the workspace by default. */
  readonly base?: string;
  readonly device?: 'auto' | 'webgpu' | 'cpu';
  readonly epochs?: number;
  readonly steps?: number;
  readonly seed?: number;
  /** Continue from the last checkpoint; from the start where there is none. */
  readonly resume?: boolean;
}

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const requestSchema = v.object({
  workspace: v.string(),
  base: v.exactOptional(v.string()),
  device: v.exactOptional(v.picklist(['auto', 'webgpu', 'cpu'])),
  epochs: v.exactOptional(count),
  steps: v.exactOptional(count),
  seed: v.exactOptional(count),
  resume: v.exactOptional(v.boolean()),
});
const infoSchema = v.object({
  protocol: v.literal(PROTOCOL_VERSION),
  pid: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
  socket: v.string(),
  started: v.number(),
});
const eventTypes: ReadonlySet<unknown> = new Set([
  'start',
  'step',
  'epoch',
  'samples',
  'state',
  'checkpoint',
  'done',
] satisfies RunEvent['type'][]);

/** The request of a run folder; throws `run-missing` where there is none, `program-malformed` where it isn't one. */
export function readRequest(folder: string): RunRequest {
  const path = join(folder, REQUEST_FILE);
  const text = readText(path);
  if (text === undefined)
    throw new EngineError('run-missing', `${path}: no such file; start the run anew from its source`);
  const parsed = v.safeParse(requestSchema, parseJson(text));
  if (parsed.success) return parsed.output;
  throw new EngineError(
    'program-malformed',
    `${path}: ${parsed.issues[0].message.toLowerCase()}; start the run anew from its source`,
  );
}

/** How to reach the engine of a run folder, or undefined where none has listened yet (or the file is damaged). */
export function readInfo(folder: string): RunInfo | undefined {
  const parsed = v.safeParse(infoSchema, parseJson(readText(join(folder, INFO_FILE)) ?? ''));
  return parsed.success ? parsed.output : undefined;
}

/** All events of a run folder so far, a tail that is still being written or was cut by a crash left out. */
export function readMetrics(folder: string): RunEvent[] {
  return parseMetrics(readText(join(folder, METRICS_FILE)) ?? '').events;
}

/** Events of `metrics.jsonl` text. `bytes` is the length of the whole lines, where reading may go on later; damaged lines are counted and left out. */
export function parseMetrics(text: string): {
  readonly events: RunEvent[];
  readonly bytes: number;
  readonly damaged: number;
} {
  const whole = text.slice(0, text.lastIndexOf('\n') + 1);
  const lines = whole.split('\n').filter(line => line !== '');
  const events = lines.map(parseEvent).filter(event => event !== undefined);
  return { events, bytes: Buffer.byteLength(whole), damaged: lines.length - events.length };
}

/** One line, or undefined where it isn't an event. */
export function parseEvent(line: string): RunEvent | undefined {
  const value = parseJson(line);
  return typeof value === 'object' && value !== null && 'type' in value && eventTypes.has(value.type)
    ? (value as RunEvent)
    : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
