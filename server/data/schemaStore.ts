/** Schemas of data sources as the checker asks for them: answered at once with what is known, read in the background, looked at again when files may have changed. */
import type { Call } from '../../engine/ir/program.ts';
import { EngineError } from '../../engine/util/errors.ts';
import type { SchemaResult } from '../lang/api.ts';
import type { SchemaAnswer, SchemaJob } from './schemaJob.ts';
import { proceduralResult, schemaProblem } from './schemaResult.ts';

/** Where the files of a program are looked up; absolute paths. */
export interface DataPlace {
  readonly workspace: string;
  readonly base: string;
}

export interface SchemaStoreOptions {
  /** Undefined for a text that lies in no folder: it can name no files. */
  readonly placeOf: (uri: string) => DataPlace | undefined;
  /** Does one job, off this thread if that has better things to do. */
  readonly run: (job: SchemaJob) => Promise<SchemaAnswer>;
  /** The schema of a source that these files asked for is there, or another one. */
  readonly arrived?: (uris: readonly string[]) => void;
}

export interface SchemaStore {
  /** What is known of a source of the file `fromUri`; the same object until that changes. Touches no disk. */
  read(source: Call, fromUri: string): SchemaResult;
  /** Files on the disk may have changed: each schema is kept until the look at its files says otherwise. */
  lookAgain(): void;
  /** Some source has been asked for whose schema is not known yet. */
  readonly waiting: boolean;
  /** Resolves when nothing is being read or waits to be. */
  settled(): Promise<void>;
}

interface Entry {
  readonly source: Call;
  readonly place: DataPlace;
  readonly askers: Set<string>;
  result: SchemaResult;
  stamp: string | undefined;
  /** When its files were last looked at. */
  looked: number;
  state: 'idle' | 'queued' | 'running';
  /** Files may have changed while they were being read. */
  again: boolean;
}

const pending: SchemaResult = { kind: 'pending' };
/** Files are looked at again after this time when asked about, for those that nobody watches (milliseconds). */
const fresh = 1000;
/** Schemas that are kept: an edit of an argument asks for another one at each keystroke. */
const kept = 256;
/** Readings that may wait; the newest are done first, since what was asked for before has been edited since. */
const queued = 32;

export function createSchemaStore({ placeOf, run, arrived }: SchemaStoreOptions): SchemaStore {
  const entries = new Map<string, Entry>();
  const queue: Entry[] = [];
  const procedural = new Map<string, SchemaResult>();
  let running: Promise<void> | undefined;

  const finish = (entry: Entry, { stamp, result }: Partial<SchemaAnswer>): void => {
    entry.stamp = stamp;
    // A reader that died may die again: only a change of files is a reason to try.
    entry.looked = stamp === undefined ? Number.POSITIVE_INFINITY : Date.now();
    if (result === undefined || JSON.stringify(result) === JSON.stringify(entry.result)) return;
    entry.result = result;
    arrived?.([...entry.askers]);
  };
  const work = async (): Promise<void> => {
    for (let entry = queue.pop(); entry !== undefined; entry = queue.pop()) {
      entry.state = 'running';
      const { source, place, stamp } = entry;
      const job = { source, ...place, ...(stamp !== undefined && { stamp }) };
      finish(entry, await run(job).catch(error => failure(source, error)));
      entry.state = 'idle';
      if (entry.again) enqueue(entry);
    }
    running = undefined;
  };
  const enqueue = (entry: Entry): void => {
    if (entry.state !== 'idle') return;
    entry.state = 'queued';
    entry.again = false;
    queue.push(entry);
    if (queue.length > queued) drop(queue.shift()!);
    running ??= Promise.resolve().then(work);
  };
  /** Asked for again, it is read after all. */
  const drop = (entry: Entry): void => {
    entry.state = 'idle';
    if (entry.result === pending) for (const [key, other] of entries) if (other === entry) entries.delete(key);
  };
  const entryOf = (key: string, source: Call, place: DataPlace): Entry => {
    const unread: Entry = {
      source,
      place,
      askers: new Set(),
      result: pending,
      stamp: undefined,
      looked: 0,
      state: 'idle',
      again: false,
    };
    const entry = entries.get(key) ?? unread;
    // The latest one asked for stands last.
    entries.delete(key);
    entries.set(key, entry);
    const [oldest] = entries;
    if (oldest !== undefined && entries.size > kept && oldest[1].state === 'idle') entries.delete(oldest[0]);
    return entry;
  };

  return {
    read: (source, fromUri) => {
      const key = JSON.stringify(source);
      const known = procedural.get(key) ?? proceduralResult(source);
      if (known !== undefined) {
        if (procedural.size > kept) procedural.clear();
        procedural.set(key, known);
        return known;
      }
      const place = placeOf(fromUri);
      if (place === undefined) return nowhere(source);
      const entry = entryOf(`${place.workspace}\n${place.base}\n${key}`, source, place);
      entry.askers.add(fromUri);
      if (Date.now() - entry.looked > fresh) enqueue(entry);
      return entry.result;
    },
    lookAgain: () => {
      for (const entry of entries.values()) {
        entry.again = true;
        enqueue(entry);
      }
    },
    get waiting() {
      return running !== undefined && [...entries.values()].some(entry => entry.result === pending);
    },
    settled: async () => {
      while (running !== undefined) await running;
    },
  };
}

function nowhere(source: Call): SchemaResult {
  const path = Object.values(source.args).find(value => typeof value === 'string' && value !== '') ?? source.name;
  const message = `${path}: expected a file beside a saved program in an open folder; save this one first`;
  return schemaProblem(source, new EngineError('data-missing', message));
}

/** The reader died or is wrong: told where the source stands. */
function failure(source: Call, error: unknown): Partial<SchemaAnswer> {
  const message = `the data can't be looked at: ${error instanceof Error ? error.message : String(error)}`;
  return { result: schemaProblem(source, new EngineError('data-malformed', message)) };
}
