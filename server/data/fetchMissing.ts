/** Fetching all that a file's data is missing: one address after the other, until its analysis lacks none that can be had. */
import { type Address, parseAddress, withChecksum } from '../../engine/util/address.ts';
import { type Unfetched, unfetched } from '../ide/unfetched.ts';
import type { Analysis, TextEdit } from '../lang/api.ts';
import type { Fetched } from './fetchData.ts';

export interface FetchedAll {
  readonly files: readonly Fetched[];
  /** Of addresses without a checksum: what was found at them, written behind them. */
  readonly pins: readonly TextEdit[];
}

/** `analyse`: the file as it is now, its data looked at again. Rejects as `fetch` does. */
export async function fetchMissing(
  analyse: () => Promise<Analysis | undefined>,
  fetch: (address: Address) => Promise<Fetched>,
): Promise<FetchedAll> {
  const found = new Map<string, Fetched>();
  for (;;) {
    const analysis = await analyse();
    const missing = analysis === undefined ? [] : unfetched(analysis);
    // A source of two files names the second when it has the first.
    const next = missing.find(({ path }) => !found.has(path));
    if (next === undefined) return { files: [...found.values()], pins: missing.flatMap(each => pinOf(each, found)) };
    found.set(next.path, await fetch(parseAddress(next.path)));
  }
}

function pinOf({ path, span }: Unfetched, found: ReadonlyMap<string, Fetched>): readonly TextEdit[] {
  const file = found.get(path);
  if (file === undefined || parseAddress(path).sha256 !== undefined) return [];
  return [{ span, text: JSON.stringify(withChecksum(path, file.sha256)) }];
}
