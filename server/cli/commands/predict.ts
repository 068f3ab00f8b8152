/** `strata predict`: the model of a run applied to new files. */
import { wasmBackend } from '../../../engine/backend/wasm/index.ts';
import { predict as predictions, type Said, type SamplePrediction } from '../../../engine/train/predict.ts';
import { paint } from '../terminal.ts';
import { namedFile, trainedModel } from '../trainedModel.ts';

/** Numbers of one prediction that are printed; JSON has all. */
const SHOWN = 8;

export async function predict(
  run: string,
  files: readonly string[],
  { json }: { readonly json?: boolean },
): Promise<void> {
  const model = await trainedModel(run);
  const backend = await wasmBackend();
  try {
    const samples = await predictions({ model, files, resolvePath: namedFile, backend });
    for (const sample of samples) console.log(json === true ? JSON.stringify(sample) : line(sample));
  } finally {
    await backend.dispose();
  }
}

function line({ file, row, said }: SamplePrediction): string {
  const place = paint('dim', row === undefined ? file : `${file}:${row}`);
  const parts = Object.entries(said).map(([field, what]) => `${field} ${textOf(what)}`);
  return `${place}  ${parts.join('  ')}`;
}

function textOf(said: Said): string {
  if (said.kind === 'class') {
    const { name, probability, probabilities } = said;
    const others = Object.entries(probabilities)
      .filter(([other]) => other !== name)
      .sort((a, b) => b[1] - a[1])
      .slice(0, 2)
      .map(([other, share]) => `${other} ${percent(share)}`);
    return `${paint('bold', name)} ${percent(probability)} ${paint('dim', `(${others.join(', ')})`)}`;
  }
  if (said.kind === 'classes') return shortened(said.names);
  return shortened(
    said.numbers.map(x => (said.kind === 'probability' ? percent(x) : String(Number(x.toPrecision(6))))),
  );
}

function shortened(texts: readonly string[]): string {
  return texts.length <= SHOWN ? texts.join(' ') : `${texts.slice(0, SHOWN).join(' ')} … (${texts.length})`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)}%`;
}
