/** Renaming files: the paths of imports and data that led to a renamed file, or start at one, lead on to the same files. */
import type { Analysis, TextEdit } from '../lang/api.ts';
import { relativePath, resolveUri } from '../lang/uri.ts';
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
      const target = resolveUri(file.uri, path);
      const moved = renamed(target, renames);
      if (moved === undefined && base === file.uri) return [];
      const way = relativePath(base, moved ?? target);
      return way === undefined || way === path ? [] : [{ span, text: JSON.stringify(way).slice(1, -1) }];
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
