/** `strata fetch`: downloads the data that files name by address. */

import { fetchData } from '../../data/fetchData.ts';
import { type FetchedAll, fetchMissing } from '../../data/fetchMissing.ts';
import { exitCodes } from '../exit.ts';
import { readSource } from '../source.ts';
import { byteCount, liveLine, paint } from '../terminal.ts';

export async function fetch(files: readonly string[]): Promise<void> {
  for (const file of files) {
    const { pins } = await fetchFor(file, process.stdout);
    const source = await readSource(file);
    if (pins.length > 0) process.exitCode = exitCodes.errors;
    for (const { span, text } of pins) {
      const { line } = source.analysis.lines.position(span.start);
      console.log(`${file}:${line + 1}: write ${text}, so that it is this file for everybody`);
    }
  }
}

/** Fetches what the data of a file is missing, and says so on `stream`. */
export async function fetchFor(file: string, stream: NodeJS.WriteStream): Promise<FetchedAll> {
  const { workspace } = await readSource(file);
  return fetchMissing(
    async () => (await readSource(file)).analysis,
    async address => {
      const line = liveLine(stream);
      const onProgress = (bytes: number, total?: number): void =>
        line.update(`${address.url}  ${byteCount(bytes)}${total === undefined ? '' : ` of ${byteCount(total)}`}`);
      stream.write(`${paint('dim', `fetching ${address.url}`, stream)}\n`);
      const fetched = await fetchData(address, { workspace, onProgress });
      line.clear();
      stream.write(`${address.url}  ${byteCount(fetched.bytes)}, sha256 ${fetched.sha256}\n`);
      return fetched;
    },
  );
}
