/** What only the graph of a train block shows of its `generate`: scores of no tokens, and prompts that no token covers. */
import { ShapeError } from '../../../engine/ops/shapeError.ts';
import type { FactRecord } from '../check/records.ts';
import type { Entry, World } from '../check/world.ts';
import { inferenceOf } from './train.ts';
import { viewsOf } from './views.ts';

/** By what was checked: a block that stays as it is isn't lowered again at every key. */
const known = new WeakMap<object, readonly FactRecord[]>();

/** Facts about the `generate` of a train block that has no other mistakes. */
export function drawingFacts(world: World, entry: Entry): readonly FactRecord[] {
  const checked = world.check(entry);
  const facts = known.get(checked) ?? lookedAt(world, entry);
  known.set(checked, facts);
  return facts;
}

function lookedAt(world: World, entry: Entry): readonly FactRecord[] {
  const { node } = entry;
  const { train, sheet } = world.check(entry);
  if (node.kind !== 'train' || !train?.shown.some(({ drawing }) => drawing !== undefined)) return [];
  const data = world.dataOf(node.on.name);
  if (sheet.facts.length > 0 || data?.fields === undefined || data.source === undefined) return [];
  try {
    const inference = inferenceOf(world, entry, node, data.fields);
    const before = inference.context.sheet.facts.length;
    viewsOf(inference, data.source, data.columns);
    return inference.context.sheet.facts.slice(before);
  } catch (error) {
    // A block that can't be lowered says so when it is trained.
    if (error instanceof ShapeError) return [];
    throw error;
  }
}
