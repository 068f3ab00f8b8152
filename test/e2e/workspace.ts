/** A workspace of its own for each scenario: copies of the examples and programs made for the test. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from './host.ts';

export interface Workspace {
  readonly folder: string;
  path(name: string): string;
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
    remove: () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }),
  };
}
