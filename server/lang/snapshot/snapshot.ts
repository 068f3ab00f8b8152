/** What the parts of an analysis share: the checked world of one text, and the way from places in it to spans of the file. */

import type { LangHost } from '../api.ts';
import type { Target } from '../check/records.ts';
import type { Checked, Entry, World } from '../check/world.ts';
import { type AnyNode, pathTo } from '../syntax/ast.ts';
import { type LineIndex, type Location, type Span, shiftSpan } from '../text.ts';

export interface Snapshot {
  readonly world: World;
  readonly text: string;
  readonly lines: LineIndex;
  /** What the file was read with. */
  readonly host: LangHost;
}

/** A declaration with its check, which is made when it is first looked at. Spans on the sheet are relative to `offset`. */
export interface Part {
  readonly entry: Entry;
  readonly checked: Checked;
  readonly offset: number;
}

const known = new WeakMap<World, readonly Part[]>();

/** In order of the text. */
export function parts({ world }: Snapshot): readonly Part[] {
  const before = known.get(world);
  if (before) return before;
  const found = partsOf(world);
  for (const part of found) byEntry.set(part.entry, part);
  known.set(world, found);
  return found;
}

function partsOf(world: World): readonly Part[] {
  return world.entries.map(entry => ({
    entry,
    offset: entry.placed.offset,
    get checked() {
      return world.check(entry);
    },
  }));
}

const byEntry = new WeakMap<Entry, Part>();

export function partOf(snapshot: Snapshot, entry: Entry): Part | undefined {
  parts(snapshot);
  return byEntry.get(entry);
}

/** The declaration that an offset lies in (the nearest before it within the same chunk), and the offset within the chunk. */
export function partAt(snapshot: Snapshot, offset: number): { part: Part; at: number } | undefined {
  const all = parts(snapshot);
  const inside = all.find(p => p.offset + p.entry.node.start <= offset && offset <= p.offset + p.entry.node.end);
  const before = all.findLast(p => p.offset + p.entry.node.start <= offset);
  const part = inside ?? before;
  return part && { part, at: offset - part.offset };
}

/** From the declaration to the innermost node at an offset. */
export function nodesAt(
  snapshot: Snapshot,
  offset: number,
): { part: Part; at: number; path: readonly AnyNode[] } | undefined {
  const found = partAt(snapshot, offset);
  return found && { ...found, path: pathTo(found.part.entry.node, found.at) };
}

export function absolute(span: Span, part: Part): Span {
  return shiftSpan({ start: span.start, end: span.end }, part.offset);
}

/** Where a target is now. Undefined for one that has gone. */
export function locate({ world }: Snapshot, target: Target, part: Part): Location | undefined {
  if (target.kind === 'local') return { uri: world.uri, ...absolute(target.span, part) };
  const home = world.worldOf(target.uri);
  const entry = home?.find(target.name);
  if (entry === undefined) return undefined;
  const { node, placed } = entry;
  const parameter =
    node.kind === 'model' ? node.header.parameters.find(p => p.name.name === target.parameter) : undefined;
  const field = target.parameter !== undefined && node.kind === 'data' ? fieldName(node, target.parameter) : undefined;
  const sheet = target.requirement === undefined && target.size === undefined ? undefined : home?.check(entry).sheet;
  const wanted =
    target.size === undefined ? sheet?.requirements.at(-(target.requirement ?? 0)) : sheet?.sizes[target.size];
  return { uri: target.uri, ...shiftSpan(wanted?.span ?? parameter?.name ?? field ?? node.name, placed.offset) };
}

/** The binding that gives a field its final type, or what a setting of that name says. */
function fieldName(node: Extract<AnyNode, { kind: 'data' }>, field: string): Span | undefined {
  const statements = node.body?.statements ?? [];
  const binds = statements.flatMap(s => (s.kind === 'bind' ? s.targets : []));
  const setting = statements.find(s => s.kind === 'setting' && s.keyword.name === field);
  return binds.findLast(t => t.name === field) ?? (setting?.kind === 'setting' ? setting.args[0] : undefined);
}
