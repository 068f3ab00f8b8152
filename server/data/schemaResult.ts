/** What the checker is told of a source: its schema, or what is wrong with it. Without Node, for a browser too. */
import { proceduralSchema } from '../../engine/data/procedural.ts';
import type { Call } from '../../engine/ir/program.ts';
import { nameOfPath } from '../../engine/util/address.ts';
import { EngineError } from '../../engine/util/errors.ts';
import type { SchemaResult } from '../lang/api.ts';

/** What is known in the end: a reading never stays pending. */
export type SettledSchema = Exclude<SchemaResult, { readonly kind: 'pending' }>;

/** What is wrong with a source, and which argument is to blame: the one that the message names. */
export function schemaProblem(source: Call, { code, message }: EngineError): SettledSchema {
  const blamed = Object.entries(source.args).find(
    ([, value]) => typeof value === 'string' && value !== '' && message.startsWith(nameOfPath(value)),
  );
  return {
    kind: 'problem',
    code: code === 'data-missing' ? 'data-missing' : 'data-malformed',
    message,
    ...(blamed && { argument: blamed[0] }),
  };
}

/** Of a source that reads no file; undefined for others. */
export function proceduralResult(source: Call): SettledSchema | undefined {
  try {
    const schema = proceduralSchema(source);
    return schema && { kind: 'schema', ...schema };
  } catch (error) {
    if (error instanceof EngineError) return schemaProblem(source, error);
    throw error;
  }
}
