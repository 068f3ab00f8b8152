/** Transforms of images: sizes against PyTorch and by hand, random ones by what moves, what comes in from outside, what stays. */
import { describe, expect, it } from 'vitest';
import { golden, relativeError } from '../../../goldens/golden.ts';
import { Lcg } from '../../../goldens/inputs.ts';
import { libraryFunction } from '../../../support/macros.ts';
import { transformAll, transformed } from '../../../support/transforms.ts';

/** A 5x5 image with 1 in the middle, `count` times. */
const dots = (count: number, shape: readonly number[] = [5, 5]) => ({
  shape: [count, ...shape],
  data: Array.from({ length: 25 * count }, (_, i) => (i % 25 === 12 ? 1 : 0)),
});
const image = { shape: [1, 3, 4], data: Array.from({ length: 12 }, (_, i) => i) };
const near = (values: readonly number[]) => values.map(v => Number(v.toFixed(5)));

describe('sizes', () => {
  it('crop keeps the middle, or the part that is named', () => {
    expect(transformed('crop', image, { height: 1, width: 2 })).toEqual([5, 6]);
    expect(transformed('crop', image, { height: 2, width: 3, top: 1, left: 0 })).toEqual([4, 5, 6, 8, 9, 10]);
    // As torchvision's CenterCrop: round((3 - 2) / 2) is 0, round((4 - 1) / 2) is 2.
    expect(transformed('crop', image, { height: 2, width: 1 })).toEqual([2, 6]);
  });

  it('pad surrounds every channel', () => {
    const [y] = transformAll('pad', { shape: [1, 2, 1, 1], data: [3, 4] }, { pixels: 1, value: -1 });
    expect(y!.shape).toEqual([1, 2, 3, 3]);
    expect([...y!.data]).toEqual([-1, -1, -1, -1, 3, -1, -1, -1, -1, -1, -1, -1, -1, 4, -1, -1, -1, -1]);
  });

  it('crop undoes pad', () => {
    const [wide] = transformAll('pad', image, { pixels: 3 });
    expect(transformed('crop', wide!, { height: 3, width: 4 })).toEqual(image.data);
  });

  const cases = golden<{
    resize: readonly {
      readonly shape: readonly number[];
      readonly size: readonly [number, number];
      readonly method: string;
      readonly antialias: boolean;
      readonly y: readonly number[];
    }[];
  }>('transforms').resize;
  it.each(cases)('resize $shape to $size, $method, antialias $antialias, as PyTorch', ({ shape, size, y, ...how }) => {
    const x = { shape: [1, ...shape], data: new Lcg(31).floats(shape.reduce((n, d) => n * d, 1)) };
    const [found] = transformAll('resize', x, { height: size[0], width: size[1], ...how });
    expect(found!.shape).toEqual([1, ...shape.slice(0, -2), ...size]);
    expect(relativeError(found!.data, y, 1)).toBeLessThan(2e-6);
  });

  it.each([
    ['crop', { height: 6, width: 2 }, [5, 4], "crop expects a height from 1 to the image's 5, found 6"],
    ['crop', { height: 2, width: 2, left: 3 }, [5, 4], 'crop expects a left from 0 to 2, found 3'],
    ['pad', { pixels: -1 }, [5, 4], 'pad expects at least 0 pixels, found -1'],
    ['resize', { height: 0, width: 2 }, [5, 4], 'resize expects a height of at least 1, found 0'],
    ['resize', { height: 2, width: 2 }, [20], 'resize expects an image [H, W] or [C, H, W], found [20]'],
  ])('%s %j of %j is refused', (name, args, shape, message) => {
    expect(() => libraryFunction(name, 'transform').type!({ x: { dtype: 'f32', shape }, ...args })).toThrow(message);
  });
});

describe('shift', () => {
  const positions = (values: readonly number[]) =>
    Array.from({ length: values.length / 25 }, (_, n) => values.slice(25 * n, 25 * n + 25).indexOf(1));

  it('moves each image by whole pixels of its own, up to the limit, and reaches all of them', () => {
    const seen = new Set<number>();
    for (const at of positions(transformed('shift', dots(400), { pixels: 1 }))) {
      seen.add(at);
      expect(Math.abs(Math.floor(at / 5) - 2)).toBeLessThanOrEqual(1);
      expect(Math.abs((at % 5) - 2)).toBeLessThanOrEqual(1);
    }
    expect(seen.size).toBe(9);
  });

  it('draws anew every step, and takes a flattened square image for the image it was', () => {
    const first = transformed('shift', dots(8, [25]), { pixels: 2 }, 0);
    expect(positions(first)).toEqual(positions(transformed('shift', dots(8), { pixels: 2 }, 0)));
    expect(first).not.toEqual(transformed('shift', dots(8, [25]), { pixels: 2 }, 1));
  });

  it('lets 0 in from outside and moves all channels alike', () => {
    const ones = { shape: [1, 2, 3, 3], data: Array.from({ length: 2 * 9 }, () => 1) };
    const [a, b] = [0, 9].map(at => transformed('shift', ones, { pixels: 2 }, 3).slice(at, at + 9));
    expect(a).toEqual(b);
    expect(new Set(a)).toEqual(new Set([0, 1]));
  });

  it('refuses what is no image', () => {
    const { type } = libraryFunction('shift', 'transform');
    expect(() => type!({ x: { dtype: 'f32', shape: [7] }, pixels: 1 })).toThrow('shift expects an image');
  });
});

describe('rotate', () => {
  it('by 0 degrees changes nothing', () => {
    expect(near(transformed('rotate', image, { degrees: 0 }))).toEqual(image.data);
  });

  it('turns about the middle: the centre stays, the mass of the inside stays', () => {
    const turned = transformed('rotate', dots(3), { degrees: 180 });
    for (const n of [0, 1, 2]) expect(turned[25 * n + 12]).toBeCloseTo(1, 6);
    const disc = Array.from({ length: 25 }, (_, i) => (Math.hypot(Math.floor(i / 5) - 2, (i % 5) - 2) < 1.1 ? 1 : 0));
    const sum = (values: readonly number[]) => values.reduce((s, v) => s + v, 0);
    const found = transformed('rotate', { shape: [1, 5, 5], data: disc }, { degrees: 90 }, 5);
    expect(sum(found) / sum(disc)).toBeCloseTo(1, 0);
  });
});

describe('flip', () => {
  it.each([
    [false, [1, 2]],
    [true, [2, 1]],
  ])('vertical %s mirrors about half of the images', (vertical, shape) => {
    const halves = { shape: [200, ...shape], data: Array.from({ length: 400 }, (_, i) => i % 2) };
    const mirrored = transformed('flip', halves, { vertical }).filter((v, i) => i % 2 === 0 && v === 1).length;
    expect(mirrored).toBeGreaterThan(70);
    expect(mirrored).toBeLessThan(130);
  });
});

describe('cutout', () => {
  it('blanks one square of each image, whole or cut off at an edge, and reaches the corners', () => {
    const ones = { shape: [500, 6, 7], data: new Array<number>(500 * 42).fill(1) };
    const y = transformed('cutout', ones, { size: 3, value: -2 });
    const heights = new Set<number>();
    let corners = 0;
    for (let n = 0; n < 500; n++) {
      const blank = y
        .slice(42 * n, 42 * n + 42)
        .flatMap((v, i) => (v === -2 ? [[Math.floor(i / 7), i % 7] as const] : []));
      const [rows, columns] = [new Set(blank.map(p => p[0])), new Set(blank.map(p => p[1]))];
      expect(blank.length).toBe(rows.size * columns.size);
      expect(Math.max(rows.size, columns.size)).toBeLessThanOrEqual(3);
      heights.add(rows.size);
      if (blank.some(([r, c]) => r === 5 && c === 6)) corners++;
    }
    expect(heights).toEqual(new Set([2, 3]));
    expect(corners).toBeGreaterThan(0);
  });
});

describe('light', () => {
  const two = { shape: [300, 1, 2], data: Array.from({ length: 600 }, (_, i) => (i % 2 === 0 ? 1 : 3)) };
  const rows = (y: readonly number[]) => Array.from({ length: 300 }, (_, n) => [y[2 * n]!, y[2 * n + 1]!] as const);

  it('brightness multiplies each image by a factor within the share', () => {
    const factors = rows(transformed('brightness', two, { by: 0.2 })).map(([a, b]) => {
      expect(b).toBeCloseTo(3 * a, 5);
      return a;
    });
    expect(Math.min(...factors)).toBeGreaterThanOrEqual(0.8);
    expect(Math.max(...factors)).toBeLessThanOrEqual(1.2);
    expect(Math.max(...factors) - Math.min(...factors)).toBeGreaterThan(0.3);
  });

  it('contrast keeps the mean of each image', () => {
    const spreads = rows(transformed('contrast', two, { by: 0.5 })).map(([a, b]) => {
      expect(a + b).toBeCloseTo(4, 5);
      return (b - a) / 2;
    });
    expect(Math.min(...spreads)).toBeLessThan(0.6);
    expect(Math.max(...spreads)).toBeGreaterThan(1.4);
  });
});
