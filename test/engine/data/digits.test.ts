/** The procedural sources: the same numbers everywhere, in equal shares, hard for lines and easy for one hidden layer. */
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { drawDigits } from '../../../engine/data/digits.ts';
import { loadSource, readSchema } from '../../../engine/data/sources.ts';
import type { Call } from '../../../engine/ir/program.ts';

const nowhere = (path: string): string => path;
const load = (name: string, args: Call['args'] = {}) => loadSource({ name, args }, { resolvePath: nowhere });

test.each(['digits', 'spirals', 'moons'])('%s: the schema is that of what is drawn', async name => {
  const schema = await readSchema({ name, args: { samples: 50 } }, nowhere);
  const set = await load(name, { samples: 50 });
  expect(set.columns.map(({ data: _, ...column }) => column)).toEqual(schema.columns);
  expect(set.samples).toBe(schema.samples);
  for (const { data, shape } of set.columns) expect(data.length).toBe(shape.reduce((n, size) => n * size, 50));
});

test.each(['digits', 'spirals', 'moons'])('%s: a seed gives the same numbers, another gives others', async name => {
  const [a, b, c] = await Promise.all([1, 1, 2].map(seed => load(name, { samples: 40, seed })));
  expect(a).toEqual(b);
  expect(a!.columns[0]!.data).not.toEqual(c!.columns[0]!.data);
});

test('digits are the same on every machine', () => {
  // Grey levels in bytes: the last bit of sines may differ between platforms.
  const bytes = Uint8Array.from(drawDigits(100, 0).images, value => Math.round(value * 15));
  expect(createHash('sha256').update(bytes).digest('hex').slice(0, 16)).toMatchInlineSnapshot(`"d0e5edaeea9ecea8"`);
});

test('a sample depends on the seed and its number alone', () => {
  const few = drawDigits(20, 3).images;
  expect(drawDigits(200, 3).images.subarray(0, few.length)).toEqual(few);
});

test('digits lie within 0 … 1, in equal shares, with ink on each', () => {
  const { images, labels } = drawDigits(500, 0);
  for (let label = 0; label < 10; label++) expect(labels.filter(each => each === label).length).toBe(50);
  expect(images.every(value => value >= 0 && value <= 1)).toBe(true);
  for (let i = 0; i < 500; i++) {
    const image = images.subarray(i * 784, (i + 1) * 784);
    const spread = Math.max(...image) - Math.min(...image);
    expect(spread).toBeGreaterThan(0.5);
  }
});

test('digits of a class resemble each other more than other classes, once polarity is undone', () => {
  const { images, labels } = drawDigits(600, 5);
  const upright = Array.from(labels, (_, i) => centred(images.subarray(i * 784, (i + 1) * 784)));
  const means = Array.from({ length: 10 }, (_, label) =>
    meanOf(upright.filter((_, i) => i < 400 && labels[i] === label)),
  );
  const right = upright.slice(400).filter((image, i) => nearest(image, means) === labels[400 + i]).length;
  expect(right / 200).toBeGreaterThan(0.8);
});

test.each([
  ['digits', { samples: 5 }, /from 10 to/],
  ['digits', { samples: 1e9 }, /from 10 to/],
  ['digits', { samples: 10.5 }, /whole number/],
  ['moons', { seed: -1 }, /"seed"/],
  ['spirals', { classes: 1 }, /"classes"/],
  ['moons', { noise: Number.POSITIVE_INFINITY }, /"noise"/],
])('%s(%j) is refused', async (name, args, message) => {
  await expect(load(name, args)).rejects.toMatchObject({
    code: 'data-out-of-range',
    message: expect.stringMatching(message),
  });
});

test('an unknown source is refused with the known ones', async () => {
  await expect(load('orc')).rejects.toMatchObject({
    code: 'unsupported',
    message: expect.stringContaining('moons'),
  });
});

/** The image minus its border's grey, ink positive. */
function centred(image: Float32Array): Float32Array {
  const paper = (image[0]! + image[27]! + image[756]! + image[783]!) / 4;
  return image.map(value => Math.abs(value - paper));
}

function meanOf(images: readonly Float32Array[]): Float32Array {
  return Float32Array.from(
    { length: 784 },
    (_, at) => images.reduce((sum, image) => sum + image[at]!, 0) / images.length,
  );
}

function nearest(image: Float32Array, means: readonly Float32Array[]): number {
  const cosine = (mean: Float32Array): number => {
    let [dot, a, b] = [0, 0, 0];
    for (let at = 0; at < 784; at++) {
      dot += image[at]! * mean[at]!;
      a += image[at]! ** 2;
      b += mean[at]! ** 2;
    }
    return dot / Math.sqrt(a * b);
  };
  const scores = means.map(cosine);
  return scores.indexOf(Math.max(...scores));
}
