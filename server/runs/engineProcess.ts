/** Starts the engine of a run folder as a detached process and waits until it listens, or says why it does not. */
import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, watch } from 'node:fs';
import { join } from 'node:path';
import type { RunInfo } from '../../engine/process/protocol.ts';
import { LOG_FILE, readInfo, readMetrics } from '../../engine/process/runFolder.ts';
import { EngineError, type EngineErrorCode } from '../../engine/util/errors.ts';
import { engineEnvironment, type Runtime } from './runtime.ts';

export interface StartedEngine {
  readonly info: RunInfo;
  /** Resolves when the process has ended. It does not keep this one alive. */
  readonly exited: Promise<void>;
}

/** Spawns `<runtime> <engine> <folder>`; rejects with the engine's own coded error where it left one. */
export function startEngine(runtime: Runtime, engine: string, folder: string): Promise<StartedEngine> {
  if (!existsSync(engine))
    throw new EngineError('engine-died', `${engine}: the engine is missing; install Strata again`);
  const log = openSync(join(folder, LOG_FILE), 'a', 0o600);
  const before = readInfo(folder)?.started;
  const child = spawn(runtime.path, [engine, folder], {
    cwd: folder,
    detached: true,
    stdio: ['ignore', log, log],
    env: engineEnvironment(runtime),
    windowsHide: true,
  });
  closeSync(log);
  child.unref();
  const exited = new Promise<void>(resolve => child.once('exit', () => resolve()));
  return new Promise((resolve, reject) => {
    const watcher = watch(folder);
    const settle = (finish: () => void): void => {
      watcher.close();
      finish();
    };
    const look = (): void => {
      const info = readInfo(folder);
      if (info !== undefined && info.started !== before) settle(() => resolve({ info, exited }));
    };
    watcher.on('change', look);
    child.once('error', cause =>
      settle(() =>
        reject(
          new EngineError(
            'engine-died',
            `${runtime.path}: the runtime did not start; check the setting strata.runtime`,
            { cause },
          ),
        ),
      ),
    );
    child.once('exit', () => {
      look(); // a short run may be over before the change was seen
      settle(() => reject(whyItEnded(folder)));
    });
    look();
  });
}

/** The error the engine reported before it ended, or the end of its log. */
export function whyItEnded(folder: string): EngineError {
  const done = readMetrics(folder).findLast(event => event.type === 'done');
  if (done?.error !== undefined) return new EngineError(done.error.code as EngineErrorCode, done.error.message);
  const path = join(folder, LOG_FILE);
  const lastLine = readTail(path).trim().split('\n').at(-1) ?? '';
  const reason = lastLine === '' ? 'it left no message' : lastLine;
  return new EngineError(
    'engine-died',
    `the engine of ${folder} ended: ${reason}; resume the run to go on from its last checkpoint`,
  );
}

function readTail(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8').slice(-4096) : '';
}
