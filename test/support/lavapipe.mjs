// Mesa's CPU driver for Vulkan, a second WebGPU adapter to test on: fetched with apt from the distribution's newest suite, kept in .cache.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PACKAGE = 'mesa-vulkan-drivers';
const folder = fileURLToPath(new URL('../../.cache/lavapipe', import.meta.url));
const root = join(folder, 'root');

/** What Vulkan's loader is pointed at: STRATA_LAVAPIPE, or what `fetchLavapipe` made. Debian 12's own driver is too old for Dawn. */
export const lavapipeManifest = process.env.STRATA_LAVAPIPE ?? join(folder, 'lvp_icd.json');

/** Folders of the libraries that were fetched with the driver, for LD_LIBRARY_PATH of processes that load it. */
export function lavapipeLibraries() {
  const libraries = join(root, 'usr', 'lib');
  if (process.env.STRATA_LAVAPIPE || !existsSync(lavapipeManifest)) return [];
  return readdirSync(libraries).map(triplet => join(libraries, triplet));
}

/**
 * Unpacks the driver and the packages that it lacks here into `folder`, of the system nothing is changed: as a part of the system, the
 * loader would give this adapter to every program. Answers whether the driver is there.
 */
export function fetchLavapipe() {
  if (existsSync(lavapipeManifest)) return true;
  const sources = aptSources();
  if (sources === undefined) return false;
  console.log(`fetching with apt-get: ${PACKAGE}, into .cache`);
  rmSync(folder, { recursive: true, force: true });
  for (const each of ['lists/partial', 'archives/partial', 'root']) mkdirSync(join(folder, each), { recursive: true });
  writeFileSync(join(folder, 'sources.list'), sources.lines.join('\n'));
  const fetched =
    apt(['update']) &&
    apt(['-y', '--no-install-recommends', '--download-only', '-t', sources.suite, 'install', PACKAGE]);
  const library = fetched ? unpack() : undefined;
  for (const each of ['lists', 'archives', 'pkgcache.bin', 'srcpkgcache.bin'])
    rmSync(join(folder, each), { recursive: true, force: true });
  if (library === undefined) return false;
  writeFileSync(
    lavapipeManifest,
    JSON.stringify({ file_format_version: '1.0.0', ICD: { api_version: '1.3.0', library_path: library } }),
  );
  return true;
}

/** The suite of backports beside the one that the machine is set up with, from the same place. */
function aptSources() {
  const release = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : '';
  const suite = /^VERSION_CODENAME=(\w+)/m.exec(release)?.[1];
  const format = '$(CODENAME) $(REPO_URI) $(COMPONENT)';
  const { stdout } = spawnSync('apt-get', ['indextargets', '--format', format, 'Created-By: Packages'], {
    encoding: 'utf8',
  });
  const own = new Set((stdout ?? '').split('\n').filter(line => suite && line.startsWith(`${suite} `)));
  if (own.size === 0) return undefined;
  const lines = [...own].map(line => line.split(' ').slice(1));
  const suites = [suite, `${suite}-backports`];
  return { suite: suites[1], lines: suites.flatMap(each => lines.map(([uri, part]) => `deb ${uri} ${each} ${part}`)) };
}

function apt(args) {
  const places = {
    'Dir::Etc::sourcelist': join(folder, 'sources.list'),
    'Dir::Etc::sourceparts': '/dev/null',
    'Dir::State::lists': join(folder, 'lists'),
    'Dir::Cache': folder,
    'Acquire::Languages': 'none',
    'Debug::NoLocking': '1',
  };
  const options = Object.entries(places).flatMap(([key, value]) => ['-o', `${key}=${value}`]);
  return spawnSync('apt-get', [...options, '-qq', ...args], { stdio: ['ignore', 'ignore', 'inherit'] }).status === 0;
}

/** Path of the driver's library. */
function unpack() {
  const archives = readdirSync(join(folder, 'archives')).filter(name => name.endsWith('.deb'));
  for (const name of archives) spawnSync('dpkg', ['-x', join(folder, 'archives', name), root]);
  const libraries = join(root, 'usr', 'lib');
  const drivers = readdirSync(libraries, { recursive: true }).filter(path => /libvulkan_\w+\.so$/.test(path));
  const found = drivers.find(path => path.endsWith('libvulkan_lvp.so'));
  // The package brings those of GPUs too.
  for (const path of drivers) if (path !== found) rmSync(join(libraries, path));
  return found && join(libraries, found);
}
