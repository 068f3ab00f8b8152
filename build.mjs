// Bundles every program of the project into dist/, and the manual. `node build.mjs [--watch] [--production]`, or `--manual` for that alone.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { build, context } from 'esbuild';
import { noticesOf } from './notices.mjs';

const watch = process.argv.includes('--watch');
const production = process.argv.includes('--production');

// CommonJS libraries inside ES modules ask for `require`; Node's own gives it to them.
const requireBanner = {
  js: "import { createRequire as strataRequire } from 'node:module'; const require = strataRequire(import.meta.url);",
};
const shared = {
  bundle: true,
  outdir: 'dist',
  sourcemap: production ? false : 'linked',
  minify: production,
  logLevel: 'warning',
  metafile: true,
};
const node = { ...shared, platform: 'node', target: 'node20' };

const programs = [
  // The extension host loads CommonJS; `vscode` is its own module.
  {
    ...node,
    format: 'cjs',
    entryPoints: { extension: 'client/extension.ts' },
    external: ['vscode'],
    outExtension: { '.js': '.cjs' },
  },
  {
    ...node,
    format: 'esm',
    banner: requireBanner,
    // The native WebGPU addon is loaded where it is installed, and only by the engine.
    external: ['webgpu'],
    entryPoints: {
      server: 'server/lsp/main.ts',
      schemas: 'server/data/schemaThread.ts',
      cli: 'server/cli/main.ts',
      engine: 'engine/process/main.ts',
    },
  },
  {
    ...shared,
    platform: 'browser',
    target: 'es2022',
    format: 'iife',
    entryPoints: { panel: 'client/panel/web/main.ts', serverWorker: 'server/lsp/browser.ts' },
  },
  // The extension host of a browser loads CommonJS as well.
  {
    ...shared,
    platform: 'browser',
    target: 'es2022',
    format: 'cjs',
    entryPoints: { browser: 'client/browser.ts' },
    external: ['vscode'],
    outExtension: { '.js': '.cjs' },
  },
];

/** What users download and editors load, in bytes. */
const budgets = { 'dist/extension.cjs': 600_000, 'dist/server.js': 1_000_000 };

const manual = process.argv.includes('--manual');
if (!watch) rmSync(manual ? 'dist/strata-manual' : 'dist', { recursive: true, force: true });
if (manual) console.log('the manual begins in dist/strata-manual/README.md');
else if (watch) await Promise.all(programs.map(async options => (await context(options)).watch()));
else finish(await Promise.all(programs.map(options => build(options))));
await writeDerived();

/** Licences beside the bundles; those for users stay within their budgets. */
function finish(results) {
  write('dist/third-party-notices.txt', noticesOf(results.flatMap(({ metafile }) => Object.keys(metafile.inputs))));
  for (const [path, { bytes }] of results.flatMap(({ metafile }) => Object.entries(metafile.outputs))) {
    if (production && bytes > budgets[path])
      throw new Error(`${path}: expected at most ${budgets[path]} bytes, found ${bytes}`);
  }
}

/** What derives from the registries: the grammar over the library's names, and the manual. */
async function writeDerived() {
  const contents =
    "export { buildGrammar } from './syntaxes/build.ts'; export { makeManual } from './server/manual/manual.ts';";
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: '.' },
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'node',
  });
  const code = Buffer.from(outputFiles[0].contents).toString('base64');
  const { buildGrammar, makeManual } = await import(`data:text/javascript;base64,${code}`);
  const spec = readdirSync('test/spec').filter(name => name.endsWith('.md'));
  const read = name => readFileSync(join('test/spec', name), 'utf8');
  const { pages, names } = makeManual(new Map(spec.map(name => [name, read(name)])), read('grammar.ebnf'));
  write('dist/strata.tmLanguage.json', JSON.stringify(buildGrammar()));
  write('dist/strata-manual/names.json', JSON.stringify(names));
  for (const [path, text] of pages) write(join('dist/strata-manual', path), text);
}

function write(path, text) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}
