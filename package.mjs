// Makes the extension's packages from what is built: `npm run package`, or `node package.mjs [--out FOLDER] [--target linux-x64 | universal | web]…`
// A platform's package carries the WebGPU addon and a Node 24 for the engine; the universal one trains with the Node it finds; the one
// for the web has the server as a worker and trains nothing.
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createVSIX, listFiles } from '@vscode/vsce';

const root = dirname(fileURLToPath(import.meta.url));
const require = createRequire(import.meta.url);
const here = `${process.platform}-${process.arch}`;
/** What only one kind of host loads. */
const programs = {
  machine: ['dist/extension.cjs', 'dist/server.js', 'dist/schemas.js', 'dist/engine.js', 'dist/cli.js'],
  browser: ['dist/browser.cjs', 'dist/serverWorker.js'],
};
const { values } = parseArgs({
  options: {
    out: { type: 'string', default: root },
    target: { type: 'string', multiple: true, default: ['universal', 'web', here] },
  },
});
const { name, version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
if (!existsSync(join(root, 'dist/extension.cjs'))) throw new Error('nothing is built yet: npm run build');
mkdirSync(values.out, { recursive: true });
for (const target of values.target) await makePackage(target);

async function makePackage(target) {
  const stage = join(root, '.cache/package', target);
  rmSync(stage, { recursive: true, force: true });
  // .vscodeignore decides; 2 stands for "no package manager": everything is bundled.
  const left = target === 'web' ? programs.machine : programs.browser;
  for (const file of [...(await listFiles({ cwd: root, packageManager: 2 })), '.vscodeignore']) {
    if (!left.includes(file)) cpSync(join(root, file), join(stage, file));
  }
  if (target === 'web') writeWebManifest(stage);
  if (target !== 'universal' && target !== 'web') addNativeParts(target, join(stage, 'dist'));
  const packagePath = join(values.out, `${name}-${target}-${version}.vsix`);
  const platform = target === 'universal' ? {} : { target };
  const options = { dependencies: false, allowMissingRepository: true, rewriteRelativeLinks: false };
  await createVSIX({ cwd: stage, packagePath, ...platform, ...options });
  rmSync(stage, { recursive: true, force: true });
  console.log(`${packagePath}: ${(statSync(packagePath).size / 1e6).toFixed(2)} MB`);
}

/** In a browser VS Code loads another entry, and tasks and the engine don't exist. */
function writeWebManifest(stage) {
  const manifest = JSON.parse(readFileSync(join(stage, 'package.json'), 'utf8'));
  delete manifest.main;
  manifest.browser = './dist/browser.cjs';
  for (const part of ['taskDefinitions', 'problemMatchers']) delete manifest.contributes[part];
  writeFileSync(join(stage, 'package.json'), JSON.stringify(manifest, null, 2));
}

/** Resolved from dist/engine.js: `webgpu` in dist/node_modules, the runtime in dist/runtime. */
function addNativeParts(target, dist) {
  const [os, arch] = target.split('-');
  const addon = dirname(require.resolve('webgpu/package.json'));
  const binaries = os === 'darwin' ? 'darwin-universal' : target;
  for (const part of ['package.json', 'index.js', 'LICENSE.md', `dist/${binaries}`]) {
    cpSync(join(addon, part), join(dist, 'node_modules/webgpu', part), { recursive: true });
  }
  const manifest = require.resolve(`node-${os === 'win32' ? 'win' : os}-${arch}/package.json`);
  const program = os === 'win32' ? 'node.exe' : 'node';
  const runtime = join(dist, 'runtime', program);
  cpSync(join(dirname(manifest), 'bin', program), runtime, { dereference: true });
  cpSync(join(dirname(manifest), 'LICENSE'), join(dist, 'runtime/LICENSE'));
  chmodSync(runtime, 0o755);
}
