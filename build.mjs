// Bundles every program of the project into dist/. `node build.mjs [--watch] [--production]`
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { build, context } from 'esbuild';

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

if (!watch) rmSync('dist', { recursive: true, force: true });
if (watch) await Promise.all(programs.map(async options => (await context(options)).watch()));
else await Promise.all(programs.map(options => build(options)));
await writeDerived();

/** What derives from the registries: the grammar over the library's names, a page of documentation a diagnostic code. */
async function writeDerived() {
  const contents =
    "export { buildGrammar } from './syntaxes/build.ts'; export { diagnosticPages } from './server/ide/diagnostics/pages.ts';";
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: '.' },
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'node',
  });
  const code = Buffer.from(outputFiles[0].contents).toString('base64');
  const { buildGrammar, diagnosticPages } = await import(`data:text/javascript;base64,${code}`);
  mkdirSync('dist/docs/diagnostics', { recursive: true });
  writeFileSync('dist/strata.tmLanguage.json', JSON.stringify(buildGrammar()));
  for (const [name, text] of diagnosticPages()) writeFileSync(`dist/docs/diagnostics/${name}`, text);
}
