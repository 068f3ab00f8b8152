/** A workspace of its own for each scenario: copies of the examples and programs made for the test. */
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from './host.ts';

export interface Workspace {
  readonly folder: string;
  path(name: string): string;
  /** When the newest run did its first step, in milliseconds since the epoch. */
  firstStep(): number;
  remove(): void;
}

/** Runs for hours if nobody stops it. */
export function endless(source: string): string {
  return source.replace(/^ *stop .*\n/m, '').replace(/epochs +\d+/, 'epochs 100000');
}

export function createWorkspace(): Workspace {
  const folder = mkdtempSync(join(tmpdir(), 'strata-workspace-'));
  cpSync(join(root, 'examples/first.strata'), join(folder, 'first.strata'));
  const first = readFileSync(join(root, 'examples/first.strata'), 'utf8');
  writeFileSync(join(folder, 'endless.strata'), endless(first));
  writeFileSync(join(folder, 'short.strata'), first.replace(/epochs +\d+/, 'epochs 2'));
  return {
    folder,
    path: name => join(folder, name),
    firstStep: () => firstStep(join(folder, '.strata/runs')),
    remove: () => {
      endRuns(folder);
      rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
    },
  };
}

/** Runs outlive windows: those of the workspace are ended by the process ids they left. */
function endRuns(folder: string): void {
  const runs = join(folder, '.strata/runs');
  for (const run of existsSync(runs) ? readdirSync(runs) : []) {
    const info = join(runs, run, 'info.json');
    if (!existsSync(info)) continue;
    const { pid } = JSON.parse(readFileSync(info, 'utf8')) as { pid: number };
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // Over already.
    }
  }
}

function firstStep(runs: string): number {
  const newest = readdirSync(runs).sort().at(-1);
  const lines = readFileSync(join(runs, newest ?? '', 'metrics.jsonl'), 'utf8')
    .split('\n')
    .slice(0, -1);
  const events = lines.map(line => JSON.parse(line) as { type: string; time: number });
  return events.find(event => event.type === 'step')?.time ?? Number.NaN;
}
