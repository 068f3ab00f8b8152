/** The programs of `examples/`: each checks clean, shows its shapes, names its weights as PyTorch would, and its loss falls on the CPU backend. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { workspacePaths } from '../../engine/data/paths.ts';
import type { RunPlan } from '../../engine/ir/program.ts';
import { parseProgram, printProgram } from '../../engine/ir/programText.ts';
import { prepareTraining } from '../../engine/train/setup.ts';
import { runSchemaJob } from '../../server/data/schemaJob.ts';
import type { Analysis } from '../../server/lang/api.ts';
import { format } from '../../server/lang/format/format.ts';
import { lower } from '../../server/lang/lower/lower.ts';
import { analyzeSettled, createLangHost } from '../../server/runs/langHost.ts';

const folder = join(import.meta.dirname, '..', '..', 'examples');
/** Needs files that are not shipped. */
const withoutData = ['mnist.strata'];
const files = readdirSync(folder).filter(name => name.endsWith('.strata') && !withoutData.includes(name));

function analysisOf(file: string): Promise<Analysis> {
  const path = join(folder, file);
  const host = createLangHost({ run: runSchemaJob, workspaceOf: () => dirname(path) });
  return analyzeSettled(pathToFileURL(path).href, readFileSync(path, 'utf8'), host);
}

async function programOf(file: string) {
  const lowered = lower(await analysisOf(file), undefined);
  if (lowered.kind !== 'program') throw new Error(JSON.stringify(lowered));
  return lowered.program;
}

test.each(files)('%s has no diagnostics, is formatted, and its program survives being written down', async file => {
  const analysis = await analysisOf(file);
  expect(analysis.facts).toEqual([]);
  expect(format(analysis.text)).toBe(analysis.text);
  const text = printProgram(await programOf(file));
  expect(printProgram(parseProgram(text, file))).toBe(text);
});

/** A line of the file and the shape hints at its end and within it, in order. */
const hints: readonly [string, string, readonly string[]][] = [
  ['lenet', 'x |> conv1', ['[B, 32, 26, 26]', '[B, 32, 26, 26]', '[B, 32, 13, 13]']],
  ['lenet', '|> conv2', ['[B, 64, 11, 11]', '[B, 64, 11, 11]', '[B, 64, 5, 5]']],
  ['resnet', '|> Identity', ['[B, width, 28, 28]', '[B, 2 * width, 14, 14]', '[B, 4 * width, 7, 7]']],
  ['charlstm', 'logits', ['[B, 32, 39]']],
  ['gpt', 'x |> layer_norm |> linear(V)', ['[B, T, dim]', '[B, T, V]']],
  ['vae', 'z  ', ['[B, 16]']],
  ['gan', 'fake ', ['[B, 784]']],
  ['recurrent', 'h = cell', ['[B, size]']],
  ['bert', 'shown, hidden', ['(index(39)[17], bool[17])']],
  ['electra', 'filled', ['index(39)[B, 17]']],
  ['translation', 'before ', ['index(12)[B, 10]']],
  ['transfer', 'odd ', ['index(2)[B]']],
  ['dcgan', '|> conv_transpose2d(width', ['[B, width, 14, 14]', '[B, width, 14, 14]', '[B, width, 14, 14]']],
  ['commands', 'bands = ', ['[20, 16]', '[20, 16]', '[20, 16]']],
];
test.each(hints)('%s shows shapes behind "%s"', async (name, start, expected) => {
  const analysis = await analysisOf(`${name}.strata`);
  const line = analysis.text.split('\n').find(each => each.trimStart().startsWith(start))!;
  const at = analysis.text.indexOf(line);
  const shown = analysis.inlays({ start: at, end: at + line.length }).filter(each => each.kind === 'shape');
  expect(shown.map(each => each.text)).toEqual(expected);
});

/** What torch.nn modules of the same structure call their weights, in the order of their registration. */
const weights: Readonly<Record<string, readonly string[]>> = {
  lenet: ['conv1.weight', 'conv1.bias', 'conv2.weight', 'conv2.bias', 'fc.weight', 'fc.bias'].map(n => `net.${n}`),
  charlstm: [
    'embed.weight',
    ...['weight_ih_l0', 'weight_hh_l0', 'bias_ih_l0', 'bias_hh_l0'].map(n => `rnn.${n}`),
    'head.weight',
    'head.bias',
  ].map(n => `net.${n}`),
};
test.each(Object.entries(weights))('%s names its weights as PyTorch does', async (name, names) => {
  expect((await programOf(`${name}.strata`)).parameters.map(p => p.name)).toEqual(names);
});

/** Steps to train, and the share of the first loss that the mean of the last four stays under. */
const bars: Readonly<Record<string, readonly [steps: number, share: number]>> = {
  first: [60, 0.8],
  lenet: [20, 0.97],
  resnet: [12, 0.97],
  charlstm: [40, 0.8],
  gpt: [40, 0.75],
  autoencoder: [40, 0.5],
  vae: [40, 0.8],
  gan: [30, 0.9],
};
test.each(Object.entries(bars))('%s: the loss falls', { timeout: 60_000 }, async (name, [steps, share]) => {
  const losses = await lossesOf(name, steps);
  const last = losses.slice(-4).reduce((sum, loss) => sum + loss / 4, 0);
  expect(last).toBeLessThan(share * losses[0]!);
});

test.each(['first', 'lenet', 'gpt', 'vae', 'gan'])(
  '%s: in mixed precision as in f32',
  { timeout: 60_000 },
  async name => {
    const [full, mixed] = [await lossesOf(name, 20), await lossesOf(name, 20, { precision: 'mixed' })];
    expect(mixed).not.toEqual(full);
    for (const [step, loss] of full.entries())
      expect(Math.abs(mixed[step]! / loss - 1), String(step)).toBeLessThan(0.02);
  },
);

async function lossesOf(name: string, steps: number, settings: Partial<RunPlan> = {}): Promise<readonly number[]> {
  const program = await programOf(`${name}.strata`);
  const run = { ...program.run, device: 'cpu', ...settings } as const;
  const { session } = await prepareTraining({ program: { ...program, run }, resolvePath: workspacePaths(folder) });
  session.setOrder(0);
  session.train(0, steps);
  expect(await session.readBad()).toBe(0);
  const { columns } = session.layout.ring;
  const rows = await session.readRows(0, steps);
  const losses = Array.from({ length: steps }, (_, step) => rows[step * columns.length]!);
  await session.dispose();
  return losses;
}
