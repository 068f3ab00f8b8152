/** Addresses of data files, with the checksum behind them as pip writes it: `https://example.org/iris.csv#sha256=9f86…`. */
import { EngineError } from './errors.ts';

export interface Address {
  /** Without the checksum: what is asked for, and what people see. */
  readonly url: string;
  /** 64 hexadecimal digits, lower case; without it nobody can say what the file should be. */
  readonly sha256?: string;
}

/** Whether a path of a program is an address instead. */
export function isAddress(path: string): boolean {
  return /^https?:/i.test(path);
}

/** A path as people see it: an address without its checksum. */
export function nameOfPath(path: string): string {
  return isAddress(path) ? path.replace(/#.*$/s, '') : path;
}

export function withChecksum(path: string, sha256: string): string {
  return `${nameOfPath(path)}#sha256=${sha256}`;
}

/** Throws `unsupported` for an address with a password, or one that none is, `data-malformed` for a checksum that none is. */
export function parseAddress(path: string): Address {
  const url = nameOfPath(path);
  demandPublic(url);
  const fragment = path.slice(url.length + 1);
  if (fragment === '') return { url };
  const sha256 = /^sha256[=:]([0-9a-f]{64})$/i.exec(fragment)?.[1]?.toLowerCase();
  if (sha256 !== undefined) return { url, sha256 };
  throw new EngineError(
    'data-malformed',
    `${url}: expected #sha256= and 64 hexadecimal digits behind the address, found "#${fragment.slice(0, 80)}"`,
  );
}

/** The parsed address. A file that needs a password is no shared one, and programs are shared. Throws `unsupported`. */
export function demandPublic(url: string): URL {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || !isAddress(parsed.href)) {
    throw new EngineError('unsupported', `${url}: expected an address such as https://example.org/iris.csv`);
  }
  if (parsed.username === '' && parsed.password === '') return parsed;
  throw new EngineError(
    'unsupported',
    `${parsed.origin}${parsed.pathname}: expected an address without a user and a password; download the file yourself`,
  );
}
