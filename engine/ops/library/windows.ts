/** The sizes of sliding windows, as the hyperparameters of convolution and pooling give them: results, requirements, what build needs. */
import { addDim, type Dim, isConstant, mulDim, showShape, subDim } from '../../dim/dim.ts';
import type { Shape, TensorType } from '../../ir/graph.ts';
import { expectDType, windowCount } from '../primitives/rules.ts';
import { ShapeError } from '../shapeError.ts';
import { demand, sizesOf, typeOf } from './arguments.ts';
import type { Arguments, SizeRequirement, TypeArguments } from './function.ts';

/** One entry a spatial axis; sizes are symbolic while the hyperparameters are. */
export interface Windows {
  readonly kernel: readonly Dim[];
  readonly stride: readonly Dim[];
  readonly dilation: readonly Dim[];
  readonly before: readonly Dim[];
  readonly after: readonly Dim[];
}

/** Refuses numbers below `least`; symbolic ones are checked once they are known. */
export function atLeast(op: string, what: string, least: number, sizes: readonly Dim[]): void {
  for (const d of sizes) if (isConstant(d)) demand(d >= least, op, `${what} of at least ${least}`, d);
}

/** d (K - 1) + 1: elements from the first to the last that one window reads. */
function spanOf({ kernel, dilation }: Windows, axis: number): Dim {
  return addDim(mulDim(subDim(kernel[axis]!, 1), dilation[axis]!), 1);
}

/** Reads `kernel` (or the name given), `stride`, `dilation` and `padding` for `rank` axes. Padding "same" keeps the size, so the stride is 1. */
export function windowsOf(op: string, args: Arguments | TypeArguments, rank: number, kernelName = 'kernel'): Windows {
  const each = (name: string, otherwise: readonly Dim[]): readonly Dim[] =>
    args[name] === undefined ? otherwise : sizesOf(args, name, rank, op);
  const kernel = sizesOf(args, kernelName, rank, op);
  const ones = kernel.map(() => 1);
  const [stride, dilation] = [each('stride', kernel), each('dilation', ones)];
  atLeast(op, `a ${kernelName}`, 1, kernel);
  atLeast(op, 'a stride', 1, stride);
  atLeast(op, 'a dilation', 1, dilation);
  if (args.padding !== 'same') {
    const padding = each('padding', [0, 0]);
    atLeast(op, 'a padding', 0, padding);
    return { kernel, stride, dilation, before: padding, after: padding };
  }
  const strided = stride.find(d => isConstant(d) && d !== 1);
  demand(strided === undefined, op, 'a stride of 1 for padding "same"', showShape(stride));
  const total = kernel.map((k, i) => mulDim(dilation[i]!, subDim(k, 1)));
  const before = total.map(d => (isConstant(d) ? Math.floor(d / 2) : d));
  return { kernel, stride, dilation, before, after: total.map((d, i) => subDim(d, before[i]!)) };
}

/** Positions along each spatial axis; ShapeError where the window is larger than the padded input. */
function positions(op: string, spatial: Shape, windows: Windows): Shape {
  return spatial.map((d, axis) => {
    const padded = addDim(d, addDim(windows.before[axis]!, windows.after[axis]!));
    const span = spanOf(windows, axis);
    const count = windowCount(padded, windows.kernel[axis]!, windows.stride[axis]!, windows.dilation[axis]!);
    if (!isConstant(padded) || !isConstant(span) || padded >= span) return count;
    const expected = `windows of ${span} elements within ${padded} along axis ${axis + 2}`;
    throw new ShapeError({ code: 'shape-mismatch', op, expected, found: showShape(spatial), axis: axis + 2 });
  });
}

/** The type of x [B, C, ...spatial] after windows: `channels` and the positions. */
export function windowedType(op: string, args: TypeArguments, windows: Windows, channels: Dim): TensorType {
  const x = typeOf(args, 'x');
  expectDType(op, [x], 0, ['f32']);
  return { dtype: 'f32', shape: [x.shape[0]!, channels, ...positions(op, x.shape.slice(2), windows)] };
}

/** No window is larger than the padded input. */
export function windowsFit(args: TypeArguments, windows: Windows): readonly SizeRequirement[] {
  return typeOf(args, 'x')
    .shape.slice(2)
    .map((d, axis) => {
      const padding = addDim(windows.before[axis]!, windows.after[axis]!);
      return { requirement: { kind: 'atLeast', left: d, right: subDim(spanOf(windows, axis), padding) } };
    });
}

/** The numbers, once all are known. */
export function numbersOf(sizes: readonly Dim[], op: string): readonly number[] {
  return sizes.map(d => {
    if (isConstant(d)) return d;
    throw new ShapeError({ code: 'bad-attribute', op, expected: 'sizes known before training', found: showShape([d]) });
  });
}
