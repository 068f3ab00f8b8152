/** Entry of `dist/server.js`: the language server over stdio, Node IPC or a socket, as the arguments say. */
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { createConnection, ProposedFeatures } from 'vscode-languageserver/node';
import { createGate } from './gate.ts';
import { createNodeHost } from './nodeHost.ts';
import { startServer } from './server.ts';
import { stdioConnection } from './stdio.ts';

// An editor's server lives for days beside other programs: the heap grows to twice what is alive, not to four times, for a few more collections.
setFlagsFromString('--heap-growing-percent=100');
// Since 13.6 V8 gives new objects alone up to 128 MB, and keeps pages that it has emptied, unless memory is to be saved.
const [major = 0, minor = 0] = process.versions.v8.split('.').map(Number);
if (major > 13 || (major === 13 && minor >= 6)) setFlagsFromString('--memory-saver-mode');

// Plain `node dist/server.js` means stdio.
const transports = ['--stdio', '--node-ipc', '--socket', '--pipe'];
if (!process.argv.some(argument => transports.some(t => argument.startsWith(t)))) process.argv.push('--stdio');

// Whatever fails outside of a request must not take the editor's server with it; the log has it.
const gate = createGate();
const connection = process.argv.includes('--stdio')
  ? stdioConnection(gate)
  : createConnection(ProposedFeatures.all, { messageStrategy: gate });
process.on('uncaughtException', error => connection.console.error(error.stack ?? error.message));
process.on('unhandledRejection', error => connection.console.error(String(error)));

startServer(connection, createNodeHost(fileURLToPath(new URL('.', import.meta.url))), gate);
