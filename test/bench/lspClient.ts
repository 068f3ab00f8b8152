/** A bare LSP client over a child's stdio, for measuring: frames messages, matches answers, waits for notifications. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';

export interface LspClient {
  readonly child: ChildProcessWithoutNullStreams;
  request<R>(method: string, params: unknown): Promise<R>;
  notify(method: string, params: unknown): void;
  /** The next notification of this method whose params fulfil `matches`. */
  next<P>(method: string, matches: (params: P) => boolean): Promise<P>;
  close(): Promise<void>;
}

export interface Message {
  readonly id?: number | null;
  readonly method?: string;
  readonly params?: unknown;
  readonly result?: unknown;
  readonly error?: { readonly code: number; readonly message: string };
}

/** Starts `node server --stdio`. */
export function startLspClient(server: string): LspClient {
  const child = spawn(process.execPath, [server, '--stdio']);
  child.stderr.pipe(process.stderr);
  const pending = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  const waiting = new Set<{ method: string; matches(params: unknown): boolean; resolve(params: unknown): void }>();
  let id = 0;
  const send = (message: object): void => {
    const text = JSON.stringify({ jsonrpc: '2.0', ...message });
    child.stdin.write(`Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
  };
  const receive = (message: Message): void => {
    if (message.method !== undefined) {
      if (message.id !== undefined) send({ id: message.id, result: null });
      for (const waiter of waiting) {
        if (waiter.method !== message.method || !waiter.matches(message.params)) continue;
        waiting.delete(waiter);
        waiter.resolve(message.params);
      }
    } else if (typeof message.id === 'number') {
      const call = pending.get(message.id);
      pending.delete(message.id);
      if (message.error) call?.reject(new Error(message.error.message));
      else call?.resolve(message.result);
    }
  };
  child.stdout.on('data', frames(receive));
  const client: LspClient = {
    child,
    request: <R>(method: string, params: unknown) =>
      new Promise<R>((resolve, reject) => {
        pending.set(++id, { resolve: value => resolve(value as R), reject });
        send({ id, method, params });
      }),
    notify: (method, params) => send({ method, params }),
    next: <P>(method: string, matches: (params: P) => boolean) =>
      new Promise<P>(resolve => {
        waiting.add({ method, matches: p => matches(p as P), resolve: p => resolve(p as P) });
      }),
    close: async () => {
      await client.request('shutdown', null);
      client.notify('exit', null);
      child.stdin.end();
    },
  };
  return client;
}

/** Cuts a stream of bytes into messages. */
export function frames(receive: (message: Message) => void): (chunk: Buffer) => void {
  let buffer = Buffer.alloc(0);
  return chunk => {
    buffer = Buffer.concat([buffer, chunk]);
    for (;;) {
      const head = buffer.indexOf('\r\n\r\n');
      if (head < 0) return;
      const length = Number(/Content-Length: (\d+)/i.exec(buffer.toString('latin1', 0, head))?.[1]);
      if (buffer.length < head + 4 + length) return;
      const text = buffer.toString('utf8', head + 4, head + 4 + length);
      buffer = buffer.subarray(head + 4 + length);
      receive(JSON.parse(text) as Message);
    }
  };
}
