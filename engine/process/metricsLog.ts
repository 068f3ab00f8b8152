/** The engine's end of `metrics.jsonl`: appends whole lines, mends what a crash left, forgets what a resumed run will do again. */
import { closeSync, fsyncSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { asDiskFull, writeAtomic } from '../train/atomicFile.ts';
import type { RunEvent } from '../train/events.ts';
import { parseMetrics } from './runFolder.ts';

export interface MetricsLog {
  /** Lines in the file. */
  readonly lines: number;
  /** Appends events, a line each. Throws `disk-full`. */
  append(events: readonly RunEvent[]): void;
  /** Makes what was appended durable. */
  sync(): void;
  close(): void;
}

/**
 * Opens the log at `path`. What a former engine wrote after `fromStep` is dropped, so that the resumed curve equals an uninterrupted one; so are
 * damaged lines and former ends (`done`), since the run goes on. A fresh run (step 0) starts with an empty file.
 */
export async function openMetricsLog(path: string, fromStep: number): Promise<MetricsLog> {
  const kept = fromStep === 0 ? [] : parseMetrics(readText(path)).events.filter(event => isBefore(event, fromStep));
  await writeAtomic(path, [Buffer.from(kept.map(toLine).join(''))]);
  const handle = openSync(path, 'a');
  let lines = kept.length;
  return {
    get lines() {
      return lines;
    },
    append(events) {
      try {
        // Unlike writeSync this goes on after a short write, as a disk gives that fills up.
        writeFileSync(handle, events.map(toLine).join(''));
      } catch (cause) {
        throw asDiskFull(path, cause);
      }
      lines += events.length;
    },
    sync: () => fsyncSync(handle),
    close: () => closeSync(handle),
  };
}

function isBefore(event: RunEvent, step: number): boolean {
  if (event.type === 'done') return false;
  return event.type === 'start' ? event.fromStep <= step : event.step <= step;
}

function toLine(event: RunEvent): string {
  return `${JSON.stringify(event)}\n`;
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
