/** Latency of the language server over stdio, as an editor sees it: `npm run bench:lsp`. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type LspClient, startLspClient } from './lspClient.ts';

const server = resolve('dist/server.js');
const uri = 'untitled:bench.strata';

interface Row {
  readonly what: string;
  readonly lines: number;
  readonly times: readonly number[];
  readonly target: number | undefined;
}

/** A program of about `lines` lines: as many models as it takes, then data and a train block. */
function sourceOf(lines: number): string {
  const models = Math.max(1, Math.floor((lines - 22) / 9));
  const model = (i: number): string =>
    `/// Network ${i}.\nmodel Net${i}(x: [B, 784], width: int = 128) -> [B, 10] {\n  fc1 = linear(width)\n  fc2 = linear(64)\n  h = x |> fc1 |> relu |> fc2\n  y = h |> gelu |> linear(32) |> relu\n  y |> linear(10)\n}\n`;
  const rest = `data Digits = digits() {\n  image = image |> flatten\n  split validation: 0.1, test: 0.1\n  batch 64\n}\n\ntrain first on Digits {\n  net = Net0()\n  logits = net(image)\n  minimize cross_entropy(logits, label) using adam(lr: 0.001)\n  report accuracy(logits, label)\n  epochs 10\n}\n`;
  return `${Array.from({ length: models }, (_, i) => model(i)).join('\n')}\n${rest}`;
}

interface Editor {
  readonly client: LspClient;
  version: number;
}
interface Published {
  readonly version?: number;
  readonly diagnostics: readonly { readonly message: string }[];
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** Types a wrong size in the middle of the file and mends it, in turn; each is timed until its diagnostics are there. */
async function edits(editor: Editor, text: string, count: number): Promise<readonly number[]> {
  const lines = text.split('\n');
  const middle = lines.findIndex((line, i) => i > lines.length / 2 && line.includes('|> linear(10)'));
  const column = lines[middle]!.indexOf('10');
  const times: number[] = [];
  for (let i = 0; i < count; i++) {
    const version = ++editor.version;
    const wrong = i % 2 === 0;
    const range = { start: { line: middle, character: column }, end: { line: middle, character: column + 2 } };
    const time = await timed(async () => {
      const published = editor.client.next<Published>('textDocument/publishDiagnostics', p => p.version === version);
      editor.client.notify('textDocument/didChange', {
        textDocument: { uri, version },
        contentChanges: [{ range, text: wrong ? '12' : '10' }],
      });
      const { diagnostics } = await published;
      if (diagnostics.length > 0 !== wrong)
        throw new Error(`expected ${wrong ? 'an error' : 'none'}: ${JSON.stringify(diagnostics)}`);
    });
    times.push(time);
  }
  return times;
}

async function measure(lines: number, count: number): Promise<readonly Row[]> {
  const client = startLspClient(server);
  await client.request('initialize', { processId: process.pid, rootUri: null, capabilities: {} });
  client.notify('initialized', {});
  const text = sourceOf(lines);
  const editor = { client, version: 1 };
  const first = client.next<Published>('textDocument/publishDiagnostics', () => true);
  client.notify('textDocument/didOpen', { textDocument: { uri, languageId: 'strata', version: 1, text } });
  await first;
  await edits(editor, text, 20); // warm
  const big = lines > 1000;
  const at = text.split('\n').findIndex((line, i) => i > lines / 2 && line.includes('h = x |>'));
  const where = { textDocument: { uri }, position: { line: at, character: 11 } };
  const each = async (method: string, params: object): Promise<readonly number[]> => {
    const times: number[] = [];
    for (let i = 0; i < count; i++) times.push(await timed(() => client.request(method, params)));
    return times;
  };
  const real = text.split('\n').length;
  const rows: Row[] = [
    { what: 'edit to diagnostics', lines: real, times: await edits(editor, text, count), target: big ? 100 : 20 },
    { what: 'completion', lines: real, times: await each('textDocument/completion', where), target: big ? 60 : 25 },
    { what: 'hover', lines: real, times: await each('textDocument/hover', where), target: big ? 20 : 10 },
    { what: 'definition', lines: real, times: await each('textDocument/definition', where), target: big ? 20 : 10 },
    {
      what: 'formatting',
      lines: real,
      times: await each('textDocument/formatting', {
        textDocument: { uri },
        options: { tabSize: 2, insertSpaces: true },
      }),
      target: big ? 300 : 30,
    },
    {
      what: 'semantic tokens',
      lines: real,
      times: await each('textDocument/semanticTokens/full', where),
      target: undefined,
    },
    {
      what: 'inlay hints',
      lines: real,
      times: await each('textDocument/inlayHint', {
        textDocument: { uri },
        range: { start: { line: at - 30, character: 0 }, end: { line: at + 60, character: 0 } },
      }),
      target: undefined,
    },
  ];
  console.log(`${real} lines: resident memory ${residentMegabytes(client.child.pid)} MB`);
  await client.close();
  return rows;
}

/** `count` files of 200 lines, all but the first importing that one. */
function writeWorkspace(folder: string, count: number): readonly string[] {
  const text = sourceOf(200);
  return Array.from({ length: count }, (_, i) => {
    const path = join(folder, `file${i}.strata`);
    const own = text.replace('net = Net0()', 'net = Net1()').replaceAll('model Net0(', 'model Own(');
    writeFileSync(
      path,
      i === 0 ? text : `import Net0 from "file0.strata"\n${own.replace('net = Net1()', 'net = Net0()')}`,
    );
    return pathToFileURL(path).href;
  });
}

/**
 * Cold: from the start of the process until a name is found among 1,000 files and an open file has its diagnostics. Then edits of
 * the file that the others import, and the problems of all files, asked for at once.
 */
async function measureWorkspace(count: number): Promise<readonly Row[]> {
  const folder = mkdtempSync(join(tmpdir(), 'strata-bench-'));
  try {
    const uris = writeWorkspace(folder, count);
    const start = performance.now();
    const client = startLspClient(server);
    const rootUri = pathToFileURL(folder).href;
    const workspaceFolders = [{ uri: rootUri, name: 'bench' }];
    await client.request('initialize', { processId: process.pid, rootUri, workspaceFolders, capabilities: {} });
    client.notify('initialized', {});
    const symbols = await client.request<readonly unknown[]>('workspace/symbol', { query: 'Own' });
    if (symbols.length === 0) throw new Error('expected symbols of the workspace');
    const opened = uris.slice(0, 6);
    const open = async (at: string): Promise<void> => {
      const published = client.next<PublishedAt>('textDocument/publishDiagnostics', p => p.uri === at);
      const text = readFileSync(new URL(at), 'utf8');
      client.notify('textDocument/didOpen', { textDocument: { uri: at, languageId: 'strata', version: 1, text } });
      await published;
    };
    await open(opened[1]!);
    const cold = performance.now() - start;
    for (const at of opened.filter((_, i) => i !== 1)) await open(at);
    const times: number[] = [];
    for (let version = 2; version < 62; version++) {
      const text = sourceOf(200).replace(
        'model Net0(x: [B, 784]',
        `model Net0(x: [B, ${version % 2 === 0 ? 785 : 784}]`,
      );
      const wrong = version % 2 === 0;
      const all = opened.map(at =>
        client.next<PublishedAt>(
          'textDocument/publishDiagnostics',
          p => p.uri === at && p.diagnostics.length > 0 === wrong,
        ),
      );
      const change = { textDocument: { uri: opened[0], version }, contentChanges: [{ text }] };
      times.push(
        await timed(async () => {
          client.notify('textDocument/didChange', change);
          await Promise.all(all);
        }),
      );
    }
    const uses = (line: number, character: number) =>
      client.request<readonly unknown[]>('textDocument/references', {
        textDocument: { uri: opened[1] },
        position: { line, character },
        context: { includeDeclaration: true },
      });
    const own = readFileSync(new URL(opened[1]!), 'utf8')
      .split('\n')
      .findIndex(line => line.startsWith('model Own'));
    const everywhere = await timed(async () => expectCount(await uses(0, 8), 2 * count));
    const here = await timed(async () => expectCount(await uses(own, 7), 1));
    console.log(`${count} files: resident memory ${residentMegabytes(client.child.pid)} MB`);
    await client.close();
    return [
      { what: `uses, ${count - 1} importers`, lines: 200, times: [everywhere], target: 2000 },
      { what: 'uses, no importer', lines: 200, times: [here], target: 200 },
      { what: `${count} files, cold`, lines: 200, times: [cold], target: 2000 },
      { what: 'edit of an import', lines: 200, times: times.slice(10), target: 100 },
    ];
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function expectCount(found: readonly unknown[], count: number): void {
  if (found.length !== count) throw new Error(`expected ${count} uses, found ${found.length}`);
}

interface PublishedAt extends Published {
  readonly uri: string;
}

/** Memory after the first and after the last of `count` edits. */
async function measureGrowth(count: number): Promise<void> {
  const client = startLspClient(server);
  await client.request('initialize', { processId: process.pid, rootUri: null, capabilities: {} });
  client.notify('initialized', {});
  const text = sourceOf(200);
  const first = client.next<Published>('textDocument/publishDiagnostics', () => true);
  client.notify('textDocument/didOpen', { textDocument: { uri, languageId: 'strata', version: 1, text } });
  await first;
  const editor = { client, version: 1 };
  const sizes: string[] = [];
  for (let done = 0; done < 5; done++) {
    await edits(editor, text, count / 5);
    sizes.push(residentMegabytes(client.child.pid));
  }
  console.log(`${count} edits of 200 lines: resident memory after each fifth ${sizes.join(', ')} MB`);
  await client.close();
}

/** Now, and at its peak. */
function residentMegabytes(pid: number | undefined): string {
  const status = `/proc/${pid}/status`;
  if (!existsSync(status)) return 'unknown';
  const text = readFileSync(status, 'utf8');
  const megabytes = (field: string) => (Number(new RegExp(`${field}:\\s+(\\d+)`).exec(text)?.[1]) / 1024).toFixed(0);
  return `${megabytes('VmRSS')} (at most ${megabytes('VmHWM')})`;
}

function percentile(times: readonly number[], p: number): number {
  const sorted = [...times].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(p * sorted.length))]!;
}

const load = loadavg()[0]!.toFixed(1);
console.log(`${cpus()[0]?.model}, ${cpus().length} cores, load ${load} before we began, Node ${process.version}`);
const rows = [...(await measure(200, 200)), ...(await measure(10_000, 40)), ...(await measureWorkspace(1000))];
await measureGrowth(10_000);
console.log('\nrequest                 lines    p50 ms   p95 ms   target p95');
for (const { what, lines, times, target } of rows) {
  const p95 = percentile(times, 0.95);
  const verdict = target === undefined ? '' : `${target}${p95 <= target ? '' : '  MISSED'}`;
  const numbers = [percentile(times, 0.5), p95].map(n => n.toFixed(1).padStart(9)).join('');
  console.log(`${what.padEnd(22)}${String(lines).padStart(7)}${numbers}   ${verdict}`);
}
