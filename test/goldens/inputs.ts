/** The inputs of the goldens: the generator of make.py, number for number. */

import { roundEven } from '../../engine/util/numbers.ts';

/** Numerical Recipes' generator; the 24 high bits make numbers in [-1, 1) that f32 holds exactly. */
export class Lcg {
  private state: number;

  constructor(seed: number) {
    this.state = seed;
  }

  next(): number {
    this.state = (Math.imul(1664525, this.state) + 1013904223) >>> 0;
    return (this.state >>> 8) / 2 ** 23 - 1;
  }

  floats(count: number): Float64Array {
    return Float64Array.from({ length: count }, () => this.next());
  }

  classes(count: number, classes: number): Int32Array {
    return Int32Array.from({ length: count }, () => Math.floor(((this.next() + 1) / 2) * classes));
  }
}

export interface Net {
  readonly sizes: readonly number[];
  readonly samples: number;
  readonly batch: number;
}

/** Samples, labels and initial parameters (weight, bias, weight, bias) of make.py's `problem`. */
export function problem({ sizes, samples }: Net) {
  const lcg = new Lcg(7);
  const [inputs, classes] = [sizes[0]!, sizes.at(-1)!];
  const prototypes = lcg.floats(classes * inputs);
  const kinds = lcg.classes(samples, classes);
  const labels = kinds.map(kind => (lcg.next() > 0.6 ? lcg.classes(1, classes)[0]! : kind));
  const x = Float32Array.from({ length: samples * inputs }, (_, i) => {
    const prototype = prototypes[kinds[Math.floor(i / inputs)]! * inputs + (i % inputs)]!;
    return Math.fround(prototype * 0.25) + lcg.next();
  });
  const parameters = sizes.slice(1).flatMap((out, at) => {
    // Python rounds halves to even: 128 ** -0.5 is 2 ** -3.5, which becomes 2 ** -4.
    const bound = 2 ** roundEven(Math.log2(sizes[at]! ** -0.5));
    return [out * sizes[at]!, out].map(count => Float32Array.from(lcg.floats(count), v => v * bound));
  });
  return { x, labels, parameters };
}
