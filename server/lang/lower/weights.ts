/** What only the weights of a train block show: layers without any, and files whose weights are of other names or shapes. */
import { isUnder, matchWeights } from '../../../engine/ir/weightNames.ts';
import { ShapeError } from '../../../engine/ops/shapeError.ts';
import { report } from '../check/context.ts';
import type { FactRecord } from '../check/records.ts';
import { emptySheet } from '../check/records.ts';
import type { Entry, World } from '../check/world.ts';
import { closest } from '../names.ts';
import { trainGraphs } from './train.ts';

/** Facts about the `init` and `freeze` of a train block that has no other mistakes; it is lowered to see its weights. */
export function weightFacts(world: World, entry: Entry): readonly FactRecord[] {
  const { node } = entry;
  const checked = world.check(entry);
  const { train } = checked;
  if (node.kind !== 'train' || train === undefined || train.inits.length + train.frozen.length === 0) return [];
  const data = world.dataOf(node.on.name);
  if (checked.sheet.facts.length > 0 || data?.fields === undefined) return [];
  const sheet = emptySheet();
  const context = world.context(entry, sheet, new Map());
  const parameters = parametersOf(() => trainGraphs(world, entry, node, data.fields!).parameters);
  if (parameters === undefined) return [];
  for (const { path, span } of [...train.frozen, ...train.inits]) {
    if (parameters.some(p => isUnder(p.name, path))) continue;
    const layers = new Set(parameters.flatMap(p => [...p.name.matchAll(/\./g)].map(m => p.name.slice(0, m.index))));
    report(context, 'unknown-name', span, { name: path, kind: 'value', candidates: closest(path, layers) });
  }
  for (const { path, from, fromSpan } of train.inits) {
    const weights = world.readWeights(from);
    if (weights?.kind !== 'weights' || sheet.facts.length > 0) continue;
    const match = matchWeights(path, parameters, weights.shapes);
    if (match.kind === 'matched') continue;
    report(context, 'data-malformed', fromSpan, { source: 'init', path: from, message: `${from}: ${match.message}` });
  }
  return sheet.facts;
}

/** Undefined where the block can't be lowered, which training will say. */
function parametersOf<T>(lowered: () => T): T | undefined {
  try {
    return lowered();
  } catch (error) {
    if (error instanceof ShapeError) return undefined;
    throw error;
  }
}
