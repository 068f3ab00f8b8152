/** The networks that `strata bench` trains, as programs of the language over data that is drawn by a procedure. */
import type { Program } from '../../engine/ir/program.ts';
import { type BenchOptions, type BenchResult, benchProgram } from '../../engine/train/bench.ts';
import { EngineError, never } from '../../engine/util/errors.ts';
import { analyze } from '../lang/analyze.ts';
import { lower } from '../lang/lower/lower.ts';
import { createLangHost } from '../runs/langHost.ts';

/** 140 whole batches of 64. */
const digits = `
data Digits = digits(samples: 8960) {
  image = image |> standardize(mean: 0.1307, std: 0.3081) |> flatten
  batch 64
}
`;

const training = (model: string) => `
train bench on Digits {
  net = ${model}()
  minimize cross_entropy(net(image), label) using adam(lr: 0.001)
  epochs 1
}
`;

/** Source by name. The PyTorch side of the same workloads is test/bench/torchPeer.py. */
export const workloads: Readonly<Record<string, string>> = {
  simplenet: `
model SimpleNet(x: [B, 784]) -> [B, 10] {
  fc1 = linear(128)
  fc2 = linear(10)
  x |> fc1 |> relu |> fc2
}
${digits}${training('SimpleNet')}`,
  optimizednet: `
model OptimizedNet(x: [B, 784]) -> [B, 10] {
  fc1 = linear(256)
  fc2 = linear(128)
  fc3 = linear(10)
  x |> fc1 |> relu |> fc2 |> relu |> fc3
}
${digits}${training('OptimizedNet')}`,
};

/** The Program of a workload. Throws EngineError (`unsupported`) for an unknown name. */
export function workloadProgram(name: string): Program {
  const text = workloads[name];
  if (text === undefined) {
    const known = Object.keys(workloads).join(', ');
    throw new EngineError('unsupported', `expected a workload of ${known}, found ${name}`);
  }
  const host = createLangHost({ workspaceOf: () => undefined });
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
