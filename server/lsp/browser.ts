/** Entry of the language server in a browser worker: no disk and no runs; sources come from the client, procedural data is known by itself. */
import { BrowserMessageReader, BrowserMessageWriter, createConnection } from 'vscode-languageserver/browser';
import { proceduralResult } from '../data/schemaResult.ts';
import { createGate } from './gate.ts';
import type { ServerHost } from './host.ts';
import { startServer } from './server.ts';

/** What lies in a file is unknown here, and stays silent. */
const unknown = { kind: 'pending' } as const;

const host: ServerHost = {
  setFolders: () => {},
  folders: () => [],
  langHost: openText => ({ readText: openText, readSchema: source => proceduralResult(source) ?? unknown }),
  listFolder: () => [],
  linkTarget: () => undefined,
  sourceFiles: () => [],
  trainingPlace: () => undefined,
  ownsRun: () => false,
};

const [reader, writer] = [new BrowserMessageReader(globalThis), new BrowserMessageWriter(globalThis)];
const gate = createGate();
startServer(createConnection(reader, writer, { messageStrategy: gate }), host, gate);
