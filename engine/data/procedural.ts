/** Sources that read no file: what they hold follows from their arguments, so that it is known at once and in a browser too. */
import type { Call } from '../ir/program.ts';
import { digitsReader } from './digits.ts';
import { moonsReader, spiralsReader } from './points.ts';
import type { DataSchema, ProceduralReader } from './schema.ts';
import { sequencesReader } from './sequences.ts';

export const procedural: Readonly<Record<string, ProceduralReader>> = {
  digits: digitsReader,
  moons: moonsReader,
  sequences: sequencesReader,
  spirals: spiralsReader,
};

/** What a procedural source holds, or undefined for one that reads files. Throws EngineError for arguments out of range. */
export function proceduralSchema({ name, args }: Call): DataSchema | undefined {
  return Object.hasOwn(procedural, name) ? procedural[name]!.schema(args) : undefined;
}
