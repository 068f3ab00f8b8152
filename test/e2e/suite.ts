/** Bundles the tests that run inside the extension host, and reads what they found. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { root } from './host.ts';

/** Absolute path of the bundle. Mocha itself stays outside: it loads its parts by name. */
export async function bundleSuite(): Promise<string> {
  const outfile = join(root, '.cache/e2e/suite.cjs');
  await build({
    entryPoints: [join(root, 'test/e2e/suite/index.ts')],
    bundle: true,
    outfile,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    external: ['vscode', 'mocha'],
  });
  return outfile;
}

export interface SuiteResult {
  readonly failures: number;
  readonly outcomes: readonly { readonly title: string; readonly error?: string; readonly ms: number }[];
  readonly figures: Readonly<Record<string, number>>;
}

/** Throws when the suite wrote none: a dead extension host counts as success elsewhere. */
export function readResult(file: string): SuiteResult {
  return JSON.parse(readFileSync(file, 'utf8')) as SuiteResult;
}
