/** Audio transforms against torch.stft and torchaudio's formulas, and against what is known of a sine. */
import { describe, expect, it } from 'vitest';
import { type Digest, expectDigest, golden } from '../../../goldens/golden.ts';
import { Lcg } from '../../../goldens/inputs.ts';
import { libraryFunction } from '../../../support/macros.ts';
import { transformAll } from '../../../support/transforms.ts';

interface AudioGolden {
  readonly length: number;
  readonly args: Readonly<Record<'n_fft' | 'hop' | 'rate' | 'bins' | 'low' | 'high' | 'coefficients', number>>;
  readonly shape: readonly number[];
  readonly spectrogram: Digest;
  readonly mel: Digest;
  readonly decibels: Digest;
  readonly mfcc: Digest;
}

const { audio } = golden<{ audio: readonly AudioGolden[] }>('transforms');

describe.each(audio)('of $length samples in frames of $args.n_fft', ({ length, args, shape, ...expected }) => {
  const wave = { shape: [1, length], data: new Lcg(37).floats(length).map((v, i) => Math.fround((v * i) / 1024)) };
  const { n_fft, hop, coefficients, ...bands } = args;

  it('spectrogram', () => {
    const [y] = transformAll('spectrogram', wave, { n_fft, hop });
    expect(y!.shape).toEqual([1, ...shape]);
    expectDigest(y!.data, expected.spectrogram, 1e-5, 'power');
    const [magnitude] = transformAll('spectrogram', wave, { n_fft, hop, power: 1 });
    expectDigest(
      magnitude!.data.map(v => v * v),
      expected.spectrogram,
      1e-5,
      'magnitude squared',
    );
  });

  it('mel and decibels', () => {
    const [y] = transformAll('mel', wave, { n_fft, hop, ...bands });
    expect(y!.shape).toEqual([1, bands.bins, shape[1]]);
    expectDigest(y!.data, expected.mel, 1e-4, 'mel');
    expectDigest(transformAll('decibels', y!, { top: 30 })[0]!.data, expected.decibels, 1e-4, 'decibels');
  });

  it('mfcc', () => {
    const [y] = transformAll('mfcc', wave, { n_fft, hop, coefficients, ...bands });
    expect(y!.shape).toEqual([1, coefficients, shape[1]]);
    expectDigest(y!.data, expected.mfcc, 1e-4, 'mfcc');
  });
});

it('a sine is a peak at its frequency, in every channel and sample by itself', () => {
  const wave = (cycles: number) => Array.from({ length: 640 }, (_, t) => Math.sin((2 * Math.PI * cycles * t) / 64));
  const [y] = transformAll('spectrogram', { shape: [2, 2, 640], data: [3, 9, 20, 31].flatMap(wave) }, { n_fft: 64 });
  expect(y!.shape).toEqual([2, 2, 33, 21]);
  for (const [row, cycles] of [3, 9, 20, 31].entries()) {
    const column = Array.from({ length: 33 }, (_, k) => y!.data[(row * 33 + k) * 21 + 10]!);
    expect(column.indexOf(Math.max(...column))).toBe(cycles);
    // A Hann window of n points gives a sine's peak the power (n / 4)^2.
    expect(column[cycles]).toBeCloseTo(256, 2);
  }
});

it.each([
  ['spectrogram', { n_fft: 400 }, [100], 'an n_fft of at most 198 for 100 samples, found 400'],
  ['spectrogram', { n_fft: 16, hop: 0 }, [100], 'a hop of at least 1, found 0'],
  ['mel', { n_fft: 16, bins: 4, rate: 8000, low: 0, high: 5000 }, [100], 'at most half the rate, 4000 Hz, found 5000'],
  ['mel', { n_fft: 16, bins: 4, rate: 8000, low: 4000 }, [100], 'from 0 to below 4000 Hz, found 4000'],
  ['mfcc', { n_fft: 16, bins: 4, rate: 8000, low: 0, coefficients: 5 }, [100], 'from 1 to 4 coefficients'],
])('%s %j of %j is refused', (name, args, shape, message) => {
  const { type } = libraryFunction(name, 'transform');
  expect(() => type!({ x: { dtype: 'f32', shape }, ...args })).toThrow(message);
});
