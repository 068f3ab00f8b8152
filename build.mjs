// Bundles every program of the project into dist/. `node build.mjs [--watch] [--production]`
import { existsSync, rmSync } from 'node:fs';
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
    entryPoints: { server: 'server/lsp/main.ts', cli: 'server/cli/main.ts', engine: 'engine/process/main.ts' },
  },
  {
    ...shared,
    platform: 'browser',
    target: 'es2022',
    format: 'iife',
    entryPoints: { panel: 'client/panel/web/main.ts' },
  },
];

// DEVELOPMENT ONLY: entries that do not exist yet are left out.
const present = programs
  .map(p => ({
    ...p,
    entryPoints: Object.fromEntries(Object.entries(p.entryPoints).filter(([, file]) => existsSync(file))),
  }))
  .filter(p => Object.keys(p.entryPoints).length > 0);

if (!watch) rmSync('dist', { recursive: true, force: true });
if (watch) await Promise.all(present.map(async options => (await context(options)).watch()));
else await Promise.all(present.map(options => build(options)));
