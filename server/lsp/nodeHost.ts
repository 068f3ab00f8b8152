/** The host on a real machine: workspace folders on disk, run folders, the engine beside the server. */
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { isInside, workspacePaths } from '../../engine/data/paths.ts';
import { fetchData } from '../data/fetchData.ts';
import { createSchemaWorker } from '../data/schemaWorker.ts';
import { filePath, fileUri } from '../runs/fileUri.ts';
import { createLangHost } from '../runs/langHost.ts';
import { createRunManager } from '../runs/manager.ts';
import { isRunOf } from '../runs/store.ts';
import type { FolderEntry, ServerHost } from './host.ts';

/** More files than this are not searched for references and symbols. */
const maxFiles = 5000;
const skipped = new Set(['node_modules', 'dist', '__pycache__']);

/** `home`: the folder of the bundle, where the engine, the thread that reads schemas and the manual lie. */
export function createNodeHost(home: string): ServerHost {
  let roots: readonly string[] = [];
  /** Folders of files opened alone: their runs are kept there. */
  const lone = new Set<string>();
  const folders = (): readonly string[] => [...roots, ...lone];
  /** The innermost workspace folder, or the file's own folder for a file opened alone. */
  const workspaceOf = (uri: string): string | undefined => {
    const path = filePath(uri);
    if (path === undefined) return undefined;
    const holders = roots.filter(root => isInside(root, path)).sort((a, b) => b.length - a.length);
    return holders[0] ?? dirname(path);
  };
  const resolver = (fromUri: string) => {
    const [workspace, path] = [workspaceOf(fromUri), filePath(fromUri)];
    return workspace === undefined || path === undefined ? undefined : workspacePaths(workspace, dirname(path));
  };
  const thread = createSchemaWorker(join(home, 'schemas.js'));
  const manual = join(home, 'strata-manual');
  return {
    setFolders: uris => {
      roots = uris.flatMap(uri => filePath(uri) ?? []);
    },
    folders,
    langHost: (openText, arrived) => createLangHost({ workspaceOf, openText, arrived, ...thread }),
    listFolder: (path, fromUri) => listFolder(() => resolver(fromUri)?.(path === '' ? '.' : path)),
    linkTarget: (path, fromUri) => attempt(() => uriOf(resolver(fromUri)?.(path))),
    sourceFiles: () =>
      roots
        .flatMap(root => sourceFiles(root))
        .slice(0, maxFiles)
        .map(fileUri),
    trainingPlace: uri => {
      const path = filePath(uri);
      const workspace = workspaceOf(uri);
      if (path === undefined || workspace === undefined) return undefined;
      if (!roots.includes(workspace)) lone.add(workspace);
      return { workspace, base: dirname(path), source: relative(workspace, path).replaceAll('\\', '/') };
    },
    ownsRun: folder => folders().some(root => isRunOf(folder, root)),
    ...(existsSync(manual) ? { manual: fileUri(manual) } : {}),
    fetch: fetchData,
    createRuns: ({ engine, runtime, log }) =>
      createRunManager({ engine: engine ?? join(home, 'engine.js'), runtime, log }),
  };
}

function uriOf(path: string | undefined): string | undefined {
  return path === undefined ? undefined : fileUri(path);
}

function listFolder(resolve: () => string | undefined): readonly FolderEntry[] {
  const entries = attempt(() => {
    const path = resolve();
    return path === undefined ? [] : readdirSync(path, { withFileTypes: true });
  });
  return (entries ?? [])
    .filter(entry => !entry.name.startsWith('.') && !skipped.has(entry.name))
    .map(entry => ({ name: entry.name, folder: entry.isDirectory() }));
}

function sourceFiles(folder: string): readonly string[] {
  const found: string[] = [];
  const visit = (path: string, depth: number): void => {
    for (const entry of attempt(() => readdirSync(path, { withFileTypes: true })) ?? []) {
      if (found.length >= maxFiles) return;
      if (entry.isFile() && entry.name.endsWith('.strata')) found.push(join(path, entry.name));
      else if (entry.isDirectory() && depth < 12 && !entry.name.startsWith('.') && !skipped.has(entry.name)) {
        visit(join(path, entry.name), depth + 1);
      }
    }
  };
  visit(folder, 0);
  return found;
}

/** Paths come from texts being typed: one that leads nowhere is no error. */
function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}
