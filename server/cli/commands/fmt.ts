/** `strata fmt`: rewrites files in the canonical form, or says which are not. */
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { format } from '../../lang/format/format.ts';
import { exitCodes } from '../exit.ts';
import { readText } from '../source.ts';

export function fmt(files: readonly string[], options: { readonly check?: boolean }): void {
  let changed = 0;
  for (const file of files) {
    const text = readText(resolve(file), file);
    const formatted = format(text);
    if (formatted === text) continue;
    changed++;
    if (options.check !== true) writeFileSync(resolve(file), formatted);
    console.log(options.check === true ? `${file} is not formatted` : `${file} formatted`);
  }
  if (options.check === true && changed > 0) process.exitCode = exitCodes.errors;
}
