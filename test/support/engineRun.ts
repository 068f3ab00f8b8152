/** Run folders and real engine processes for tests: made, started, listened to, ended with their test. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { build } from 'esbuild';
import { onTestFinished } from 'vitest';
import type { Program } from '../../engine/ir/program.ts';
import { printProgram } from '../../engine/ir/programText.ts';
import type { ClientMessage, EngineMessage } from '../../engine/process/protocol.ts';
import { PROGRAM_FILE, REQUEST_FILE, type RunRequest } from '../../engine/process/runFolder.ts';
import { temporaryFolder } from './files.ts';

/** A run folder as the run manager makes it. */
export function makeRun(program: Program, request: Partial<RunRequest> = {}): string {
  const workspace = temporaryFolder();
  const folder = join(workspace, 'run');
  mkdirSync(folder, { mode: 0o700 });
  writeFileSync(join(folder, PROGRAM_FILE), printProgram(program));
  writeRequest(folder, { workspace, ...request });
  return folder;
}

export function writeRequest(folder: string, request: RunRequest): void {
  writeFileSync(join(folder, REQUEST_FILE), JSON.stringify(request));
}

/** Bundles the test's engine into a file of the temporary folder, removed by `dispose`. */
export async function bundleEngine(): Promise<{ readonly path: string; dispose(): void }> {
  const folder = mkdtempSync(join(tmpdir(), 'strata-engine-'));
  const outfile = join(folder, 'engine.mjs');
  await build({
    entryPoints: [join(import.meta.dirname, '..', 'engine', 'process', 'childEngine.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    // The reference backend alone is used; the other with its native addon stays where it is.
    external: ['*/backend/webgpu/index.ts'],
    logLevel: 'error',
  });
  return { path: outfile, dispose: () => rmSync(folder, { recursive: true, force: true }) };
}

export interface ChildOptions {
  readonly blocks?: number;
  readonly backend?: 'reference' | 'wasm';
}

export interface Child {
  readonly process: ChildProcess;
  readonly exited: Promise<{ readonly code: number | null; readonly signal: string | null }>;
  /** What it printed to stdout and stderr. */
  output(): { readonly stdout: string; readonly stderr: string };
}

/**
 * Starts an engine on a folder; it is killed when the test has finished. With `blocks`, no file may grow beyond so many blocks of 512 bytes:
 * the system then refuses writes as a full disk does.
 */
export function startChild(
  bundle: string,
  folder: string,
  { blocks, backend = 'reference' }: ChildOptions = {},
): Child {
  const limited = [
    '-c',
    'ulimit -f "$1"; shift; exec "$@"',
    'sh',
    String(blocks),
    process.execPath,
    bundle,
    folder,
    backend,
  ];
  const [command, args] = blocks === undefined ? [process.execPath, [bundle, folder, backend]] : ['/bin/sh', limited];
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const exited = new Promise<{ code: number | null; signal: string | null }>(resolve =>
    child.once('close', (code, signal) => resolve({ code, signal })),
  );
  return { process: child, exited, output: () => ({ stdout, stderr }) };
}

export interface Client {
  readonly socket: Socket;
  send(message: ClientMessage | string): void;
  /** The first message, old or new, that fits; rejects when the engine hangs up before. */
  until(fits: (message: EngineMessage) => boolean): Promise<EngineMessage>;
  readonly messages: readonly EngineMessage[];
  /** When each message came, in milliseconds. */
  readonly times: readonly number[];
  readonly closed: Promise<void>;
}

/** Connects to an engine's socket. */
export async function connectClient(path: string): Promise<Client> {
  const socket = connect(path);
  await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  const messages: EngineMessage[] = [];
  const times: number[] = [];
  const closed = new Promise<void>(resolve => socket.once('close', () => resolve()));
  let look = (): void => {};
  const lines = createInterface({ input: socket });
  lines.on('line', line => {
    messages.push(JSON.parse(line) as EngineMessage);
    times.push(performance.now());
    look();
  });
  // Both are told of an engine that hangs up hard; `close` is what counts.
  lines.on('error', () => {});
  socket.on('error', () => {});
  onTestFinished(() => void socket.destroy());
  return {
    socket,
    messages,
    times,
    closed,
    send: message => void socket.write(typeof message === 'string' ? message : `${JSON.stringify(message)}\n`),
    until: fits =>
      new Promise((resolve, reject) => {
        look = () => {
          const found = messages.find(fits);
          if (found !== undefined) resolve(found);
        };
        look();
        void closed.then(() => reject(new Error('the engine hung up')));
      }),
  };
}
