/** Runs the built command line in a folder of its own. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RunEvent } from '../../../engine/train/events.ts';

const entry = fileURLToPath(new URL('../../../dist/cli.js', import.meta.url));
export const examples = fileURLToPath(new URL('../../../examples/', import.meta.url));

export interface Outcome {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export interface Running {
  /** Resolves with the first event that fits; rejects if the command ends without one. */
  event<T extends RunEvent['type']>(
    type: T,
    fits?: (event: RunEvent & { type: T }) => boolean,
  ): Promise<RunEvent & { type: T }>;
  signal(name: NodeJS.Signals): void;
  readonly ended: Promise<Outcome>;
}

/** Starts `strata ...args`; with `--json`, its events can be waited for. */
export function start(args: readonly string[], cwd: string): Running {
  if (!existsSync(entry)) throw new Error('dist/cli.js is missing: npm run build makes it');
  const child = spawn(process.execPath, [entry, ...args], { cwd, env: { ...process.env, NO_COLOR: '1' } });
  let out = '';
  let err = '';
  const events: RunEvent[] = [];
  const waiting = new Set<() => void>();
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const before = out.lastIndexOf('\n') + 1;
    out += text;
    for (const line of out.slice(before, out.lastIndexOf('\n') + 1).split('\n')) {
      if (line.startsWith('{')) events.push(JSON.parse(line) as RunEvent);
    }
    for (const look of waiting) look();
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  const ended = new Promise<Outcome>(resolve => child.once('close', code => resolve({ code, out, err })));
  return {
    event: (type, fits = () => true) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const found = events.find(e => e.type === type && fits(e as never));
          if (found === undefined) return;
          waiting.delete(look);
          resolve(found as never);
        };
        waiting.add(look);
        look();
        void ended.then(({ err }) => reject(new Error(`the command ended without a ${type} event: ${err}`)));
      }),
    signal: name => void child.kill(name),
    ended,
  };
}

export function strata(args: readonly string[], cwd: string): Promise<Outcome> {
  return start(args, cwd).ended;
}

export function events(outcome: Outcome): RunEvent[] {
  return outcome.out
    .split('\n')
    .filter(line => line.startsWith('{'))
    .map(line => JSON.parse(line) as RunEvent);
}

export function temporaryFolder(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'strata-cli-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true, maxRetries: 5 }) };
}
