/** Completion and signature help: what fits at a place, and the call around it. */
import type { CompletionInfo, CompletionItem, SignatureInfo } from '../api.ts';
import { type Callee, type CallPlace, libraryCallee, libraryNames } from '../check/callee.ts';
import { type Meaning, showMeaning, showTensor, type TensorMeaning } from '../check/meaning.ts';
import { type Signature, showParameterType } from '../check/signature.ts';
import type { AnyNode, CallExpression } from '../syntax/ast.ts';
import { settings } from '../syntax/statements.ts';
import type { Span } from '../text.ts';
import { nodesAt, type Part, type Snapshot } from './snapshot.ts';

export function completionAt(snapshot: Snapshot, offset: number): CompletionInfo {
  const { text } = snapshot;
  const start = offset - (/[A-Za-z_]\w*$/.exec(text.slice(Math.max(0, offset - 200), offset))?.[0].length ?? 0);
  const end = offset + (/^\w+/.exec(text.slice(offset, offset + 200))?.[0].length ?? 0);
  const replace = { start, end };
  const line = text.slice(text.lastIndexOf('\n', start - 1) + 1, start);
  if (/\/\//.test(line) || inString(line)) return { replace, items: [] };
  const nodes = nodesAt(snapshot, start);
  if (nodes === undefined || outside(nodes.part, nodes.at)) return { replace, items: topLevel() };
  const { part, at, path } = nodes;
  const flowing = flowingAt(part, line, at);
  const items = valueItems(part, line) ?? candidates(snapshot, part, path, at, line, flowing);
  const shown = flowing && showTensor(flowing);
  return { replace, items: unique(items), ...(shown !== undefined && { flowing: shown }) };
}

function inString(line: string): boolean {
  return (line.replace(/\\./g, '').match(/"/g) ?? []).length % 2 === 1;
}

function outside({ entry }: Part, at: number): boolean {
  return at > entry.node.end || (at === entry.node.end && entry.placed.chunk.text[at - 1] === '}');
}

function candidates(
  snapshot: Snapshot,
  part: Part,
  path: readonly AnyNode[],
  at: number,
  line: string,
  flowing: TensorMeaning | undefined,
): readonly CompletionItem[] {
  const { node } = part.entry;
  if (/\bon\s+$/.test(line) && node.kind === 'train') return globalItems(snapshot, 'data');
  const call = innermostCall(path, at);
  const places = placesAt(node.kind, path, line, call && recordOf(part, call)?.callee);
  const named = call ? argumentItems(part, call) : [];
  const functions = places.flatMap(p => libraryItems(p, flowing));
  const planned = places.every(p => p !== 'model' && p !== 'metric' && p !== 'transform');
  const scope = planned ? [] : scopeItems(part, at, flowing);
  const models = places.includes('model') ? globalItems(snapshot, 'model', flowing) : [];
  const constants = planned ? [] : globalItems(snapshot, 'const');
  const words = flowing === undefined && call === undefined && /^\s*$/.test(line) ? keywordItems(node.kind) : [];
  return [...named, ...words, ...scope, ...models, ...constants, ...functions];
}

/** What may be called at a place; inside the call of an optimiser or schedule that is a schedule, of a source nothing. */
function placesAt(
  kind: string,
  path: readonly AnyNode[],
  line: string,
  callee: Callee | undefined,
): readonly CallPlace[] {
  const around = callee?.library?.place;
  if (around === 'optimizer' || around === 'schedule') return ['schedule'];
  if (around === 'source') return [];
  if (/\busing\s+$/.test(line)) return ['optimizer'];
  if (/\blr:\s*$/.test(line)) return ['schedule'];
  if (/^\s*stop\s+$/.test(line)) return ['stop'];
  if (/^\s*report\b/.test(line)) return ['metric', 'model'];
  if (kind === 'data') {
    const source = /^\s*data\s+\w+\s*=\s*$/.test(line) || /^\s*test\s+$/.test(line);
    if (source) return ['source'];
    const inBody = path.some(n => n.kind === 'block');
    return inBody ? ['transform'] : ['source'];
  }
  return ['model'];
}

/** The tensor that flows into the stage at the cursor. */
function flowingAt(part: Part, line: string, at: number): TensorMeaning | undefined {
  if (!/\|>\s*$/.test(line)) return undefined;
  const flow = part.checked.sheet.flows.findLast(f => f.span.start < at && at - f.span.start < line.length + 2);
  return flow?.meaning.kind === 'tensor' ? flow.meaning : undefined;
}

const placeKinds: Readonly<Record<CallPlace, CompletionItem['kind']>> = {
  model: 'function',
  metric: 'metric',
  transform: 'transform',
  optimizer: 'optimizer',
  schedule: 'schedule',
  source: 'source',
  stop: 'function',
};

function libraryItems(place: CallPlace, flowing: TensorMeaning | undefined): readonly CompletionItem[] {
  return libraryNames([place]).map(name => {
    const callee = libraryCallee(name, place)!;
    const fn = callee.library?.fn.kind;
    const kind = place === 'model' && (fn === 'layer' || fn === 'loss') ? fn : placeKinds[place];
    return calleeItem(callee, kind, flowing);
  });
}

function calleeItem(callee: Callee, kind: CompletionItem['kind'], flowing: TensorMeaning | undefined): CompletionItem {
  const { signature, doc } = callee;
  const open = signature.parameters.filter(p => !(flowing && p.type.kind === 'tensor'));
  const needed = open.filter(p => !p.fallback && !p.optional);
  const layer = flowing === undefined && callee.weights;
  const asked = layer ? needed.filter(p => p.type.kind !== 'tensor') : needed;
  const bare = flowing !== undefined && asked.length === 0;
  const snippet = bare ? signature.name : asked.length === 0 ? `${signature.name}()$0` : `${signature.name}($0)`;
  return {
    name: signature.name,
    kind,
    detail: signature.label,
    doc,
    snippet,
    rank: flowing ? suits(signature, flowing) : 1,
  };
}

/** 0 if the tensor can be its first argument, by rank and element. */
function suits({ parameters }: Signature, flowing: TensorMeaning): number {
  const first = parameters.find(p => p.type.kind === 'tensor');
  if (first?.type.kind !== 'tensor') return 2;
  const { dims, restAt, dtype, classes } = first.type.pattern;
  const rank = restAt === undefined ? dims.length === flowing.shape.length : dims.length <= flowing.shape.length;
  const element = dtype === flowing.dtype && (classes === undefined) === (flowing.classes === undefined);
  return rank && element ? 0 : 2;
}

function scopeItems(part: Part, at: number, flowing: TensorMeaning | undefined): readonly CompletionItem[] {
  const visible = part.checked.sheet.bindings.filter(b => b.from <= at && at <= b.to);
  const fields = [...fieldsOf(part)].map(([name, m]) => item(name, 'field', m, flowing));
  return [...visible.toReversed().map(b => item(b.name, b.kind, b.meaning, flowing)), ...fields];
}

function fieldsOf(part: Part): ReadonlyMap<string, Meaning> {
  return part.checked.data?.fields ?? part.checked.fields ?? new Map();
}

function item(
  name: string,
  kind: CompletionItem['kind'],
  m: Meaning,
  flowing: TensorMeaning | undefined,
): CompletionItem {
  return { name, kind, detail: showMeaning(m), doc: '', rank: scopeRank(m, flowing) };
}

/** A layer fits what flows into it, unless it has its weights for another shape; what has an error fits nowhere. */
function scopeRank(m: Meaning, flowing: TensorMeaning | undefined): number {
  if (showMeaning(m) === '?') return 2;
  if (flowing === undefined) return m.kind === 'layer' ? 1 : 0;
  if (m.kind !== 'layer') return 2;
  return m.state.input === undefined || m.state.input === showTensor(flowing) ? 0 : 2;
}

function globalItems(
  { world }: Snapshot,
  kind: 'model' | 'data' | 'const',
  flowing?: TensorMeaning,
): readonly CompletionItem[] {
  return world.names().flatMap((name): readonly CompletionItem[] => {
    const global = world.lookup(name);
    if (global?.kind !== kind) return [];
    if (global.kind === 'model') return [calleeItem(global.callee, 'model', flowing)];
    const detail = global.kind === 'const' ? showMeaning(global.meaning) : 'data';
    return [{ name, kind, detail, doc: '', rank: 1 }];
  });
}

function recordOf(part: Part, call: CallExpression) {
  return part.checked.sheet.calls.find(c => c.node === call);
}

function argumentItems(part: Part, call: CallExpression): readonly CompletionItem[] {
  const record = recordOf(part, call);
  if (!record) return [];
  const given = new Set(call.args.map(a => a.name?.name));
  const open = record.callee.signature.parameters.filter(p => p.type.kind !== 'tensor' && !given.has(p.name));
  return open.map(p => ({
    name: p.name,
    kind: 'argument',
    detail: showParameterType(p),
    doc: '',
    snippet: `${p.name}: $0`,
    rank: 0,
  }));
}

function keywordItems(kind: string): readonly CompletionItem[] {
  const words = kind === 'data' ? settings.data : kind === 'train' ? settings.train : ['repeat', 'if'];
  return words.map(name => ({
    name,
    kind: 'setting',
    detail: '',
    doc: '',
    rank: kind === 'model' ? 1 : 0,
    snippet: `${name} $0`,
  }));
}

/** Words that some settings take instead of expressions. */
function valueItems(part: Part, line: string): readonly CompletionItem[] | undefined {
  const word = (name: string, snippet = name): CompletionItem => ({
    name,
    kind: 'keyword',
    detail: '',
    doc: '',
    snippet,
    rank: 0,
  });
  const { kind } = part.entry.node;
  if (kind === 'data' && /^\s*split\b[^:]*(?:,[^:,]*)?$/.test(line.replace(/:[^,]*,/g, ','))) {
    return ['validation', 'test'].filter(name => !line.includes(`${name}:`)).map(name => word(name, `${name}: $0`));
  }
  if (kind !== 'train') return undefined;
  if (/^\s*device\s+$/.test(line)) return ['auto', 'webgpu', 'cpu'].map(name => word(name));
  if (!/\bmonitor:\s*(?:validation\.)?$/.test(line)) return undefined;
  const reports = part.checked.train?.reports.map(r => r.name) ?? [];
  const prefix = line.endsWith('.') ? '' : 'validation.';
  return ['loss', ...reports].map(name => word(`${prefix}${name}`));
}

const outlines: Readonly<Record<string, string>> = {
  model: 'model Name(x: [B, 784]) -> [B, 10] {\n  $0\n}',
  data: 'data Name = digits() {\n  $0\n  batch 64\n}',
  train: 'train name on Data {\n  $0\n  epochs 10\n}',
  const: 'const name = $0',
  import: 'import Name from "$0"',
};

function topLevel(): readonly CompletionItem[] {
  return Object.entries(outlines).map(([name, snippet]) => ({
    name,
    kind: 'keyword',
    detail: '',
    doc: '',
    snippet,
    rank: 0,
  }));
}

function unique(items: readonly CompletionItem[]): readonly CompletionItem[] {
  const seen = new Set<string>();
  const kept = items.filter(i => !seen.has(i.name) && seen.add(i.name));
  return kept.sort((a, b) => a.rank - b.rank);
}

function innermostCall(path: readonly AnyNode[], at: number): CallExpression | undefined {
  const call = path.findLast((n): n is CallExpression => n.kind === 'call' && n.open < at && (!n.closed || at < n.end));
  return call;
}

export function signatureAt(snapshot: Snapshot, offset: number): SignatureInfo | undefined {
  const nodes = nodesAt(snapshot, offset);
  const call = nodes && innermostCall(nodes.path, nodes.at);
  const record = nodes?.part.checked.sheet.calls.find(c => c.node === call);
  if (!nodes || !call || !record) return undefined;
  const { signature, doc } = record.callee;
  const parameters = signature.parameters.map(p => ({ name: p.name, span: parameterSpan(signature, p.name) }));
  const active = activeParameter(signature, call, nodes.at, record.piped, nodes.part);
  return { name: signature.name, label: signature.label, doc, parameters, active };
}

function parameterSpan({ label, name }: Signature, parameter: string): Span {
  const from = label.indexOf('(', label.indexOf(name)) + 1;
  const start = label.slice(from).search(new RegExp(`\\b${parameter}\\??\\s*:`)) + from;
  let depth = 0;
  let end = start;
  while (end < label.length && (depth > 0 || (label[end] !== ',' && label[end] !== ')'))) {
    if ('([{'.includes(label[end]!)) depth++;
    if (')]}'.includes(label[end]!)) depth--;
    end++;
  }
  return { start, end };
}

function activeParameter(
  signature: Signature,
  call: CallExpression,
  at: number,
  piped: boolean,
  part: Part,
): number | undefined {
  const text = part.entry.placed.chunk.text;
  const current = call.args.findIndex(a => at <= a.end || !text.slice(a.end, at).includes(','));
  const index = current < 0 ? call.args.length : current;
  const arg = call.args[index];
  const { parameters } = signature;
  if (arg?.name) return positionOf(parameters.findIndex(p => p.name === arg.name?.name));
  const first = call.args[0] && part.checked.sheet.types.get(call.args[0].value);
  const direct = first?.kind === 'tensor' || !parameters.some(p => p.type.kind !== 'tensor');
  const firstTensor = parameters.findIndex(p => p.type.kind === 'tensor');
  const open = parameters.filter((p, i) => (piped ? i !== firstTensor : direct || p.type.kind !== 'tensor'));
  const parameter = open[index];
  return parameter && positionOf(parameters.indexOf(parameter));
}

function positionOf(index: number): number | undefined {
  return index < 0 ? undefined : index;
}
