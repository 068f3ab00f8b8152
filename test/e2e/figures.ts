/** Figures that the scenarios measure, gathered in artifacts/e2e.json. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { artifacts } from './host.ts';

/** Adds to what earlier scenarios wrote, and says it. Milliseconds unless the name says otherwise. */
export function record(figures: Readonly<Record<string, number>>): void {
  const file = join(artifacts, 'e2e.json');
  mkdirSync(artifacts, { recursive: true });
  const before: unknown = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};
  writeFileSync(file, `${JSON.stringify({ ...(before as object), ...figures }, null, 2)}\n`);
  for (const [name, value] of Object.entries(figures)) console.log(`measured: ${name} ${Math.round(value)}`);
}
