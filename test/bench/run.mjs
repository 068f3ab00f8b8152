// Bundles a benchmark beside the build and runs it with the garbage collector at hand. `node test/bench/run.mjs SCRIPT [WORKLOAD…] [--profile] [--long]`
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = name => fileURLToPath(new URL(name, import.meta.url));
const [script, ...options] = process.argv.slice(2);
const outfile = here(`../../node_modules/.cache/strata/${script}.mjs`);
await build({
  entryPoints: [here(`${script}.ts`)],
  outfile,
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  external: ['webgpu'],
  banner: {
    js: "import { createRequire as strataRequire } from 'node:module'; const require = strataRequire(import.meta.url);",
  },
  logLevel: 'warning',
});
const args = ['--expose-gc', outfile, here('.'), ...options];
process.exitCode = spawnSync(process.execPath, args, { stdio: 'inherit' }).status ?? 1;
