/** Initial parameters, drawn on the host from the seed: the same seed gives the same bits on every machine. */
import type { Fitted } from '../data/fit.ts';
import type { Init } from '../ir/program.ts';
import { never } from '../util/errors.ts';
import { philoxBlock } from '../util/philox.ts';
import type { StepLayout } from './layout.ts';

/** Streams of parameters start here, far above those of call sites; the position of the parameter is added. */
const PARAMETER_STREAM = 0xe0000000;

/** Contents of every parameter buffer of `layout` (`params`, `frozen` …). Parameter i of the program draws from a stream of its own. */
export function initialParameters(
  layout: StepLayout,
  names: readonly string[],
  seed: number,
  fitted: Fitted = {},
): Readonly<Record<string, Float32Array>> {
  const buffers = Object.fromEntries(layout.groups.map(g => [g.buffer, new Float32Array(g.length)]));
  for (const [index, name] of names.entries()) {
    const place = layout.parameters[name];
    if (place === undefined) continue;
    const into = buffers[place.buffer]!.subarray(place.offset, place.offset + place.length);
    fillInitial(into, place.spec.init, seed, index, fitted);
  }
  return buffers;
}

/** Fills `into` as `init` says; `index` is the parameter's position in the program, `fitted` what was learnt from the data. */
export function fillInitial(into: Float32Array, init: Init, seed: number, index: number, fitted: Fitted = {}): void {
  if (init.kind === 'fitted') {
    const numbers = fitted[init.fit];
    if (numbers === undefined) throw never('a parameter whose fit the data plan lacks', init.fit);
    into.set(numbers.data);
    return;
  }
  if (init.kind === 'constant') {
    into.fill(init.value);
    return;
  }
  const block = new Uint32Array(4);
  const numbers = new Float64Array(4);
  for (let at = 0; at < into.length; at += 4) {
    block.fill(0);
    block[0] = at / 4;
    philoxBlock(block, seed, (PARAMETER_STREAM + index) >>> 0);
    if (init.kind === 'uniform') uniforms(numbers, block, init.bound);
    else normals(numbers, block, init.std);
    for (let lane = 0; lane < 4 && at + lane < into.length; lane++) into[at + lane] = numbers[lane]!;
  }
}

/** The upper 24 bits as a number in [0, 1). */
function unit(word: number): number {
  return (word >>> 8) * 2 ** -24;
}

// Both write into an array that is used again: large models draw tens of millions of numbers before their first step.

function uniforms(into: Float64Array, block: Uint32Array, bound: number): void {
  for (let lane = 0; lane < 4; lane++) into[lane] = (2 * unit(block[lane]!) - 1) * bound;
}

/** Box and Muller: two pairs of normal numbers from the four words. */
function normals(into: Float64Array, block: Uint32Array, std: number): void {
  for (let at = 0; at < 4; at += 2) {
    const radius = std * Math.sqrt(-2 * Math.log(1 - unit(block[at]!)));
    const angle = 2 * Math.PI * unit(block[at + 1]!);
    into[at] = radius * Math.cos(angle);
    into[at + 1] = radius * Math.sin(angle);
  }
}
