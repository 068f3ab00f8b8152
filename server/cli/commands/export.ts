/** `strata export pytorch`: the model of a run as a folder of PyTorch. */
import { existsSync, readdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { wasmBackend } from '../../../engine/backend/wasm/index.ts';
import { EngineError } from '../../../engine/util/errors.ts';
import { writePytorch } from '../../export/pytorch.ts';
import { shortPath } from '../source.ts';
import { paint } from '../terminal.ts';
import { trainedModel } from '../trainedModel.ts';

export async function exportPytorch(run: string, { out }: { readonly out?: string }): Promise<void> {
  const model = await trainedModel(run);
  const folder = resolve(out ?? `${model.program.name}-pytorch`);
  // Older exports are written over, other people's files are not mixed with.
  if (existsSync(folder) && readdirSync(folder).some(name => !written.includes(name)))
    throw new EngineError(
      'run-busy',
      `${folder}: expected a new folder, found other files in it; choose another with --out`,
    );
  const backend = await wasmBackend();
  try {
    await writePytorch(model.identity, model, folder, backend);
  } finally {
    await backend.dispose();
  }
  console.log(
    `${paint('cyan', shortPath(folder, process.cwd()))}: ${written.slice(0, 4).join(', ')}; try "python ${shortPath(folder, process.cwd())}/run.py"`,
  );
}

const written = ['model.py', 'run.py', 'weights.safetensors', 'example.safetensors', '__pycache__'];
