/** Entry of the language server in a browser worker: no disk and no runs; sources come from the client, procedural data is known by itself. */
import { BrowserMessageReader, BrowserMessageWriter, createConnection } from 'vscode-languageserver/browser';
import { digitsReader } from '../../engine/data/digits.ts';
import { moonsReader, spiralsReader } from '../../engine/data/points.ts';
import type { SourceReader } from '../../engine/data/schema.ts';
import { sequencesReader } from '../../engine/data/sequences.ts';
import type { Call } from '../../engine/ir/program.ts';
import { EngineError } from '../../engine/util/errors.ts';
import type { SchemaResult } from '../lang/api.ts';
import { createGate } from './gate.ts';
import type { ServerHost } from './host.ts';
import { startServer } from './server.ts';

/** Sources that read no file. */
const procedural: Readonly<Record<string, SourceReader>> = {
  digits: digitsReader,
  moons: moonsReader,
  spirals: spiralsReader,
  sequences: sequencesReader,
};

/** What lies in a file is unknown here, and stays silent. */
function readSchema({ name, args }: Call): SchemaResult {
  const reader = Object.hasOwn(procedural, name) ? procedural[name] : undefined;
  if (reader === undefined) return { kind: 'pending' };
  try {
    return { kind: 'schema', ...reader.schema(args, path => path) };
  } catch (error) {
    if (error instanceof EngineError) return { kind: 'problem', code: 'data-malformed', message: error.message };
    throw error;
  }
}

const host: ServerHost = {
  setFolders: () => {},
  folders: () => [],
  langHost: openText => ({ readText: openText, readSchema }),
  listFolder: () => [],
  linkTarget: () => undefined,
  sourceFiles: () => [],
  trainingPlace: () => undefined,
  ownsRun: () => false,
};

const [reader, writer] = [new BrowserMessageReader(globalThis), new BrowserMessageWriter(globalThis)];
startServer(createConnection(reader, writer, { messageStrategy: createGate() }), host);
