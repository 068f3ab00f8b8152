/** The numbers behind audio transforms: short-time Fourier transform, mel bands, decibels and cepstra, as torchaudio defines them. */
import { isConstant, showShape } from '../../dim/dim.ts';
import type { Shape } from '../../ir/graph.ts';
import type { GraphBuilder, Value } from '../builder.ts';
import { ShapeError } from '../shapeError.ts';
import { demand } from './arguments.ts';

/** How waveforms are cut into frames. */
export interface Frames {
  /** Samples of a frame, and points of its Fourier transform. */
  readonly size: number;
  /** Samples between the middles of two frames. */
  readonly hop: number;
}

export interface MelBands {
  /** Samples a second. */
  readonly rate: number;
  readonly bins: number;
  /** Hertz. */
  readonly low: number;
  readonly high: number;
}

/** Frames of a clip: one about every `hop`-th sample, from the first on. The clip is mirrored at its ends, so it must be longer than half a frame. */
export function frameCount(op: string, sample: Shape, { size, hop }: Frames): number {
  const length = sample.at(-1);
  if (length === undefined || !isConstant(length)) {
    const expected = 'a waveform [T] or [C, T]';
    throw new ShapeError({ code: 'shape-mismatch', op, expected, found: showShape(sample) });
  }
  demand(size >= 2, op, 'an n_fft of at least 2', size);
  demand(size <= 2 * (length - 1), op, `an n_fft of at most ${2 * (length - 1)} for ${length} samples`, size);
  demand(hop >= 1, op, 'a hop of at least 1', hop);
  return Math.floor((length + (size % 2 === 0 ? 0 : -1)) / hop) + 1;
}

/** x [..., T] with n samples more on both sides, mirrored about the first and the last. */
function mirroredEnds(b: GraphBuilder, x: Value, n: number): Value {
  const last = x.type.shape.length - 1;
  const length = x.type.shape[last] as number;
  const before = b.flip(b.sliceAxis(x, last, 1, n), [last]);
  const after = b.flip(b.sliceAxis(x, last, length - 1 - n, n), [last]);
  return b.concat([before, x, after], last);
}

/**
 * Power of the Fourier transform of each frame, [..., frames, size / 2 + 1]: |sum_t w(t) x(t) exp(-2 pi i k t / size)|^2 with the periodic
 * Hann window w(t) = 1/2 - cos(2 pi t / size) / 2. Two products of the frames with a matrix; `k t` is reduced before it becomes an angle,
 * so that cosines are exact to the last bits of f32.
 */
export function framePower(b: GraphBuilder, x: Value, { size, hop }: Frames): Value {
  const last = x.type.shape.length - 1;
  const padded = mirroredEnds(b, x, Math.floor(size / 2));
  const frames = b.windows(padded, { axes: [last], sizes: [size], strides: [hop] });
  const shape = [size, Math.floor(size / 2) + 1];
  const time = b.iota(shape, 0);
  const angle = (turns: Value): Value => b.mul(b.cast(turns, 'f32'), (2 * Math.PI) / size);
  const hann = b.sub(0.5, b.mul(b.cos(angle(time)), 0.5));
  const phase = angle(b.mod(b.mul(time, b.iota(shape, 1)), size));
  const real = b.matmul(frames, b.mul(hann, b.cos(phase)));
  const imaginary = b.matmul(frames, b.mul(hann, b.sin(phase)));
  return b.add(b.square(real), b.square(imaginary));
}

const melOf = (hertz: number): number => 2595 * Math.log10(1 + hertz / 700);

/** [points, bins]: triangles over the frequencies 0 .. rate / 2, their corners evenly spaced in mels (HTK's 2595 log10(1 + f / 700)), not normalised. */
export function melFilters(b: GraphBuilder, points: number, { rate, bins, low, high }: MelBands): Value {
  const shape = [points, bins];
  const frequency = b.mul(b.cast(b.iota(shape, 0), 'f32'), Math.floor(rate / 2) / (points - 1));
  const step = (melOf(high) - melOf(low)) / (bins + 1);
  const corner = (offset: number): Value => {
    const mel = b.add(b.mul(b.cast(b.add(b.iota(shape, 1), offset), 'f32'), step), melOf(low));
    return b.mul(b.sub(b.exp(b.mul(mel, Math.LN10 / 2595)), 1), 700);
  };
  const [left, middle, right] = [corner(0), corner(1), corner(2)];
  const rising = b.div(b.sub(frequency, left), b.sub(middle, left));
  const falling = b.div(b.sub(right, frequency), b.sub(right, middle));
  return b.maximum(b.minimum(rising, falling), 0);
}

/** 10 log10 max(power, 1e-10), and at most `top` below the greatest of each sample; x [B, ...]. */
export function decibels(b: GraphBuilder, x: Value, top: number): Value {
  const level = b.mul(b.log(b.maximum(x, 1e-10)), 10 / Math.LN10);
  const axes = [...x.type.shape.keys()].slice(1);
  return b.maximum(level, b.sub(b.max(level, { axes, keep: true }), top));
}

/** [bins, count]: the orthonormal cosine transform (DCT-II), sqrt(2 / bins) cos(pi k (n + 1/2) / bins), and k = 0 times sqrt(1/2). */
export function cosineTransform(b: GraphBuilder, bins: number, count: number): Value {
  const shape = [bins, count];
  const [n, k] = [b.iota(shape, 0), b.iota(shape, 1)];
  // (2n + 1) k quarter turns of bins / 2, reduced to one turn.
  const turns = b.mod(b.mul(b.add(b.mul(n, 2), 1), k), 4 * bins);
  const wave = b.mul(b.cos(b.mul(b.cast(turns, 'f32'), Math.PI / (2 * bins))), Math.sqrt(2 / bins));
  return b.mul(wave, b.select(b.equal(k, 0), Math.SQRT1_2, b.fill(1, wave)));
}
