/** Layers that start from the weights of a file: `init encoder from "pretrain"`. */
import type { ResolvePath } from '../data/paths.ts';
import type { Program } from '../ir/program.ts';
import { matchWeights } from '../ir/weightNames.ts';
import { EngineError } from '../util/errors.ts';
import type { StepLayout } from './layout.ts';
import { readSafetensors } from './safetensors.ts';

/**
 * Writes the weights that `program.run.init` names into `buffers`, the flat parameters of `layout`, later ones over earlier ones.
 * Throws `data-missing`, `checkpoint-malformed`, and `checkpoint-mismatch` with the first name or shape that differs.
 */
export async function initializeFrom(
  program: Program,
  layout: StepLayout,
  resolvePath: ResolvePath,
  buffers: Readonly<Record<string, Float32Array>>,
): Promise<void> {
  for (const { over, from } of program.run.init ?? []) {
    const { tensors } = await readSafetensors(resolvePath(from));
    const shapes = new Map([...tensors].map(([name, { shape }]) => [name, shape]));
    const match = matchWeights(over, program.parameters, shapes);
    if (match.kind === 'flaw') throw mismatch(from, over, match.message);
    for (const [name, source] of match.names) {
      const { buffer, offset } = layout.parameters[name]!;
      const { data } = tensors.get(source)!;
      if (!(data instanceof Float32Array)) throw mismatch(from, over, `expected "${source}" of f32, found integers`);
      buffers[buffer]!.set(data, offset);
    }
  }
}

function mismatch(from: string, over: string, what: string): EngineError {
  return new EngineError('checkpoint-mismatch', `${from}: ${what}; ${over} can't start from these weights`);
}
