/** Transforms of images: sizes in the fields of a data block, random movements and changes of light in `augment`. */
import { isConstant, showShape } from '../../dim/dim.ts';
import type { Shape } from '../../ir/graph.ts';
import type { Value } from '../builder.ts';
import { ShapeError } from '../shapeError.ts';
import { demand, flag, number, optionalNumber, tensor, typeOf, word } from './arguments.ts';
import type { Arguments, BuildContext, TransformFunction, TypeArguments } from './function.ts';
import { contrasted, cutOut, imageSize, lit, mirrored, type Planes, planesOf, rotated, shifted } from './images.ts';
import { cropStart, padded, type Resampling, resample, resized } from './resampling.ts';

/** A change of images that keeps their shape, so that [784] is taken for the 28x28 image it was. */
function change(
  name: string,
  hyperparameters: string,
  doc: string,
  rule: (context: BuildContext, planes: Planes, args: Arguments) => Value,
): TransformFunction {
  return {
    kind: 'transform',
    name,
    signature: `${name}(x: [...]${hyperparameters && `, ${hyperparameters}`}) -> [...]`,
    doc,
    random: true,
    type: args => {
      const { shape } = typeOf(args, 'x');
      imageSize(name, shape);
      return { dtype: 'f32', shape };
    },
    build: (context, args) => {
      const x = tensor(args, 'x');
      return context.b.reshape(rule(context, planesOf(context.b, name, x), args), x.type.shape);
    },
  };
}

/** The sizes of a sample whose last two axes are rows and columns. */
function rowsAndColumns(op: string, sample: Shape): readonly [number, number] {
  const sizes = sample.filter(isConstant);
  if (sizes.length === sample.length && (sizes.length === 2 || sizes.length === 3))
    return [sizes.at(-2)!, sizes.at(-1)!];
  const expected = 'an image [H, W] or [C, H, W]';
  throw new ShapeError({ code: 'shape-mismatch', op, expected, found: showShape(sample) });
}

/** A transform whose result has other rows and columns; `size` refuses what is out of range. */
function sizing(
  name: string,
  hyperparameters: string,
  doc: string,
  size: (args: TypeArguments | Arguments, image: readonly [number, number]) => readonly [number, number],
  rule: (context: BuildContext, x: Value, args: Arguments, to: readonly [number, number]) => Value,
): TransformFunction {
  return {
    kind: 'transform',
    name,
    signature: `${name}(x: [...], ${hyperparameters}) -> [...]`,
    doc,
    random: false,
    type: args => {
      const { shape } = typeOf(args, 'x');
      return { dtype: 'f32', shape: resized(shape, ...size(args, rowsAndColumns(name, shape))) };
    },
    build: (context, args) => {
      const x = context.b.cast(tensor(args, 'x'), 'f32');
      return rule(context, x, args, size(args, rowsAndColumns(name, x.type.shape.slice(1))));
    },
  };
}

function wanted(op: string, args: TypeArguments | Arguments): readonly [number, number] {
  const [height, width] = [number(args, 'height'), number(args, 'width')];
  demand(height >= 1, op, 'a height of at least 1', height);
  demand(width >= 1, op, 'a width of at least 1', width);
  return [height, width];
}

const crop = sizing(
  'crop',
  'height: int, width: int, top?: int, left?: int',
  'The part of each image that is `height` by `width`, from row `top` and column `left`, or from the middle.',
  (args, [rows, columns]) => {
    const [height, width] = [number(args, 'height'), number(args, 'width')];
    cropStart('height', rows, height, optionalNumber(args, 'top'));
    cropStart('width', columns, width, optionalNumber(args, 'left'));
    return [height, width];
  },
  ({ b }, x, args, [height, width]) => {
    const [rows, columns] = rowsAndColumns('crop', x.type.shape.slice(1));
    const top = cropStart('height', rows, height, optionalNumber(args, 'top'));
    const left = cropStart('width', columns, width, optionalNumber(args, 'left'));
    return b.sliceAxis(b.sliceAxis(x, -2, top, height), -1, left, width);
  },
);

const pad = sizing(
  'pad',
  'pixels: int, value: float = 0',
  'Each image with `pixels` more on every side, full of `value`.',
  (args, [rows, columns]) => {
    const pixels = number(args, 'pixels');
    demand(pixels >= 0, 'pad', 'at least 0 pixels', pixels);
    return [rows + 2 * pixels, columns + 2 * pixels];
  },
  ({ b }, x, args) => padded(b, x, number(args, 'pixels'), number(args, 'value')),
);

const resize = sizing(
  'resize',
  'height: int, width: int, method: bilinear | nearest = bilinear, antialias: bool = true',
  "Each image resampled to `height` by `width`, as PyTorch's interpolate with align_corners=False; `antialias` weighs all pixels that a smaller image's pixel covers.",
  args => wanted('resize', args),
  ({ b }, x, args, size) => resample(b, x, size, word(args, 'method') as Resampling, flag(args, 'antialias')),
);

function share(op: string, args: Arguments): number {
  const by = number(args, 'by');
  demand(by >= 0 && by <= 1, op, 'a share from 0 to 1', by);
  return by;
}

export const imageTransforms: readonly TransformFunction[] = [
  { ...crop, example: 'image |> crop(24, 24)' },
  { ...pad, example: 'image |> pad(2)' },
  { ...resize, example: 'image |> resize(14, 14)' },
  {
    ...change(
      'shift',
      'pixels: int',
      'Moves each image by up to `pixels` whole pixels along each axis; 0 comes in from outside.',
      (context, planes, args) => {
        demand(number(args, 'pixels') >= 0, 'shift', 'at least 0 pixels', number(args, 'pixels'));
        return shifted(context, planes, number(args, 'pixels'));
      },
    ),
    example: 'image |> shift(2)',
  },
  {
    ...change(
      'rotate',
      'degrees: float',
      'Turns each image about its middle by up to `degrees` either way, bilinear; 0 comes in from outside.',
      (context, planes, args) => rotated(context, planes, number(args, 'degrees')),
    ),
    example: 'image |> rotate(10)',
  },
  {
    ...change(
      'flip',
      'vertical: bool = false',
      'Mirrors half of the images left to right, or top to bottom if `vertical`.',
      (context, planes, args) => mirrored(context, planes, flag(args, 'vertical')),
    ),
    example: 'image |> flip',
  },
  {
    ...change(
      'cutout',
      'size: int, value: float = 0',
      'Blanks a square of `size` pixels at a random place, cut off at the edges (DeVries and Taylor, 2017).',
      (context, planes, args) => {
        demand(number(args, 'size') >= 1, 'cutout', 'a size of at least 1', number(args, 'size'));
        return cutOut(context, planes, number(args, 'size'), number(args, 'value'));
      },
    ),
    example: 'image |> cutout(8)',
  },
  {
    ...change(
      'brightness',
      'by: float',
      "x times a factor from 1 - by to 1 + by, one a sample, as torchvision's ColorJitter; nothing is clamped.",
      (context, planes, args) => lit(context, planes, share('brightness', args)),
    ),
    example: 'image |> brightness(0.2)',
  },
  {
    ...change(
      'contrast',
      'by: float',
      "The image's distance from its own mean times a factor from 1 - by to 1 + by, one a sample; nothing is clamped.",
      (context, planes, args) => contrasted(context, planes, share('contrast', args)),
    ),
    example: 'image |> contrast(0.2)',
  },
];
