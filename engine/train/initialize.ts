/** Initial parameters, drawn on the host from the seed: the same seed gives the same bits on every machine. */
import type { Init } from '../ir/program.ts';
import { philoxBlock } from '../util/philox.ts';
import type { StepLayout } from './layout.ts';

/** Streams of parameters start here, far above those of call sites; the position of the parameter is added. */
const PARAMETER_STREAM = 0xe0000000;

/** Contents of every parameter buffer of `layout` (`params`, `frozen` …). Parameter i of the program draws from a stream of its own. */
export function initialParameters(
  layout: StepLayout,
  names: readonly string[],
  seed: number,
): Readonly<Record<string, Float32Array>> {
  const buffers = Object.fromEntries(layout.groups.map(g => [g.buffer, new Float32Array(g.length)]));
  for (const [index, name] of names.entries()) {
    const place = layout.parameters[name];
    if (place === undefined) continue;
    const into = buffers[place.buffer]!.subarray(place.offset, place.offset + place.length);
    fillInitial(into, place.spec.init, seed, index);
  }
  return buffers;
}

/** Fills `into` as `init` says; `index` is the parameter's position in the program. */
export function fillInitial(into: Float32Array, init: Init, seed: number, index: number): void {
  if (init.kind === 'constant') {
    into.fill(init.value);
    return;
  }
  const block = new Uint32Array(4);
  for (let at = 0; at < into.length; at += 4) {
    block.set([at / 4, 0, 0, 0]);
    philoxBlock(block, seed, (PARAMETER_STREAM + index) >>> 0);
    const numbers = init.kind === 'uniform' ? uniforms(block, init.bound) : normals(block, init.std);
    into.set(numbers.slice(0, Math.min(4, into.length - at)), at);
  }
}

/** The upper 24 bits as a number in [0, 1). */
function unit(word: number): number {
  return (word >>> 8) * 2 ** -24;
}

function uniforms(block: Uint32Array, bound: number): number[] {
  return Array.from(block, word => (2 * unit(word) - 1) * bound);
}

/** Box and Muller: two pairs of normal numbers from the four words. */
function normals(block: Uint32Array, std: number): number[] {
  return [0, 2].flatMap(at => {
    const radius = std * Math.sqrt(-2 * Math.log(1 - unit(block[at]!)));
    const angle = 2 * Math.PI * unit(block[at + 1]!);
    return [radius * Math.cos(angle), radius * Math.sin(angle)];
  });
}
