/** The built server as a process: starts on stdio, answers, survives garbage, ends when told. */
import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { startLspClient } from '../../bench/lspClient.ts';
import { program } from '../ide/fixture.ts';

const server = 'dist/server.js';
const built = existsSync(server);
if (!built) console.warn(`SKIPPED: ${server} is missing, run "npm run build" first`);

interface Published {
  readonly diagnostics: readonly { readonly code: string }[];
}

describe.skipIf(!built)('dist/server.js', () => {
  it('serves a session over stdio and exits with 0', async () => {
    const client = startLspClient(server);
    const { capabilities } = await client.request<{ capabilities: { hoverProvider?: boolean } }>('initialize', {
      processId: process.pid,
      rootUri: null,
      capabilities: {},
    });
    expect(capabilities.hoverProvider).toBe(true);
    client.notify('initialized', {});
    client.child.stdin.write('Content-Length: 3\r\n\r\n{]}');
    const published = client.next<Published>('textDocument/publishDiagnostics', () => true);
    const text = program().replace('linear(10)', 'linear(12)');
    client.notify('textDocument/didOpen', {
      textDocument: { uri: 'untitled:one', languageId: 'strata', version: 1, text },
    });
    expect((await published).diagnostics[0]?.code).toMatch(/-mismatch$/);
    const ended = new Promise(resolve => client.child.once('exit', resolve));
    await client.close();
    expect(await ended).toBe(0);
  });
});
