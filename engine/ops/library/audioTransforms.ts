/** Transforms of waveforms: spectrogram, mel, decibels, mfcc. Frequencies come first and frames last, as in torchaudio. */
import type { Value } from '../builder.ts';
import { demand, number, optionalNumber, tensor, typeOf } from './arguments.ts';
import { cosineTransform, decibels, type Frames, frameCount, framePower, type MelBands, melFilters } from './audio.ts';
import type { Arguments, BuildContext, TransformFunction, TypeArguments } from './function.ts';

type Args = Arguments | TypeArguments;

const framing = 'n_fft: int = 400, hop?: int';
const bands = `rate: int = 16000, bins: int = 128, ${framing}, low: float = 0, high?: float`;

function framesOf(args: Args): Frames {
  const size = number(args, 'n_fft');
  return { size, hop: optionalNumber(args, 'hop') ?? Math.floor(size / 2) };
}

function bandsOf(op: string, args: Args): MelBands {
  const rate = number(args, 'rate');
  const [low, high] = [number(args, 'low'), optionalNumber(args, 'high') ?? Math.floor(rate / 2)];
  demand(rate >= 2, op, 'a rate of at least 2 samples a second', rate);
  demand(number(args, 'bins') >= 1, op, 'at least 1 mel bin', number(args, 'bins'));
  demand(low >= 0 && low < high, op, `a low frequency from 0 to below ${high} Hz`, low);
  demand(high <= rate / 2, op, `a high frequency of at most half the rate, ${rate / 2} Hz`, high);
  return { rate, bins: number(args, 'bins'), low, high };
}

/** [..., T] to [..., rows, frames]; `rule` makes [B, ..., frames, rows]. */
function ofFrames(
  name: string,
  hyperparameters: string,
  doc: string,
  rows: (args: Args) => number,
  rule: (context: BuildContext, x: Value, args: Arguments) => Value,
): TransformFunction {
  return {
    kind: 'transform',
    name,
    signature: `${name}(x: [..., T], ${hyperparameters}) -> [..., F, N]`,
    doc,
    random: false,
    type: args => {
      const { shape } = typeOf(args, 'x');
      return { dtype: 'f32', shape: [...shape.slice(0, -1), rows(args), frameCount(name, shape, framesOf(args))] };
    },
    build: (context, args) => context.b.transpose(rule(context, context.b.cast(tensor(args, 'x'), 'f32'), args)),
  };
}

/** [B, ..., frames, bins]. */
function melPower({ b }: BuildContext, x: Value, op: string, args: Arguments): Value {
  const power = framePower(b, x, framesOf(args));
  return b.matmul(power, melFilters(b, power.type.shape.at(-1) as number, bandsOf(op, args)));
}

function coefficientsOf(args: Args): number {
  const [count, bins] = [number(args, 'coefficients'), bandsOf('mfcc', args).bins];
  demand(count >= 1 && count <= bins, 'mfcc', `from 1 to ${bins} coefficients, as many as there are bins`, count);
  return count;
}

export const audioTransforms: readonly TransformFunction[] = [
  {
    ...ofFrames(
      'spectrogram',
      `${framing}, power: float = 2`,
      '|STFT|^power of frames of `n_fft` samples under a Hann window, one every `hop` (half a frame by default), mirrored at the ends.',
      args => Math.floor(number(args, 'n_fft') / 2) + 1,
      ({ b }, x, args) => {
        demand(number(args, 'power') > 0, 'spectrogram', 'a power above 0', number(args, 'power'));
        return b.pow(framePower(b, x, framesOf(args)), number(args, 'power') / 2);
      },
    ),
    example: 'audio |> spectrogram(n_fft: 256, hop: 128)',
  },
  {
    ...ofFrames(
      'mel',
      bands,
      'The power spectrogram summed over `bins` triangles evenly spaced in mels (HTK), from `low` to `high` Hz of audio with `rate` samples a second.',
      args => bandsOf('mel', args).bins,
      (context, x, args) => melPower(context, x, 'mel', args),
    ),
    example: 'audio |> mel(rate: 8000, bins: 40, n_fft: 256)',
  },
  {
    kind: 'transform',
    name: 'decibels',
    signature: 'decibels(x: [...], top: float = 80) -> [...]',
    doc: '10 log10 of a power, at least -100 and at most `top` below the greatest of the sample.',
    example: 'audio |> mel(rate: 8000) |> decibels',
    random: false,
    build: ({ b }, args) => {
      demand(number(args, 'top') > 0, 'decibels', 'a top above 0', number(args, 'top'));
      return decibels(b, b.cast(tensor(args, 'x'), 'f32'), number(args, 'top'));
    },
  },
  {
    ...ofFrames(
      'mfcc',
      `coefficients: int = 40, ${bands}`,
      'Mel-frequency cepstral coefficients: the orthonormal cosine transform of `mel` in decibels (80 at most below the greatest).',
      coefficientsOf,
      (context, x, args) => {
        const { b } = context;
        const level = decibels(b, melPower(context, x, 'mfcc', args), 80);
        return b.matmul(level, cosineTransform(b, level.type.shape.at(-1) as number, coefficientsOf(args)));
      },
    ),
    example: 'audio |> mfcc(coefficients: 13, rate: 8000, bins: 40, n_fft: 256)',
  },
];
