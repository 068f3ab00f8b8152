/** `strata generate`: text drawn from the language model of a run, printed as it comes. */
import { wasmBackend } from '../../../engine/backend/wasm/index.ts';
import { writeWith } from '../../../engine/train/inference.ts';
import { trainedModel } from '../trainedModel.ts';

export interface GenerateOptions {
  readonly prompt?: string;
  readonly tokens?: number;
  readonly temperature?: number;
  readonly topK?: number;
  readonly seed?: number;
  readonly json?: boolean;
}

export async function generate(run: string, { json, ...wishes }: GenerateOptions): Promise<void> {
  const model = await trainedModel(run);
  const backend = await wasmBackend();
  try {
    let text = '';
    for await (const piece of writeWith(model, wishes, backend)) {
      text += piece;
      if (json !== true) process.stdout.write(piece);
    }
    console.log(json === true ? JSON.stringify({ text }) : '');
  } finally {
    await backend.dispose();
  }
}
