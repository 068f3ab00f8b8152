/** Numpy's broadcasting rule over symbolic shapes. */
import { type Dim, sameDim, showShape } from '../dim/dim.ts';
import type { Shape } from '../ir/graph.ts';
import { ShapeError } from './shapeError.ts';

/** The shape all of them broadcast to: aligned at the end, 1 repeats. Different symbolic sizes don't broadcast: ShapeError names the axis. */
export function broadcastShapes(op: string, shapes: readonly Shape[]): Shape {
  const rank = Math.max(...shapes.map(s => s.length));
  return Array.from({ length: rank }, (_, axis) => {
    const sizes = shapes.flatMap(s => s[axis - rank + s.length] ?? []);
    const size = sizes.find(d => d !== 1) ?? 1;
    const other = sizes.find((d: Dim) => d !== 1 && !sameDim(d, size));
    if (other === undefined) return size;
    const found = shapes.map(showShape).join(' and ');
    throw new ShapeError({ code: 'shape-mismatch', op, expected: 'shapes that broadcast together', found, axis });
  });
}
