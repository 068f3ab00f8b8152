/** Real data sets beside the checkout, for whoever has them: tests that want them skip aloud where they are absent. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** Absolute path of a file or folder of `STRATA_DATA`, or of `shared/data` beside the repository; undefined where there is none. */
export function sharedData(name: string): string | undefined {
  const root = process.env.STRATA_DATA ?? join(import.meta.dirname, '..', '..', '..', 'shared', 'data');
  const path = join(root, name);
  return existsSync(path) ? path : undefined;
}
