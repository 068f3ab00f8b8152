/** Convolution and pooling over images [B, C, H, W]. */
import { addDim, type Dim, floorDivDim, isConstant, showShape, subDim } from '../../dim/dim.ts';
import type { GraphBuilder, Value } from '../builder.ts';
import { ShapeError } from '../shapeError.ts';
import { demand, flag, known, number, optionalNumber, tensor, typeOf } from './arguments.ts';
import type { Arguments, TensorFunction, TypeArguments } from './function.ts';
import { fanIn } from './layers.ts';
import { mean } from './numerics.ts';

const side = (axis: string) => `(${axis} + 2 * padding - kernel) / stride + 1`;

const conv2d: TensorFunction = {
  kind: 'layer',
  name: 'conv2d',
  signature: `conv2d(x: [B, C, H, W], out: int, kernel: int, stride: int = 1, padding: int = 0, bias: bool = true) -> [B, out, ${side('H')}, ${side('W')}]`,
  doc: 'Cross-correlation with `out` square kernels. Weight [out, C, kernel, kernel] and bias start uniform within 1 / sqrt(C * kernel^2), as torch.nn.Conv2d.',
  example: 'x |> conv2d(32, kernel: 3, padding: 1)',
  build: (context, args) => {
    const { b } = context;
    const x = tensor(args, 'x');
    const [out, kernel, stride, padding] = ['out', 'kernel', 'stride', 'padding'].map(name => number(args, name));
    demand(
      kernel! >= 1 && stride! >= 1 && padding! >= 0,
      'conv2d',
      'a kernel and a stride of at least 1',
      `${kernel} and ${stride}`,
    );
    const channels = known('conv2d', x.type.shape[1]!);
    const init = fanIn(channels * kernel! ** 2);
    const weight = context.parameter('weight', [out!, channels, kernel!, kernel!], init);
    const y = b.conv(x, weight, { strides: [stride!, stride!], before: [padding!, padding!] });
    return flag(args, 'bias') ? b.add(y, b.reshape(context.parameter('bias', [out!], init), [1, out!, 1, 1])) : y;
  },
};

function steps(op: string, args: Arguments | TypeArguments): { size: number; stride: number } {
  const size = number(args, 'size');
  const stride = optionalNumber(args, 'stride') ?? size;
  demand(size >= 1 && stride >= 1, op, 'a size and a stride of at least 1', `${size} and ${stride}`);
  return { size, stride };
}

/** How many windows fit; ShapeError where none does. */
function windows(op: string, extent: Dim, size: number, stride: number): Dim {
  const count = addDim(floorDivDim(subDim(extent, size), stride), 1);
  if (!isConstant(count) || count >= 1) return count;
  throw new ShapeError({
    code: 'shape-mismatch',
    op,
    expected: `an image of at least ${size}x${size}`,
    found: showShape([extent]),
  });
}

function pooling(name: string, doc: string, rule: (b: GraphBuilder, windows: Value) => Value): TensorFunction {
  return {
    kind: 'function',
    name,
    signature: `${name}(x: [B, C, H, W], size: int, stride?: int) -> [B, C, OH, OW]`,
    doc: `${doc} of each \`size\` by \`size\` window; the stride is the size unless given, and a rest at the border is left out.`,
    example: `x |> ${name}(2)`,
    type: args => {
      const { dtype, shape } = typeOf(args, 'x');
      const { size, stride } = steps(name, args);
      return { dtype, shape: shape.map((d, axis) => (axis < 2 ? d : windows(name, d, size, stride))) };
    },
    build: ({ b }, args) => {
      const { size, stride } = steps(name, args);
      return rule(b, b.windows(tensor(args, 'x'), { axes: [2, 3], sizes: [size, size], strides: [stride, stride] }));
    },
  };
}

export const imageLayers: readonly TensorFunction[] = [
  conv2d,
  pooling('max_pool2d', 'The greatest element', (b, w) => b.max(w, { axes: [-2, -1] })),
  pooling('avg_pool2d', 'The mean', (b, w) => mean(b, w, { axes: [-2, -1] })),
];
