/** Data that a file names by an address and that nobody has fetched yet: what its diagnostics say is missing. */
import { isAddress } from '../../engine/util/address.ts';
import type { Analysis, Span } from '../lang/api.ts';

export interface Unfetched {
  /** As the program writes it, with its checksum if it has one. */
  readonly path: string;
  /** Of the text in quotes. */
  readonly span: Span;
}

export function unfetched({ facts }: Analysis): readonly Unfetched[] {
  return facts.flatMap(({ code, data, span }) => {
    const path = code === 'data-missing' && 'path' in data ? data.path : '';
    return isAddress(path) ? [{ path, span }] : [];
  });
}
