/** Type rules: what they derive from symbolic shapes, and the words in which they refuse. */
import { describe, expect, it } from 'vitest';
import { parseDim } from '../../../engine/dim/parse.ts';
import type { Attributes, TensorType } from '../../../engine/ir/graph.ts';
import { printType } from '../../../engine/ir/print.ts';
import { type PrimitiveName, primitive } from '../../../engine/ops/registry.ts';
import { ShapeError, type ShapeProblem } from '../../../engine/ops/shapeError.ts';
import { typeOfText } from '../../support/samples.ts';

const dims = (...texts: string[]) => texts.map(text => parseDim(text)!);
const types = (texts: readonly string[]): TensorType[] => texts.map(typeOfText);

const derived: readonly (readonly [PrimitiveName, string[], Attributes, string])[] = [
  ['add', ['f32[B, 4]', 'f32[B, 4]'], {}, 'f32[B, 4]'],
  ['less', ['f32[B]', 'f32[B]'], {}, 'bool[B]'],
  ['select', ['bool[B]', 'i32[B]', 'i32[B]'], {}, 'i32[B]'],
  ['cast', ['u8[B, 28, 28]'], { dtype: 'f32' }, 'f32[B, 28, 28]'],
  ['broadcast', ['f32[D]'], { shape: dims('B', 'D') }, 'f32[B, D]'],
  ['reshape', ['f32[B, 4 * D]'], { shape: dims('B', '4', 'D') }, 'f32[B, 4, D]'],
  ['transpose', ['f32[B, T, D]'], { permutation: [0, 2, 1] }, 'f32[B, D, T]'],
  ['slice', ['f32[B, T]'], { starts: dims('0', '1'), sizes: dims('B', 'T - 1') }, 'f32[B, T - 1]'],
  ['pad', ['f32[B, H]'], { before: [0, 1], after: [0, 1], value: 0 }, 'f32[B, H + 2]'],
  ['pad', ['f32[B, H]'], { before: [0, 0], after: [0, 0], value: 0, interior: [0, 1] }, 'f32[B, 2 * H - 1]'],
  ['concat', ['f32[B, D]', 'f32[B, 3]'], { axis: 1 }, 'f32[B, D + 3]'],
  ['sum', ['f32[B, T, D]'], { axes: [0, 2], keep: false }, 'f32[T]'],
  ['max', ['f32[B, T, D]'], { axes: [2], keep: true }, 'f32[B, T, 1]'],
  ['argmax', ['f32[B, C]'], { axes: [1], keep: false }, 'i32[B]'],
  ['matmul', ['f32[B, D]', 'f32[N, D]'], { transposeA: false, transposeB: true }, 'f32[B, N]'],
  ['matmul', ['f32[H, T, D]', 'f32[H, T, K]'], { transposeA: true, transposeB: false }, 'f32[H, D, K]'],
  ['take', ['f32[V, D]', 'i32[B, T]'], {}, 'f32[B, T, D]'],
  ['scatter_add', ['i32[B]', 'f32[B, D]'], { rows: dims('V') }, 'f32[V, D]'],
  ['random_bits', ['i32[]', 'i32[]'], { shape: dims('B', '3'), stream: 1 }, 'u32[B, 3]'],
];

it.each(derived)('%s of %s with %j', (name, inputs, attributes, expected) => {
  expect(printType(primitive(name).type(types(inputs), attributes))).toBe(expected);
});

type Refusal = readonly [PrimitiveName, string[], Attributes, string, Partial<ShapeProblem>];

const refused: readonly Refusal[] = [
  [
    'add',
    ['f32[B, 4]', 'f32[B, 5]'],
    {},
    'add expects inputs of one shape [B, 4], found [B, 5]',
    { axis: 1, input: 1 },
  ],
  ['add', ['f32[B]', 'f32[N]'], {}, 'add expects inputs of one shape [B], found [N]', { code: 'shape-mismatch' }],
  ['add', ['f32[B]', 'f32[]'], {}, 'add expects inputs of one shape [B], found []', { code: 'rank-mismatch' }],
  ['add', ['f32[B]', 'i32[B]'], {}, 'add expects f32 for input 2, found i32', { code: 'dtype-mismatch' }],
  ['add', ['f32[B]'], {}, 'add expects 2 inputs, found 1', { code: 'bad-attribute' }],
  ['exp', ['i32[B]'], {}, 'exp expects f32 for input 1, found i32', { code: 'dtype-mismatch' }],
  ['select', ['f32[2]', 'f32[2]', 'f32[2]'], {}, 'select expects bool for input 1, found f32', {}],
  [
    'broadcast',
    ['f32[3]'],
    { shape: [2, 4] },
    'broadcast expects a shape that repeats to [2, 4], found [3]',
    { axis: 0 },
  ],
  ['reshape', ['f32[B, 10]'], { shape: [5] }, 'reshape expects as many elements as [5] has, found [B, 10]', {}],
  ['transpose', ['f32[2, 3]'], { permutation: [0, 0] }, 'transpose expects axes that differ, found [0, 0]', {}],
  [
    'slice',
    ['f32[4]'],
    { starts: [2], sizes: [3] },
    'slice expects elements within axis 0 of [4], found elements [2] to [4]',
    { axis: 0 },
  ],
  [
    'concat',
    ['f32[2, 3]', 'f32[3, 3]'],
    { axis: 1 },
    'concat expects shapes that differ in axis 1 alone from [2, 3], found [3, 3]',
    { axis: 0 },
  ],
  [
    'sum',
    ['f32[2]'],
    { axes: [1], keep: false },
    'sum expects axes from 0 to 0 for [2], found 1',
    { code: 'axis-out-of-range' },
  ],
  [
    'matmul',
    ['f32[B, 784]', 'f32[10, 128]'],
    { transposeA: false, transposeB: false },
    'matmul expects equal inner sizes, found [B, 784] and [10, 128]',
    { axis: 1 },
  ],
  [
    'matmul',
    ['f32[2, 3, 4]', 'f32[4, 5]'],
    { transposeA: false, transposeB: false },
    'matmul expects equal batch axes, found [2, 3, 4] and [4, 5]',
    {},
  ],
  [
    'matmul',
    ['f32[4]', 'f32[4, 5]'],
    { transposeA: false, transposeB: false },
    'matmul expects at least 2 dimensions for input 1, found [4]',
    { code: 'rank-mismatch' },
  ],
  ['take', ['f32[4]', 'f32[2]'], {}, 'take expects i32 for input 2, found f32', {}],
  [
    'scatter_add',
    ['i32[2]', 'f32[3, 4]'],
    { rows: [5] },
    'scatter_add expects updates whose first axes are [2], found [3, 4]',
    {},
  ],
  [
    'random_bits',
    ['i32[1]', 'i32[]'],
    { shape: [2], stream: 0 },
    'random_bits expects scalars seed and step, found [1]',
    { input: 0 },
  ],
];

describe('type rules refuse', () => {
  it.each(refused)('%s of %s', (name, inputs, attributes, message, problem) => {
    const attempt = () => primitive(name).type(types(inputs), attributes);
    expect(attempt).toThrow(ShapeError);
    expect(attempt).toThrow(message);
    try {
      attempt();
    } catch (error) {
      expect((error as ShapeError).problem).toMatchObject(problem);
    }
  });
});
