/** A client's end of the engine's socket: attaches, sends commands, hands on messages; pending answers are rejected when the engine goes. */
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type { ClientMessage, EngineMessage } from '../../engine/process/protocol.ts';
import { EngineError } from '../../engine/util/errors.ts';

export interface Connection {
  send(message: ClientMessage): void;
  /** Leaves; the engine goes on. */
  close(): void;
}

export interface ConnectionEvents {
  message(message: EngineMessage): void;
  /** The socket closed, for whatever reason, unless close() was called. */
  closed(): void;
}

/** Connects and asks to attach. Rejects with `engine-died` if nobody listens. */
export function connectEngine(path: string, events: ConnectionEvents): Promise<Connection> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.setNoDelay(true);
    const refuse = (cause: Error): void =>
      reject(
        new EngineError(
          'engine-died',
          `no engine answers at ${path}; resume the run to go on from its last checkpoint`,
          { cause },
        ),
      );
    socket.once('error', refuse);
    socket.once('connect', () => {
      socket.off('error', refuse);
      resolve(listen(socket, events));
    });
  });
}

function listen(socket: Socket, events: ConnectionEvents): Connection {
  let left = false;
  socket.on('close', () => {
    if (!left) events.closed();
  });
  const lines = createInterface({ input: socket, crlfDelay: Number.POSITIVE_INFINITY });
  lines.on('line', line => {
    const message = parseMessage(line);
    if (message !== undefined) events.message(message);
  });
  // Errors (an engine that was killed) are followed by `close`, which is what matters; readline passes its input's on.
  for (const stream of [socket, lines]) stream.on('error', () => {});
  const connection: Connection = {
    send: message => void socket.write(`${JSON.stringify(message)}\n`),
    close: () => {
      left = true;
      socket.end();
    },
  };
  connection.send({ type: 'attach' });
  return connection;
}

/** The engine is ours, but a message cut by its death is not JSON. */
function parseMessage(line: string): EngineMessage | undefined {
  try {
    return JSON.parse(line) as EngineMessage;
  } catch {
    return undefined;
  }
}
