/** Which symbolic sizes may stand where others do: numpy's broadcasting rule, and equalities that are left to the callers. */
import { type Dim, sameDim, showShape } from '../dim/dim.ts';
import { decide, type Requirement } from '../dim/facts.ts';
import type { Shape } from '../ir/graph.ts';
import { ShapeError } from './shapeError.ts';

/** The sizes that meet at an axis of the result. */
export interface Meeting {
  readonly size: Dim;
  /** Which of the shapes has that size. */
  readonly from: number;
  /** Sizes that are neither it nor 1: equal to it, or there is no result. */
  readonly others: readonly Dim[];
}

/** Axis by axis, aligned at the end; 1 repeats. */
export function meetings(shapes: readonly Shape[]): readonly Meeting[] {
  const rank = Math.max(...shapes.map(s => s.length));
  return Array.from({ length: rank }, (_, axis) => {
    const sizes = shapes.map(s => s[axis - rank + s.length] ?? 1);
    const from = Math.max(
      0,
      sizes.findIndex(d => d !== 1),
    );
    const size = sizes[from]!;
    return { size, from, others: sizes.filter((d: Dim) => d !== 1 && !sameDim(d, size)) };
  });
}

/** The shape all of them broadcast to. Different symbolic sizes don't broadcast: ShapeError names the axis. */
export function broadcastShapes(op: string, shapes: readonly Shape[]): Shape {
  return broadcast(op, shapes, ({ others }) => others.length === 0);
}

/** The same, where sizes that are still open are what they have to be (`broadcastRequirements`): ShapeError where they can't. */
export function broadcastOpenShapes(op: string, shapes: readonly Shape[]): Shape {
  return broadcast(op, shapes, ({ size, others }) => equalities(others.map(other => [size, other])) !== undefined);
}

function broadcast(op: string, shapes: readonly Shape[], fits: (meeting: Meeting) => boolean): Shape {
  return meetings(shapes).map((meeting, axis) => {
    if (fits(meeting)) return meeting.size;
    const found = shapes.map(showShape).join(' and ');
    throw new ShapeError({ code: 'shape-mismatch', op, expected: 'shapes that broadcast together', found, axis });
  });
}

/** What has to be equal for shapes to broadcast. */
export function broadcastRequirements(shapes: readonly Shape[]): readonly Requirement[] {
  return meetings(shapes).flatMap(({ size, others }) => equalities(others.map(other => [size, other])) ?? []);
}

/** The pairs that may be equal or not, as it turns out; undefined where one of them can't be. */
export function equalities(pairs: readonly (readonly [Dim, Dim])[]): readonly Requirement[] | undefined {
  const equal = pairs.map(([left, right]): Requirement => ({ kind: 'equal', left, right }));
  if (equal.some(e => decide(e) === 'fails')) return undefined;
  return equal.filter(e => !sameDim(e.left, e.right));
}
