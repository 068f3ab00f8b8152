/** Entry of the language server in a browser worker: no disk, so no data-aware types, no imports and no runs. */
import { BrowserMessageReader, BrowserMessageWriter, createConnection } from 'vscode-languageserver/browser';
import type { ServerHost } from './host.ts';
import { startServer } from './server.ts';

const host: ServerHost = {
  setFolders: () => {},
  folders: () => [],
  langHost: openText => ({ readText: openText, readSchema: () => ({ kind: 'pending' }) }),
  listFolder: () => [],
  linkTarget: () => undefined,
  sourceFiles: () => [],
  trainingPlace: () => undefined,
  ownsRun: () => false,
};

startServer(createConnection(new BrowserMessageReader(globalThis), new BrowserMessageWriter(globalThis)), host);
