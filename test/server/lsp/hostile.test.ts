/** The built server over stdio, met with what no client should send: it answers as JSON-RPC and LSP say, and goes on serving. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { frames, type Message } from '../../bench/lspClient.ts';

const server = 'dist/server.js';
const built = existsSync(server);
if (!built) console.warn(`SKIPPED: ${server} is missing, run "npm run build" first`);

const uri = 'untitled:one';
const textDocument = { uri };
/** The delta takes two utf-16 units, in columns 5 and 6. */
const text = 'model M(x: [B, 4]) -> [B, 4] {\n  // 𝛿語\n  x\n}\n';
const frame = (content: string) => `Content-Length: ${Buffer.byteLength(content)}\r\n\r\n${content}`;
const message = (content: object) => frame(JSON.stringify({ jsonrpc: '2.0', ...content }));
const request = (method: string, params?: unknown, id: unknown = 7) => message({ id, method, params });
const notify = (method: string, params?: unknown) => message({ method, params });
const hover = (line: unknown, character: unknown, id = 7) =>
  request('textDocument/hover', { textDocument, position: { line, character } }, id);
const initialize = request('initialize', { processId: null, rootUri: null, capabilities: {} }, 1);
const opened = notify('textDocument/didOpen', { textDocument: { uri, languageId: 'strata', version: 1, text } });
const change = (range: object | undefined, put: string, version = 2) =>
  notify('textDocument/didChange', {
    textDocument: { uri, version },
    contentChanges: [{ ...(range && { range }), text: put }],
  });
const session = initialize + notify('initialized', {}) + opened;

function start(onTestFinished: (end: () => void) => void) {
  const child = spawn(process.execPath, [server, '--stdio'], { stdio: ['pipe', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill());
  const heard: Message[] = [];
  let look = (): void => {};
  child.stdout.on(
    'data',
    frames(each => {
      heard.push(each);
      look();
    }),
  );
  return {
    send: (bytes: string | Buffer) => void child.stdin.write(bytes),
    end: () => child.stdin.end(),
    heard,
    /** The answer to a request; null asks for the one to what could not be read. */
    answer: (id: number | null) =>
      new Promise<Message>(resolve => {
        look = () => {
          const found = heard.find(m => m.id === id && m.method === undefined);
          if (found) resolve(found);
        };
        look();
      }),
    exit: new Promise(resolve => child.once('exit', resolve)),
  };
}

const x = { contents: { value: expect.stringContaining('x: [B, 4]') } };
const refused = (code: number) => ({ error: { code } });
const [invalidRequest, unknownMethod, invalidParams] = [-32600, -32601, -32602];

/** Bytes in the middle of a session, and the answer they get; undefined where there is none to give. */
const hostile: Readonly<Record<string, readonly [bytes: string | Buffer, answer?: object]>> = {
  'a length that is no number': ['Content-Length: abc\r\n\r\n{}'],
  'a negative length': ['Content-Length: -5\r\n\r\n'],
  'a length of nothing': ['Content-Length: 0\r\n\r\n'],
  'a length beyond all memory': [`Content-Length: ${'9'.repeat(15)}\r\n\r\n{}`],
  'a header without a length': ['Content-Type: text\r\n\r\n{}'],
  'a header that is none': ['GET / HTTP/1.1\r\n\r\n'],
  'lines without an end of header': ['x\r\n'.repeat(5000)],
  'a length that is too short': ['Content-Length: 3\r\n\r\n{"jsonrpc":"2.0"}'],
  'a length that is too long': ['Content-Length: 40\r\n\r\n{"jsonrpc":"2.0"}'],
  'another header beside the length': [
    hover(2, 2).replace('\r\n', '\r\nContent-Type: application/vscode-jsonrpc; charset=utf-8\r\n'),
    { result: x },
  ],
  'bytes that are no utf-8': [Buffer.from([...Buffer.from('Content-Length: 4\r\n\r\n'), 0xff, 0xfe, 0x80, 0x22])],
  'half of a JSON text': [frame('{"jsonrpc": "2.0", "id": 7, "method"')],
  'JSON of another kind': [frame('[1, 2, 3]') + frame('null') + frame('"x"') + frame('{}')],
  'JSON nested without end': [frame('['.repeat(100_000) + ']'.repeat(100_000))],
  'a method that is no text': [message({ id: 8, method: 5 }) + message({ id: {}, method: 'textDocument/hover' })],
  'an unknown request': [request('strata/none'), refused(unknownMethod)],
  'an unknown notification': [notify('strata/none', 3) + notify('$/none')],
  'an answer nobody asked for': [message({ id: 12345, result: 1 })],
  'a second initialize': [
    request('initialize', { processId: null, rootUri: null, capabilities: {} }),
    refused(invalidRequest),
  ],
  'no params': [request('textDocument/hover'), refused(invalidParams)],
  'null for params': [request('textDocument/hover', null), refused(invalidParams)],
  'params by position': [request('textDocument/rename', [1]), refused(invalidParams)],
  'a document that is none': [request('textDocument/hover', { textDocument: 3 }), refused(invalidParams)],
  'a position of text': [hover('a', null), refused(invalidParams)],
  'a fraction of a line': [hover(1.5, 2), refused(invalidParams)],
  'a negative line': [hover(-1, 2), refused(invalidParams)],
  'a line beyond all lines': [hover(2 ** 53, 1e300), { result: null }],
  'a column beyond the line': [hover(2, 2 ** 31 - 1), { result: x }],
  'a position within a surrogate pair': [hover(1, 6), { result: null }],
  'a uri that is none': [
    request('textDocument/hover', { textDocument: { uri: 'file:///%zz/%00' }, position: { line: 0, character: 0 } }),
    { result: null },
  ],
  'a document whose text is no text': [notify('textDocument/didOpen', { textDocument: { uri, version: 2, text: 5 } })],
  'changes that are none': [
    notify('textDocument/didChange', { textDocument: { uri, version: 2 }, contentChanges: [{}] }),
  ],
  'a change to a document that is not open': [
    notify('textDocument/didChange', {
      textDocument: { uri: 'untitled:two', version: 2 },
      contentChanges: [{ text: '' }],
    }),
  ],
  'the end of a document that is not open': [
    notify('textDocument/didClose', { textDocument: { uri: 'untitled:two' } }),
  ],
  'a range that ends before it starts': [
    change({ start: { line: 3, character: 1 }, end: { line: 3, character: 0 } }, ' '),
  ],
  'a change beyond the text': [
    change({ start: { line: 9e9, character: 9e9 }, end: { line: 9e9, character: 9e9 } }, '// end'),
  ],
  'an edit within a surrogate pair': [
    change({ start: { line: 1, character: 6 }, end: { line: 1, character: 6 } }, 'y'),
  ],
  'a request cancelled in advance': [notify('$/cancelRequest', { id: 7 }) + hover(2, 2), { result: x }],
  'the cancelling of nothing': [notify('$/cancelRequest', { id: 99 }) + notify('$/cancelRequest', null)],
  'a command without arguments': [
    request('workspace/executeCommand', { command: 'strata.train' }),
    { error: { message: expect.stringMatching(/^malformed argument/) } },
  ],
};

describe.skipIf(!built)('dist/server.js', () => {
  it.concurrent.for(Object.entries(hostile))(
    'survives %s',
    async ([, [bytes, expected]], { onTestFinished, expect }) => {
      const { send, answer, heard } = start(onTestFinished);
      send(session);
      send(bytes);
      // What follows in the stream may be lost with a length that reached into it; not what follows that.
      send(hover(2, 2, 8));
      send(hover(2, 2, 9));
      expect(await answer(9)).toMatchObject({ result: x });
      if (expected) expect(await answer(7)).toMatchObject(expected);
      expect(heard.filter(m => m.id === 7)).toHaveLength(expected ? 1 : 0);
      expect(
        heard.find(m => m.method === 'window/logMessage' && /TypeError/.test(JSON.stringify(m.params))),
      ).toBeUndefined();
    },
  );

  it('says what could not be read', async () => {
    const { send, answer } = start(onTestFinished);
    send(session + frame('{"jsonrpc": "2.0", "id": 7, "method"'));
    expect(await answer(null)).toMatchObject(refused(-32700));
  });

  it('takes messages in pieces, cut anywhere', async () => {
    const { send, answer } = start(onTestFinished);
    const bytes = Buffer.from(session + hover(2, 2));
    for (let at = 0; at < bytes.length; at += 13) send(bytes.subarray(at, at + 13));
    expect(await answer(7)).toMatchObject({ result: x });
  });

  it('refuses requests before initialize, and is not harmed by notifications', async () => {
    const { send, answer } = start(onTestFinished);
    send(hover(2, 2) + opened + notify('initialized', {}) + request('initialize', null, 6));
    expect(await answer(7)).toMatchObject(refused(-32002));
    expect(await answer(6)).toMatchObject(refused(invalidParams));
    send(session + hover(2, 2, 9));
    expect(await answer(9)).toMatchObject({ result: x });
  });

  it('refuses requests after shutdown, and exits with 0', async () => {
    const { send, answer, exit } = start(onTestFinished);
    send(session + request('shutdown', undefined, 3) + hover(2, 2));
    expect(await answer(7)).toMatchObject(refused(invalidRequest));
    send(notify('exit'));
    expect(await exit).toBe(0);
  });

  it('exits with 1 where the stream or the client ends without shutdown', async () => {
    const [left, told] = [start(onTestFinished), start(onTestFinished)];
    for (const each of [left, told]) each.send(session);
    await Promise.all([left.answer(1), told.answer(1)]);
    left.end();
    told.send(notify('exit'));
    expect(await left.exit).toBe(1);
    expect(await told.exit).toBe(1);
  });
});
