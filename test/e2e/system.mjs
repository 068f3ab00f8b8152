// What the tests need from the system: Chromium, the Vulkan loader and a second driver. On Debian and Ubuntu root installs them, and says so.
// `node test/e2e/system.mjs` exits 0 when all is there and 75 (skipped) when something is missing, which it names.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fetchLavapipe, lavapipeManifest } from '../support/lavapipe.mjs';

/** Absolute path of a program on the PATH. */
export function onPath(...names) {
  const folders = (process.env.PATH ?? '').split(delimiter).filter(Boolean);
  return names.flatMap(name => folders.map(folder => join(folder, name))).find(path => existsSync(path));
}

/** Chromium or a browser of its kind; STRATA_CHROMIUM names one. */
export function chromiumPath() {
  const named = process.env.STRATA_CHROMIUM;
  if (named) return existsSync(named) ? named : undefined;
  const found = onPath('chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'microsoft-edge');
  const apps = ['Google Chrome', 'Chromium', 'Microsoft Edge'].map(
    name => `/Applications/${name}.app/Contents/MacOS/${name}`,
  );
  return found ?? apps.find(path => existsSync(path));
}

function hasVulkan() {
  if (process.platform !== 'linux') return true;
  const { stdout } = spawnSync('ldconfig', ['-p'], { encoding: 'utf8' });
  const folders = ['/usr/lib', '/usr/lib64', '/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu'];
  return (
    (stdout ?? '').includes('libvulkan.so.1') || folders.some(folder => existsSync(join(folder, 'libvulkan.so.1')))
  );
}

const wanted = [
  {
    package: 'chromium',
    present: () => chromiumPath() !== undefined,
    use: 'the panel and the editor are tested in Chromium',
  },
  { package: 'libvulkan1', present: hasVulkan, use: 'WebGPU needs the Vulkan loader' },
  {
    package: 'mesa-vulkan-drivers',
    present: () => process.platform !== 'linux' || existsSync(lavapipeManifest),
    install: fetchLavapipe,
    use: 'WebGPU is tested on lavapipe beside SwiftShader',
  },
  { package: 'neovim', present: () => onPath('nvim') !== undefined, use: 'the language server is tested in Neovim' },
];

/** Installs what is missing where that is possible. Answers the names of what is missing still. */
export function ensureSystem() {
  const missing = wanted.filter(item => !item.present());
  if (missing.length === 0) return [];
  if (!canInstall()) return missing.map(item => item.package);
  const names = missing.filter(item => !item.install).map(item => item.package);
  if (names.length > 0) installPackages(names);
  for (const item of missing) if (item.install && !item.install()) console.log(`fetching ${item.package} failed`);
  return missing.filter(item => !item.present()).map(item => item.package);
}

function installPackages(names) {
  console.log(`installing with apt-get: ${names.join(' ')}`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const apt = args => spawnSync('apt-get', args, { env, stdio: ['ignore', 'ignore', 'inherit'] }).status === 0;
  if (!apt(['update', '-qq']) || !apt(['install', '-y', '-qq', '--no-install-recommends', ...names]))
    console.log('apt-get failed');
}

/** Root on Debian or Ubuntu, and not told to keep off (STRATA_NO_APT). */
function canInstall() {
  if (process.platform !== 'linux' || process.getuid?.() !== 0 || process.env.STRATA_NO_APT || !onPath('apt-get'))
    return false;
  const release = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : '';
  return /^ID(_LIKE)?=.*(debian|ubuntu)/m.test(release);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const missing = ensureSystem();
  for (const item of wanted) {
    if (missing.includes(item.package)) console.log(`missing: ${item.package}; ${item.use}; those tests are skipped`);
    else console.log(`present: ${item.package}`);
  }
  process.exitCode = missing.length === 0 ? 0 : 75;
}
