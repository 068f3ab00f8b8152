/** The server's end of stdin and stdout, where bytes that are no message cost no more than themselves. */
import { Console } from 'node:console';
import { Transform } from 'node:stream';
import {
  type Connection,
  createConnection,
  ErrorCodes,
  ProposedFeatures,
  StreamMessageReader,
  StreamMessageWriter,
} from 'vscode-languageserver/node';
import type { Gate } from './gate.ts';

/** A larger message is taken for a broken length. */
const maxLength = 2 ** 28;
/** Without the end of a header in so many bytes, they aren't one. */
const maxHeader = 2 ** 12;

/** The connection over stdin and stdout. What is no JSON is answered, without an id, as JSON-RPC asks. */
export function stdioConnection(gate: Gate): Connection {
  const input = process.stdin.pipe(framed());
  const reader = new StreamMessageReader(input);
  const writer = new StreamMessageWriter(process.stdout);
  reader.onError(({ message }) => {
    const error = { code: ErrorCodes.ParseError, message: `expected JSON: ${message}` };
    void writer.write({ jsonrpc: '2.0', id: null, error } as Parameters<typeof writer.write>[0]);
  });
  // Whatever is printed would be read as a message.
  globalThis.console = new Console(process.stderr);
  input.once('end', () => process.exit(gate.ended ? 0 : 1));
  return createConnection(ProposedFeatures.all, reader, writer, { messageStrategy: gate });
}

/** Passes on messages with their headers, and drops what stands between them: the reader behind would take it for part of a header, for ever. */
export function framed(): Transform {
  let buffer: Buffer = Buffer.alloc(0);
  /** Bytes of the message that is passing through. */
  let left = 0;
  return new Transform({
    transform(chunk: Buffer, _, done) {
      buffer = buffer.length === 0 ? chunk : Buffer.concat([buffer, chunk]);
      for (;;) {
        if (left > 0) {
          const part = buffer.subarray(0, left);
          this.push(part);
          left -= part.length;
          buffer = buffer.subarray(part.length);
        }
        const end = left > 0 ? -1 : buffer.indexOf('\r\n\r\n');
        if (end < 0) break;
        const length = lengthIn(buffer.toString('latin1', 0, end));
        buffer = buffer.subarray(end + 4);
        if (length === undefined) continue;
        this.push(`Content-Length: ${length}\r\n\r\n`);
        left = length;
      }
      if (left === 0 && buffer.length > maxHeader) buffer = buffer.subarray(-maxHeader);
      done();
    },
  });
}

/** What the last `Content-Length` of a header says; rubbish before it is no matter. */
function lengthIn(header: string): number | undefined {
  const found = [...header.matchAll(/Content-Length: *(\d+)(?=\r\n|$)/gi)].at(-1)?.[1];
  const length = Number(found);
  return found !== undefined && length > 0 && length <= maxLength ? length : undefined;
}
