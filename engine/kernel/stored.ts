/** Loading what another kernel has stored: from a place of its own, from a concatenation, from a result of a loop. */
import type { NodeId } from '../ir/graph.ts';
import type { Scalar, ScalarType } from '../ir/scalar.ts';
import { never } from '../util/errors.ts';
import { scalarType } from './dataflow.ts';
import type { Plan } from './roots.ts';
import { add, apply, constant, load, rangeOf } from './scalar.ts';
import type { ScanPlace } from './scanPlaces.ts';

/** Element `flat` of a value that is stored, in a kernel whose axes have these extents. */
export function loadStored(plan: Plan, node: NodeId, flat: Scalar, extents: readonly number[]): Scalar {
  const type = scalarType(plan.flow.node(node).type.dtype);
  const scan = plan.scans.get(node);
  if (scan) return loadResult(scan, flat, extents, type);
  const places = plan.rootOf.get(node)?.places ?? plan.concats.get(node)?.places ?? [];
  const place = places.find(p => p.base === undefined);
  if (!place) throw never('a value is read that is not stored', node);
  return load(place.buffer, place.at(flat), type);
}

/** The result that all of the kernel's points read; where they read several, each decides. */
function loadResult({ parts }: ScanPlace, flat: Scalar, extents: readonly number[], type: ScalarType): Scalar {
  const [low, high] = rangeOf(flat, extents);
  const within = parts.find(({ start, size }) => low >= start && high < start + size);
  if (within) return load(within.buffer, add(flat, constant(-within.start)), type);
  const clamped = ({ buffer, start, size }: ScanPlace['parts'][number]): Scalar => {
    const from = apply('max', [add(flat, constant(-start)), constant(0)], 'i32');
    return load(buffer, apply('min', [from, constant(size - 1)], 'i32'), type);
  };
  const read = parts.filter(({ start, size }) => high >= start && low < start + size);
  return read.slice(0, -1).reduceRight(
    (later, part) => {
      const isHere = apply('lt', [flat, constant(part.start + part.size)], 'bool');
      return apply('select', [isHere, clamped(part), later], type);
    },
    clamped(read.at(-1)!),
  );
}
