/** Names and their uses: definition, references, hover. */

import { showDim } from '../../../engine/dim/dim.ts';
import type { HoverInfo, NameInfo } from '../api.ts';
import { libraryCallee } from '../check/callee.ts';
import { type LayerMeaning, type Meaning, showMeaning, showShape, showTensor } from '../check/meaning.ts';
import type { Reference, Target } from '../check/records.ts';
import { type Signature, showOwn, showPattern } from '../check/signature.ts';
import type { Entry, World } from '../check/world.ts';
import { type Cost, modelCost, showCost, showCosts } from '../lower/count.ts';
import type { AnyNode } from '../syntax/ast.ts';
import { settingOf } from '../syntax/settings.ts';
import { mentions, type Span, touches } from '../text.ts';
import { absolute, locate, nodesAt, type Part, partAt, parts, type Snapshot } from './snapshot.ts';

interface Found {
  readonly part: Part;
  readonly reference: Reference;
}

function referenceAt(snapshot: Snapshot, offset: number): Found | undefined {
  const found = partAt(snapshot, offset);
  const reference = found?.part.checked.sheet.references.find(r => touches(r.span, found.at));
  return found && reference && { part: found.part, reference };
}

export function symbolAt(snapshot: Snapshot, offset: number): NameInfo | undefined {
  const found = referenceAt(snapshot, offset);
  if (found === undefined) return undefined;
  const { part, reference } = found;
  const { kind, name, target } = reference;
  const definition = target && locate(snapshot, target, part);
  return { kind, name, span: absolute(reference.span, part), ...(definition && { definition }) };
}

/** Definition first. Two uses are of one symbol if they lead to one place, or are built in and have one name. */
export function referencesTo(snapshot: Snapshot, symbol: NameInfo): readonly Span[] {
  const { definition, kind, name } = symbol;
  const spans = new Map<number, Span>();
  for (const part of parts(snapshot)) {
    // Most declarations of most files can do without being checked for this.
    if (!mentions(part.entry.placed.chunk.text, name)) continue;
    for (const r of part.checked.sheet.references) {
      if (r.name !== name) continue;
      const place = r.target && locate(snapshot, r.target, part);
      const same = place
        ? place.uri === definition?.uri && place.start === definition.start
        : definition === undefined && r.kind === kind;
      if (same) spans.set(r.span.start + part.offset, absolute(r.span, part));
    }
  }
  const sorted = [...spans.values()].sort((a, b) => a.start - b.start);
  if (definition?.uri !== snapshot.world.uri) return sorted;
  const { start, end } = definition;
  return [{ start, end }, ...sorted.filter(s => s.start !== start)];
}

export function hoverAt(snapshot: Snapshot, offset: number): HoverInfo | undefined {
  const nodes = nodesAt(snapshot, offset);
  const found = referenceAt(snapshot, offset);
  if (found) {
    const { reference, part } = found;
    const span = absolute(reference.span, part);
    const described = describe(snapshot, part, reference, meaningAt(nodes?.path ?? [], part));
    if (described) return { span, ...described };
  }
  if (nodes === undefined) return undefined;
  const { part, path } = nodes;
  const axis = part.checked.sheet.axes.find(a => touches(a.span, nodes.at));
  if (axis) return { span: absolute(axis.span, part), code: axisCode(axis), doc: '', notes: [] };
  for (const node of path.toReversed()) {
    if (node.kind === 'block' || node.kind === 'setting' || node.kind === 'bind') return undefined;
    const meaning = part.checked.sheet.types.get(node);
    if (meaning && meaning.kind !== 'error' && node.kind !== 'parameter') {
      return { span: absolute(node, part), code: showMeaning(meaning), doc: '', notes: [] };
    }
  }
  return undefined;
}

/** `h: 4`; the axes that `...` stands for, `...: [B, T]`. */
function axisCode({ name, sizes }: Part['checked']['sheet']['axes'][number]): string {
  return `${name}: ${name === '...' ? showShape(sizes) : sizes.map(showDim).join(', ')}`;
}

function meaningAt(path: readonly AnyNode[], part: Part): Meaning | undefined {
  const name = path.at(-1);
  return name && part.checked.sheet.types.get(name);
}

type Described = Omit<HoverInfo, 'span'>;

function describe(snapshot: Snapshot, part: Part, r: Reference, meaning: Meaning | undefined): Described | undefined {
  if (r.kind === 'library') {
    const about = library(r.name, part, meaning);
    return { ...about, notes: [...about.notes, ...stageCost(snapshot, part, r)] };
  }
  if (r.kind === 'setting') return setting(part.entry.node.kind, r.name);
  if (r.target?.kind === 'global' && r.target.parameter === undefined) {
    const described = declaration(snapshot, r.target);
    if (described) return described;
  }
  const value = meaning ?? bindingMeaning(part, r);
  if (value === undefined) return { code: r.name, doc: '', notes: [] };
  const notes =
    value.kind === 'layer'
      ? layerNotes(snapshot, part, value, r.target?.kind === 'local' ? r.target.span.start : undefined)
      : [];
  return { code: valueCode(r.name, value), doc: '', notes };
}

function setting(block: string, name: string): Described {
  const declared = settingOf(block, name);
  if (declared === undefined) return { code: name, doc: '', notes: [] };
  const notes = Object.entries(declared.named ?? {}).map(([argument, doc]) => `\`${argument}:\` ${doc}`);
  return { code: declared.example, doc: declared.doc, notes, topic: `settings/${block}/${name}` };
}

function bindingMeaning(part: Part, r: Reference): Meaning | undefined {
  const { target } = r;
  if (target?.kind === 'global') return undefined;
  return part.checked.sheet.bindings.find(b => b.span.start === target?.span.start && b.name === r.name)?.meaning;
}

/** `fc1 = linear  [B, 784] -> [B, 128]`, `x: [B, 784]`, `heads: int`. */
function valueCode(name: string, m: Meaning): string {
  if (m.kind === 'tensor') return `${name}: ${showTensor(m)}`;
  if (m.kind === 'layer') {
    const { input, output } = m.state;
    return `${name} = ${m.callee.signature.name}${output === undefined ? '' : `  ${input} -> ${output}`}`;
  }
  if (m.kind === 'number') {
    const value = m.real === undefined ? undefined : String(m.real);
    return value === undefined ? `${name}: ${m.whole ? 'int' : 'float'}` : `${name} = ${value}`;
  }
  return `${name}: ${showMeaning(m)}`;
}

/** Weights and operations of a named layer; of one that is a model, those of the model by itself. */
function layerNotes(
  { world }: Snapshot,
  { entry }: Part,
  m: LayerMeaning,
  site: number | undefined,
): readonly string[] {
  const { model } = m.callee;
  const home = model && world.worldOf(model.uri);
  const cost = home && modelCost(home, m.callee.signature.name);
  if (cost) return showCost(cost);
  const made = site === undefined ? undefined : madeAt(world, entry, site);
  if (made) return showCosts(made);
  return m.state.count === undefined ? [] : [`${m.state.count.toLocaleString('en-US')} weights`];
}

/** Of a layer that is made and applied in one. */
function stageCost({ world }: Snapshot, { entry }: Part, r: Reference): readonly string[] {
  return showCosts(madeAt(world, entry, r.span.start) ?? []);
}

/** Costs of the layers that a place in a model's body makes. */
function madeAt(world: World, { node }: Entry, at: number): readonly Cost[] | undefined {
  return node.kind === 'model' ? modelCost(world, node.name.name)?.layers.get(at) : undefined;
}

function library(name: string, part: Part, meaning: Meaning | undefined): Described {
  const recorded = part.checked.sheet.calls.find(c => c.callee.signature.name === name)?.callee;
  const place = (['model', 'transform', 'metric', 'optimizer', 'schedule', 'source', 'stop'] as const).find(p =>
    libraryCallee(name, p),
  );
  const callee =
    recorded ??
    (part.entry.node.kind === 'data' ? libraryCallee(name, 'transform') : undefined) ??
    (place && libraryCallee(name, place));
  const example = callee?.library?.fn.example;
  const doc = [callee?.doc ?? '', ...(example ? [`\`\`\`strata\n${example}\n\`\`\``] : [])]
    .filter(Boolean)
    .join('\n\n');
  const notes = meaning?.kind === 'tensor' ? [`here: ${showTensor(meaning)}`] : [];
  const topic = callee && `library/${callee.library?.place ?? 'stop'}/${name}`;
  return { code: callee?.signature.label ?? name, doc, notes, ...(topic && { topic }) };
}

function declaration(snapshot: Snapshot, target: Extract<Target, { kind: 'global' }>): Described | undefined {
  const world = snapshot.world.worldOf(target.uri);
  const entry = world?.find(target.name);
  if (!world || !entry) return undefined;
  const { node } = entry;
  const checked = world.check(entry);
  if (node.kind === 'model' && checked.signature) {
    return {
      code: `model ${withResults(checked.signature)}`,
      doc: node.doc,
      notes: [...requirementNotes(checked.signature), ...costNotes(world, node.name.name)],
    };
  }
  if (node.kind === 'data') {
    const fields = [...(checked.data?.fields ?? [])].map(([name, m]) => `${name}: ${showMeaning(m)}`);
    const samples = checked.data?.samples;
    const notes = samples === undefined ? fields : [`${samples.toLocaleString('en-US')} samples`, ...fields];
    return { code: `data ${node.name.name}`, doc: node.doc, notes };
  }
  if (node.kind === 'const') {
    return {
      code: `const ${node.name.name} = ${showMeaning(checked.constant ?? { kind: 'error' })}`,
      doc: node.doc,
      notes: [],
    };
  }
  return node.kind === 'train'
    ? { code: `train ${node.name.name} on ${node.on.name}`, doc: node.doc, notes: [] }
    : undefined;
}

function costNotes(world: World, model: string): readonly string[] {
  const cost = modelCost(world, model);
  return cost ? showCost(cost) : [];
}

function withResults({ label, results }: Signature): string {
  return label.includes('->') || !results ? label : `${label} -> ${results.map(showPattern).join(', ')}`;
}

function requirementNotes({ label, requirements }: Signature): readonly string[] {
  const stated = label.split(/\bwhere\b/)[1] ?? '';
  const shown = requirements.map(showOwn);
  return shown.filter(text => !stated.includes(text)).map(text => `requires ${text}`);
}
