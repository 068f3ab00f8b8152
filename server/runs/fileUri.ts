/** Between absolute paths on this machine and uris. */
import { fileURLToPath, pathToFileURL } from 'node:url';
import { canonicalUri } from '../lang/uri.ts';

export function fileUri(path: string): string {
  return canonicalUri(pathToFileURL(path).href);
}

/** Undefined for what is no file of this machine. */
export function filePath(uri: string): string | undefined {
  if (!uri.startsWith('file:')) return undefined;
  try {
    return fileURLToPath(uri);
  } catch {
    return undefined;
  }
}
