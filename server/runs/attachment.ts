/** Follows one live run: the events of its file up to the attachment, then those of its socket, each once and in order. */
import type { EngineMessage } from '../../engine/process/protocol.ts';
import { readInfo, readMetrics } from '../../engine/process/runFolder.ts';
import type { RunEvent } from '../../engine/train/events.ts';
import { type Connection, connectEngine } from './connection.ts';
import type { RunIdentity } from './history.ts';

export interface LiveRun {
  readonly identity: RunIdentity;
  readonly connection: Connection;
  /** All events so far; grows. */
  readonly events: readonly RunEvent[];
}

export interface AttachmentEvents {
  /** Events have been appended to `run.events`. */
  more(run: LiveRun, events: readonly RunEvent[]): void;
  /** The engine is gone; `missed` reached the file and not the socket, and have been appended. */
  ended(run: LiveRun, missed: readonly RunEvent[]): void;
  refused(message: string): void;
}

/** Attaches to the engine of a folder; undefined where none answers (never started, ended, or a stale `info.json`). */
export async function attachRun(identity: RunIdentity, on: AttachmentEvents): Promise<LiveRun | undefined> {
  const info = readInfo(identity.folder);
  if (info === undefined) return undefined;
  const events: RunEvent[] = [];
  let run: LiveRun | undefined;
  try {
    return await new Promise<LiveRun>((resolve, reject) => {
      let connection: Connection;
      const message = (m: EngineMessage): void => {
        if (m.type === 'refused') on.refused(m.message);
        else if (m.type === 'attached') {
          events.push(...readMetrics(identity.folder).slice(0, m.line));
          run = { identity, connection, events };
          resolve(run);
        } else if (run !== undefined) {
          events.push(...m.events);
          on.more(run, m.events);
        }
      };
      const closed = (): void => {
        reject(new Error('closed before the engine answered'));
        if (run === undefined) return;
        const missed = readMetrics(identity.folder).slice(events.length);
        events.push(...missed);
        on.ended(run, missed);
      };
      connectEngine(info.socket, { message, closed }).then(made => {
        connection = made;
      }, reject);
    });
  } catch {
    return undefined;
  }
}
