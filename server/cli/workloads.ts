/** The networks that `strata bench` trains, as programs of the language over data that is drawn by a procedure. */
import type { Program } from '../../engine/ir/program.ts';
import { type BenchOptions, type BenchResult, benchProgram } from '../../engine/train/bench.ts';
import { EngineError, never } from '../../engine/util/errors.ts';
import { proceduralResult } from '../data/schemaResult.ts';
import { analyze } from '../lang/analyze.ts';
import type { LangHost } from '../lang/api.ts';
import { lower } from '../lang/lower/lower.ts';

/** 140 whole batches of 64. */
const digits = (shape: string) => `
data Digits = digits(samples: 8960) {
  image = image |> standardize(mean: 0.1307, std: 0.3081) |> ${shape}
  batch 64
}
`;

/** As many symbols as Shakespeare's plays have characters; `next` is one ahead of `tokens`. */
const sequences = (batch: number) => `
data Text = sequences(samples: 4096, length: 64, symbols: 65) {
  batch ${batch}
}
`;

const training = (model: string, data: string, input: string, target: string) => `
train bench on ${data} {
  net = ${model}()
  minimize cross_entropy(net(${input}), ${target}) using adam(lr: 0.001)
  epochs 1
}
`;
const classifying = (model: string) => training(model, 'Digits', 'image', 'label');
const predicting = (model: string) => training(model, 'Text', 'tokens', 'next');

/** Source by name. The PyTorch side of the same workloads is test/bench/torchPeer.py. */
export const workloads: Readonly<Record<string, string>> = {
  simplenet: `
model SimpleNet(x: [B, 784]) -> [B, 10] {
  fc1 = linear(128)
  fc2 = linear(10)
  x |> fc1 |> relu |> fc2
}
${digits('flatten')}${classifying('SimpleNet')}`,
  optimizednet: `
model OptimizedNet(x: [B, 784]) -> [B, 10] {
  fc1 = linear(256)
  fc2 = linear(128)
  fc3 = linear(10)
  x |> fc1 |> relu |> fc2 |> relu |> fc3
}
${digits('flatten')}${classifying('OptimizedNet')}`,
  lenet: `
model LeNet(x: [B, 1, 28, 28]) -> [B, 10] {
  conv1 = conv2d(32, kernel: 3)
  conv2 = conv2d(64, kernel: 3)
  fc = linear(10)
  x |> conv1 |> relu |> max_pool2d(2) |> conv2 |> relu |> max_pool2d(2) |> flatten |> fc
}
${digits('reshape([1, 28, 28])')}${classifying('LeNet')}`,
  charlstm: `
model CharLSTM(tokens: index(V)[B, T]) -> [B, T, V] {
  embed = embedding(64)
  rnn = lstm(128)
  head = linear(V)
  tokens |> embed |> rnn |> head
}
${sequences(32)}${predicting('CharLSTM')}`,
  'gpt-tiny': `
model Block(x: [B, T, D], heads: int) -> [B, T, D] {
  x = x + (x |> layer_norm |> self_attention(heads: heads, causal: true))
  x + (x |> layer_norm |> linear(4 * D) |> gelu |> linear(D))
}
model GPT(tokens: index(V)[B, T], dim: int = 128, depth: int = 4, heads: int = 4) -> [B, T, V] {
  x = embedding(tokens, dim) + positions(T, dim)
  repeat depth { x = x |> Block(heads: heads) }
  x |> layer_norm |> linear(V)
}
${sequences(16)}${predicting('GPT')}`,
};

/** The Program of a workload. Throws EngineError (`unsupported`) for an unknown name. */
export function workloadProgram(name: string): Program {
  const text = workloads[name];
  if (text === undefined) {
    const known = Object.keys(workloads).join(', ');
    throw new EngineError('unsupported', `expected a workload of ${known}, found ${name}`);
  }
  const readSchema: LangHost['readSchema'] = source => proceduralResult(source) ?? { kind: 'pending' };
  const host = { readText: () => undefined, readSchema };
  const result = lower(analyze(`untitled:${name}.strata`, text, host), undefined);
  if (result.kind !== 'program') throw never(`workload ${name} does not lower`, result);
  return result.program;
}

/** Trains the workload on `device` and measures it. */
export function benchWorkload(
  name: string,
  device: Program['run']['device'],
  options: BenchOptions = {},
): Promise<BenchResult> {
  return benchProgram(workloadProgram(name), device, options);
}
