/** The engine's socket server: several clients, commands in, batches of events out. */
import { createServer, type Server, type Socket } from 'node:net';
import type { RunEvent } from '../train/events.ts';
import { type ClientMessage, type EngineMessage, PROTOCOL_VERSION } from './protocol.ts';

/** Milliseconds between two batches: 20 messages a second. */
const BATCH_MS = 50;
/** A client that lets this many bytes pile up is dropped; it may attach again and read the file. */
const BACKLOG = 2 ** 24;
/** Longest line a client may send. */
const LONGEST_LINE = 2 ** 14;

export type Command = Exclude<ClientMessage['type'], 'attach'>;

export interface BroadcastHooks {
  command(command: Command): void;
  /** Lines of metrics.jsonl and the state of the run at this moment. */
  status(): { readonly line: number; readonly state: RunEvent & { readonly type: 'state' } };
}

export interface Broadcast {
  readonly server: Server;
  /** Queues events for every client that is attached. */
  send(events: readonly RunEvent[]): void;
  /** Sends what is queued, says goodbye, and resolves when all is closed. */
  close(): Promise<void>;
}

interface Client {
  readonly socket: Socket;
  attached: boolean;
  queue: RunEvent[];
}

export function createBroadcast(hooks: BroadcastHooks): Broadcast {
  const clients = new Set<Client>();
  const server = createServer(socket => accept(socket, clients, hooks));
  const timer = setInterval(() => clients.forEach(flush), BATCH_MS);
  return {
    server,
    send(events) {
      // What a client asked for is answered now: a slow step may keep the timer waiting for longer than anybody should.
      const answer = events.some(event => event.type === 'state');
      for (const client of clients) {
        if (!client.attached) continue;
        client.queue.push(...events);
        if (answer) flush(client);
      }
    },
    close() {
      clearInterval(timer);
      for (const client of clients) {
        flush(client);
        client.socket.end();
        // A client that doesn't hang up must not keep the engine alive.
        client.socket.setTimeout(500, () => client.socket.destroy());
      }
      return new Promise(resolve => server.close(() => resolve()));
    },
  };
}

function accept(socket: Socket, clients: Set<Client>, hooks: BroadcastHooks): void {
  const client: Client = { socket, attached: false, queue: [] };
  clients.add(client);
  socket.setEncoding('utf8');
  // A client may leave at any time, in any way; `close` follows every error.
  socket.on('error', () => {});
  socket.on('close', () => clients.delete(client));
  let rest = '';
  socket.on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line.trim() !== '') handle(client, line, hooks);
    if (rest.length > LONGEST_LINE) socket.destroy();
  });
}

function handle(client: Client, line: string, hooks: BroadcastHooks): void {
  const type = typeOf(line);
  switch (type) {
    case 'attach':
      flush(client);
      write(client, { type: 'attached', protocol: PROTOCOL_VERSION, ...hooks.status() });
      client.attached = true;
      return;
    case 'pause':
    case 'continue':
    case 'stop':
    case 'checkpoint':
      hooks.command(type);
      return;
    default:
      write(client, {
        type: 'refused',
        code: 'unsupported',
        message: 'expected attach, pause, continue, stop or checkpoint',
      });
  }
}

function typeOf(line: string): ClientMessage['type'] | undefined {
  try {
    const message: unknown = JSON.parse(line);
    return (message as ClientMessage | null)?.type;
  } catch {
    return undefined;
  }
}

function flush(client: Client): void {
  if (client.queue.length === 0) return;
  if (client.socket.writableLength > BACKLOG) {
    client.socket.destroy();
    return;
  }
  write(client, { type: 'events', events: client.queue });
  client.queue = [];
}

function write(client: Client, message: EngineMessage): void {
  if (!client.socket.destroyed) client.socket.write(`${JSON.stringify(message)}\n`);
}
