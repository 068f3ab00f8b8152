/** Every example: each expression of its train blocks and of the models in them has the shape that the checker shows for it. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';
import { analyze } from '../../server/lang/analyze.ts';
import { mutationHost } from '../server/lang/mutants.ts';
import { runtimeShapes } from '../support/runtimeShapes.ts';

const folder = join(import.meta.dirname, '..', '..', 'examples');

it.each(readdirSync(folder).filter(name => name.endsWith('.strata')))('%s', { timeout: 60_000 }, file => {
  const path = join(folder, file);
  const analysis = analyze(pathToFileURL(path).href, readFileSync(path, 'utf8'), mutationHost);
  for (const { name } of analysis.trains) {
    const found = runtimeShapes(analysis, name, 2);
    expect(found.length).toBeGreaterThan(5);
    expect(found.filter(({ shown, real }) => shown !== real)).toEqual([]);
  }
});
