/** Completion: what fits at a place, what would type-check first. */
import type { CompletionInfo, CompletionItem, ForeignModel } from '../api.ts';
import { type Callee, type CallPlace, keepsShape, libraryCallee, libraryNames } from '../check/callee.ts';
import { type Meaning, showMeaning, showTensor, type TensorMeaning } from '../check/meaning.ts';
import { type SignatureParameter, showParameterType } from '../check/signature.ts';
import type { AnyNode, CallExpression } from '../syntax/ast.ts';
import { settingOf } from '../syntax/settings.ts';
import { settings } from '../syntax/statements.ts';
import { calleeOf, type Fit, fitAt } from './fit.ts';
import { activeParameter, innermostCall } from './signature.ts';
import { nodesAt, type Part, type Snapshot } from './snapshot.ts';

export function completionAt(
  snapshot: Snapshot,
  offset: number,
  foreign: readonly ForeignModel[] = [],
): CompletionInfo {
  const { text } = snapshot;
  const start = offset - (/[A-Za-z_]\w*$/.exec(text.slice(Math.max(0, offset - 200), offset))?.[0].length ?? 0);
  const end = offset + (/^\w+/.exec(text.slice(offset, offset + 200))?.[0].length ?? 0);
  const replace = { start, end };
  const line = text.slice(text.lastIndexOf('\n', start - 1) + 1, start);
  if (/\/\//.test(line)) return { replace, items: [] };
  if (inString(line)) return { replace, items: axisItems(line) };
  const nodes = nodesAt(snapshot, start);
  if (nodes === undefined || outside(nodes.part, nodes.at)) return { replace, items: topLevel() };
  const { part, at, path } = nodes;
  const flowing = flowingAt(part, line, at);
  const shown = flowing && showTensor(flowing);
  const known = { replace, ...(shown !== undefined && { flowing: shown }) };
  const words = valueItems(part, line);
  if (words) return { ...known, items: unique(words) };
  const place = placeOf(snapshot, part, path, at, line, flowing);
  const items = unique(candidates(snapshot, place));
  return place.places.includes('model')
    ? { ...known, items, foreign: foreign.map(model => foreignItem(place, model)) }
    : { ...known, items };
}

/** Where something is to be completed, and what is wanted there. */
interface Place {
  readonly part: Part;
  readonly at: number;
  readonly line: string;
  readonly places: readonly CallPlace[];
  readonly fit: Fit;
  /** What flows into the stage at the cursor. */
  readonly flowing: TensorMeaning | undefined;
  readonly call: CallExpression | undefined;
  /** The parameter that an argument at the cursor is for, of this function. */
  readonly wanted: { readonly callee: Callee; readonly parameter: SignatureParameter } | undefined;
}

function placeOf(
  snapshot: Snapshot,
  part: Part,
  path: readonly AnyNode[],
  at: number,
  line: string,
  flowing: TensorMeaning | undefined,
): Place {
  const call = innermostCall(path, at);
  const record = call && recordOf(part, call);
  const places = placesAt(part.entry.node.kind, path, line, record?.callee);
  const active = record && activeParameter(record.callee.signature, record.node, at, record.piped, part);
  const parameter = active === undefined ? undefined : record?.callee.signature.parameters[active];
  const wanted = record && parameter && !flowing ? { callee: record.callee, parameter } : undefined;
  return { part, at, line, places, fit: fitAt(snapshot, part), flowing, call, wanted };
}

function foreignItem(place: Place, { header, doc }: ForeignModel): CompletionItem | undefined {
  const callee = calleeOf(header, doc);
  return callee && calleeItem(callee, 'model', place);
}

function inString(line: string): boolean {
  return (line.replace(/\\./g, '').match(/"/g) ?? []).length % 2 === 1;
}

/** Names of axes within the pattern of `rearrange` and `einsum`: those of the left side, on the right without those that stand there already. */
function axisItems(line: string): readonly CompletionItem[] {
  const pattern = /\b(?:rearrange|einsum)\((?:[^"]*[(, ])?"([^"]*)$/.exec(line)?.[1];
  const [left, right] = pattern?.split('->') ?? [];
  if (left === undefined) return [];
  const written: readonly string[] = right?.match(/\w+/g) ?? [];
  const names = unique((left.match(/[A-Za-z_]\w*/g) ?? []).map(name => axisItem(name)));
  return names.filter(({ name }) => !written.includes(name));
}

function axisItem(name: string): CompletionItem {
  return { name, kind: 'dimension', detail: 'axis', doc: '', rank: 0 };
}

function outside({ entry }: Part, at: number): boolean {
  return at > entry.node.end || (at === entry.node.end && entry.placed.chunk.text[at - 1] === '}');
}

function candidates(snapshot: Snapshot, place: Place): readonly CompletionItem[] {
  const { part, at, line, call, places, flowing } = place;
  const { kind } = part.entry.node;
  if (/\bon\s+$/.test(line) && kind === 'train') return globalItems(snapshot, 'data', place);
  const named = call ? [...choiceItems(part, call, at), ...argumentItems(part, call)] : [];
  const functions = places.flatMap(p => libraryItems(p, place));
  const planned = places.every(p => p !== 'model' && p !== 'metric' && p !== 'transform');
  const scope = planned ? [] : scopeItems(place);
  const models = places.includes('model') ? globalItems(snapshot, 'model', place) : [];
  const constants = planned ? [] : globalItems(snapshot, 'const', place);
  const words = flowing === undefined && call === undefined && /^\s*$/.test(line) ? keywordItems(kind) : [];
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

function libraryItems(at: CallPlace, place: Place): readonly CompletionItem[] {
  return libraryNames([at]).map(name => {
    const callee = libraryCallee(name, at)!;
    const fn = callee.library?.fn.kind;
    const kind = at === 'model' && (fn === 'layer' || fn === 'loss') ? fn : placeKinds[at];
    return calleeItem(callee, kind, place);
  });
}

/** A function that takes what flows in comes first, one that can't last. */
function calleeItem(callee: Callee, kind: CompletionItem['kind'], { flowing, fit, wanted }: Place): CompletionItem {
  const { signature, doc } = callee;
  const { name, label: detail } = signature;
  if (wanted?.parameter.type.kind === 'layer')
    return { name, kind, detail, doc, snippet: name, rank: keepsShape(callee) ? 0 : 2 };
  const open = signature.parameters.filter(p => !(flowing && p.type.kind === 'tensor'));
  const needed = open.filter(p => !p.fallback && !p.optional);
  const layer = flowing === undefined && callee.weights;
  const asked = layer ? needed.filter(p => p.type.kind !== 'tensor') : needed;
  const bare = flowing !== undefined && asked.length === 0;
  const snippet = bare ? name : asked.length === 0 ? `${name}()$0` : `${name}($0)`;
  return {
    name,
    kind,
    detail,
    doc,
    snippet,
    rank: flowing === undefined ? 1 : fit.takes(callee, flowing) ? 0 : 2,
  };
}

function scopeItems(place: Place): readonly CompletionItem[] {
  const { part, at } = place;
  const visible = part.checked.sheet.bindings.filter(b => b.from <= at && at <= b.to);
  const fields = [...fieldsOf(part)].map(([name, m]) => item(name, 'field', m, place));
  return [...visible.toReversed().map(b => item(b.name, b.kind, b.meaning, place)), ...fields];
}

function fieldsOf(part: Part): ReadonlyMap<string, Meaning> {
  return part.checked.data?.fields ?? part.checked.fields ?? new Map();
}

function item(name: string, kind: CompletionItem['kind'], m: Meaning, place: Place): CompletionItem {
  return { name, kind, detail: showMeaning(m), doc: '', rank: scopeRank(m, place) };
}

/** A layer fits what flows into it, unless it has its weights for another shape; what has an error fits nowhere. */
function scopeRank(m: Meaning, { flowing, wanted, fit }: Place): number {
  if (showMeaning(m) === '?') return 2;
  if (flowing === undefined) {
    if (m.kind === 'layer') return 1;
    return wanted === undefined || fit.suits(wanted.callee, wanted.parameter, m) ? 0 : 2;
  }
  if (m.kind !== 'layer') return 2;
  const unused = m.state.input === undefined && fit.takes(m.callee, flowing);
  return unused || m.state.input === showTensor(flowing) ? 0 : 2;
}

function globalItems({ world }: Snapshot, kind: 'model' | 'data' | 'const', place: Place): readonly CompletionItem[] {
  return world.names().flatMap((name): readonly CompletionItem[] => {
    const global = world.lookup(name);
    if (global?.kind !== kind) return [];
    if (global.kind === 'model') return [calleeItem(global.callee, 'model', place)];
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

/** The words that the argument at the cursor may be: `bilinear`, `nearest`. */
function choiceItems(part: Part, call: CallExpression, at: number): readonly CompletionItem[] {
  const record = recordOf(part, call);
  if (!record) return [];
  const { signature } = record.callee;
  const active = activeParameter(signature, call, at, record.piped, part);
  const type = active === undefined ? undefined : signature.parameters[active]?.type;
  const words = type?.kind === 'choice' ? type.options.filter(o => o !== 'float') : [];
  return words.map(name => ({ name, kind: 'keyword', detail: '', doc: '', snippet: name, rank: 0 }));
}

function keywordItems(kind: string): readonly CompletionItem[] {
  const words = kind === 'data' ? settings.data : kind === 'train' ? settings.train : ['repeat', 'if'];
  return words.map(name => {
    const declared = settingOf(kind, name);
    return {
      name,
      kind: 'setting',
      detail: declared?.example ?? '',
      doc: declared?.doc ?? '',
      rank: kind === 'model' ? 1 : 0,
      snippet: `${name} ${declared?.form ?? '$0'}`,
    };
  });
}

/** What some settings take instead of expressions: words, arguments by name, names of metrics. */
function valueItems(part: Part, line: string): readonly CompletionItem[] | undefined {
  const word = (name: string, snippet = name, doc = ''): CompletionItem => ({
    name,
    kind: 'keyword',
    detail: '',
    doc,
    snippet,
    rank: 0,
  });
  const declared = settingOf(part.entry.node.kind, /^\s*(\w+)\s/.exec(line)?.[1] ?? '');
  if (declared?.words && /^\s*\w+\s+$/.test(line)) return declared.words.map(name => word(name));
  if (declared?.named && /^\s*\w+\s+(?:[^,]*,\s*)*$/.test(line)) {
    const left = Object.entries(declared.named).filter(([name]) => !line.includes(`${name}:`));
    return left.map(([name, doc]) => word(name, `${name}: $0`, doc));
  }
  const { kind } = part.entry.node;
  if (kind === 'data' && /^\s*sample\s+$/.test(line)) return [word('balanced', 'balanced($0)')];
  if (kind !== 'train' || !/\bmonitor:\s*(?:validation\.)?$/.test(line)) return undefined;
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
