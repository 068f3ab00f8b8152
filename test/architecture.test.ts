/** The import rules of docs/architecture.md and the size budgets of the code, kept by a test. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

interface SourceFile {
  readonly path: string;
  readonly text: string;
  /** Repository paths of what it imports by relative path. */
  readonly local: readonly string[];
  /** Package and Node module names it imports. */
  readonly packages: readonly string[];
  /** Relative imports that are not type-only. */
  readonly runtime: readonly string[];
}

const importPattern =
  /(?:^|\n)\s*(import|export)(\s+type)?\s[^'"`;]*?from\s+['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]\s*\)|(?:^|\n)import\s+['"]([^'"]+)['"]/g;

function read(path: string): SourceFile {
  const text = readFileSync(join(root, path), 'utf8');
  const imports = [...text.matchAll(importPattern)].map(m => ({
    from: (m[3] ?? m[4] ?? m[5])!,
    type: m[2] !== undefined,
  }));
  const resolve = (from: string): string =>
    relative(root, join(root, dirname(path), from))
      .split(sep)
      .join('/');
  const localImports = imports.filter(i => i.from.startsWith('.'));
  return {
    path,
    text,
    local: localImports.map(i => resolve(i.from)),
    runtime: localImports.filter(i => !i.type).map(i => resolve(i.from)),
    packages: imports.filter(i => !i.from.startsWith('.')).map(i => i.from),
  };
}

/** All TypeScript files below a top folder, as repository paths. */
function filesOf(folder: string): readonly SourceFile[] {
  if (!existsSync(join(root, folder))) return [];
  const names = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' });
  return names.filter(name => name.endsWith('.ts')).map(name => read(`${folder}/${name.split(sep).join('/')}`));
}

const sources = ['client', 'server', 'engine', 'syntaxes'].flatMap(filesOf);
const tests = filesOf('test');

/** engine/, lowest first: a folder imports itself and those before it. */
const layers = ['util', 'dim', 'ir', 'ops', 'passes', 'kernel', 'codegen', 'backend', 'data', 'train', 'process'];
const pure = new Set(['dim', 'ir', 'ops', 'passes', 'kernel', 'codegen']);
const layerOf = (path: string): string | undefined => /^engine\/(\w+)\//.exec(path)?.[1];
const isNode = (name: string): boolean => name.startsWith('node:');

function violations(files: readonly SourceFile[], broken: (file: SourceFile) => readonly string[]): readonly string[] {
  return files.flatMap(file => broken(file).map(what => `${file.path} imports ${what}`));
}
const within = (folder: string): readonly SourceFile[] => sources.filter(f => f.path.startsWith(folder));

describe('import rules', () => {
  it('inside engine/ a folder imports only folders above it', () => {
    const found = violations(within('engine/'), file => {
      const own = layers.indexOf(layerOf(file.path) ?? '');
      return file.local.filter(to => layerOf(to) !== undefined && layers.indexOf(layerOf(to)!) > own);
    });
    expect(found).toEqual([]);
  });

  it('every folder of engine/ has a place in the order', () => {
    const strangers = within('engine/').filter(file => !layers.includes(layerOf(file.path) ?? ''));
    expect(strangers.map(f => f.path)).toEqual([]);
  });

  it('the engine knows neither language nor editor', () => {
    expect(violations(within('engine/'), file => file.local.filter(to => !to.startsWith('engine/')))).toEqual([]);
  });

  it('from dim to codegen nothing touches Node or the GPU', () => {
    const files = within('engine/').filter(file => pure.has(layerOf(file.path) ?? ''));
    expect(violations(files, file => file.packages.filter(p => isNode(p) || p === 'webgpu'))).toEqual([]);
  });

  it('only engine/backend/webgpu imports webgpu', () => {
    const files = sources.filter(file => !file.path.startsWith('engine/backend/webgpu/'));
    expect(violations(files, file => file.packages.filter(p => p === 'webgpu'))).toEqual([]);
  });

  it('language and editor features are pure: the engine up to codegen, no Node, no LSP', () => {
    const files = [...within('server/lang/'), ...within('server/ide/')];
    const found = violations(files, file => [
      ...file.local.filter(to => to.startsWith('engine/') && !(pure.has(layerOf(to) ?? '') || layerOf(to) === 'util')),
      ...file.local.filter(to => /^server\/(lsp|cli|runs)\//.test(to) || to.startsWith('client/')),
      // Uris are no editor's, nor is what reads them.
      ...file.packages.filter(p => isNode(p) || (p.startsWith('vscode') && p !== 'vscode-uri')),
    ]);
    expect(found).toEqual([]);
  });

  it('the language does not know the editor features', () => {
    expect(violations(within('server/lang/'), file => file.local.filter(to => to.startsWith('server/ide/')))).toEqual(
      [],
    );
  });

  it('only client/ imports vscode', () => {
    const files = sources.filter(file => !file.path.startsWith('client/'));
    expect(violations(files, file => file.packages.filter(p => p === 'vscode'))).toEqual([]);
  });

  it('the server does not import the client', () => {
    expect(violations(within('server/'), file => file.local.filter(to => to.startsWith('client/')))).toEqual([]);
  });

  it('there are no import cycles', () => {
    expect(findCycle(new Map(sources.map(f => [f.path, f.runtime])))).toBeUndefined();
  });
});

function findCycle(graph: ReadonlyMap<string, readonly string[]>): readonly string[] | undefined {
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (file: string): readonly string[] | undefined => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
    if (done.has(file)) return undefined;
    path.push(file);
    for (const to of graph.get(file) ?? []) {
      const cycle = visit(to);
      if (cycle !== undefined) return cycle;
    }
    path.pop();
    done.add(file);
    return undefined;
  };
  for (const file of graph.keys()) {
    const cycle = visit(file);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}

describe('budgets', () => {
  const lines = (file: SourceFile): number => file.text.split('\n').length - 1;
  const quantile = (files: readonly SourceFile[], q: number): number => {
    const sorted = files.map(lines).sort((a, b) => a - b);
    return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0;
  };

  it('files have at most 500 lines, 400 at the 90th percentile, 150 in the median', () => {
    expect(sources.filter(f => lines(f) > 500).map(f => `${f.path}: ${lines(f)}`)).toEqual([]);
    expect(quantile(sources, 0.9)).toBeLessThanOrEqual(400);
    expect(quantile(sources, 0.5)).toBeLessThanOrEqual(150);
  });

  it('style sheets have at most 500 lines', () => {
    const names = readdirSync(join(root, 'client'), { recursive: true, encoding: 'utf8' });
    const sheets = names.filter(name => name.endsWith('.css')).map(name => read(`client/${name.split(sep).join('/')}`));
    expect(sheets.length).toBeGreaterThan(0);
    expect(sheets.filter(f => lines(f) > 500).map(f => `${f.path}: ${lines(f)}`)).toEqual([]);
  });

  it('test files have at most 800 lines', () => {
    expect(tests.filter(f => lines(f) > 800).map(f => `${f.path}: ${lines(f)}`)).toEqual([]);
  });

  it('no checks are switched off', () => {
    const marks = new RegExp(['@ts-' + 'ignore', '@ts-' + 'nocheck', 'biome-' + 'ignore'].join('|'));
    expect(
      [...sources, ...tests]
        .filter(f => marks.test(f.text) && !f.path.endsWith('architecture.test.ts'))
        .map(f => f.path),
    ).toEqual([]);
  });

  it('every source file opens with a sentence that says what lives there', () => {
    expect(sources.filter(f => !/^(#!.*\n)?\s*\/\*\*/.test(f.text)).map(f => f.path)).toEqual([]);
  });
});
