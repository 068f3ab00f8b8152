/** Uris of files, in one spelling, so that equal files have equal uris: VS Code's, where `(` is `%28` and a drive `c%3A`. */
import { URI, Utils } from 'vscode-uri';

/** Most uris, which parsing and printing wouldn't change. */
const plain = /^(?!file:\/[^/])[a-z][a-z0-9+.-]*:(?:\/\/[a-z0-9.-]*\/)?[\w.~/-]*$/;

/** What is no uri stays as it is. */
export function canonicalUri(uri: string): string {
  return plain.test(uri) ? uri : (parsed(uri)?.toString() ?? uri);
}

/** The uri that a path in the file `from` leads to; nothing in a path stands for something else, as `%20` does in a uri. */
export function resolveUri(from: string, path: string): string {
  if (/^[a-z][a-z0-9+.-]+:/i.test(path)) return canonicalUri(path);
  const base = parsed(from);
  return base === undefined ? path : Utils.resolvePath(Utils.dirname(base.with({ fragment: '' })), path).toString();
}

/** The path that leads from the file `from` to another one; undefined across schemes and hosts. */
export function relativePath(from: string, to: string): string | undefined {
  const [a, b] = [parsed(canonicalUri(from)), parsed(canonicalUri(to))];
  if (a === undefined || b === undefined || a.scheme !== b.scheme || a.authority !== b.authority) return undefined;
  const folder = a.path.split('/').slice(0, -1);
  const way = b.path.split('/');
  let common = 0;
  while (common < folder.length && common < way.length - 1 && folder[common] === way[common]) common++;
  // Another drive is out of reach.
  if (common < 2 && /^[a-z]:$/i.test(folder[1] ?? '')) return undefined;
  return [...folder.slice(common).map(() => '..'), ...way.slice(common)].join('/');
}

function parsed(uri: string): URI | undefined {
  try {
    return URI.parse(uri, true);
  } catch {
    return undefined;
  }
}
