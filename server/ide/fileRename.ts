/** Renaming files: the paths of imports and data that led to a renamed file, or start at one, lead on to the same files. */
import type { Analysis, TextEdit } from '../lang/api.ts';
import { documentLinks } from './documentLinks.ts';

export interface FileRename {
  readonly oldUri: string;
  readonly newUri: string;
}

/** Edits by uri (the old one) for files and folders that are about to be renamed. */
export function fileRenameEdits(
  files: Iterable<Analysis>,
  renames: readonly FileRename[],
): ReadonlyMap<string, readonly TextEdit[]> {
  const edits = new Map<string, readonly TextEdit[]>();
  for (const file of files) {
    const base = renamed(file.uri, renames) ?? file.uri;
    const changed = documentLinks(file).flatMap(({ span, path }): TextEdit[] => {
      const target = resolvePath(path, file.uri);
      if (target === undefined) return [];
      const moved = renamed(target, renames);
      if (moved === undefined && base === file.uri) return [];
      const text = relativePath(base, moved ?? target);
      return text === undefined || text === path ? [] : [{ span, text }];
    });
    if (changed.length > 0) edits.set(file.uri, changed);
  }
  return edits;
}

/** Where a uri is after the renames, folders included; undefined if they don't touch it. */
function renamed(uri: string, renames: readonly FileRename[]): string | undefined {
  for (const { oldUri, newUri } of renames) {
    if (uri === oldUri) return newUri;
    if (uri.startsWith(`${oldUri}/`)) return newUri + uri.slice(oldUri.length);
  }
  return undefined;
}

/** The uri that a path in a file leads to. */
export function resolvePath(path: string, from: string): string | undefined {
  try {
    return new URL(path.replaceAll('%', '%25').replaceAll('#', '%23').replaceAll('?', '%3F'), from).href;
  } catch {
    return undefined;
  }
}

/** The path that leads from a file to another one; undefined across schemes and hosts. */
export function relativePath(from: string, to: string): string | undefined {
  const [a, b] = [segments(from), segments(to)];
  if (a === undefined || b === undefined || a.origin !== b.origin) return undefined;
  const folder = a.path.slice(0, -1);
  let common = 0;
  while (common < folder.length && common < b.path.length - 1 && folder[common] === b.path[common]) common++;
  return [...folder.slice(common).map(() => '..'), ...b.path.slice(common)].join('/');
}

function segments(uri: string): { readonly origin: string; readonly path: readonly string[] } | undefined {
  const match = /^([a-z][a-z0-9+.-]*:\/\/[^/]*)\/(.*)$/i.exec(uri);
  return match === null ? undefined : { origin: match[1]!, path: match[2]!.split('/').map(decodeURIComponent) };
}
