/** Metrics of a split are those of all its samples at once, however they fall into batches: from text to the numbers of an evaluation. */
import { describe, expect, it } from 'vitest';
import { referenceBackend } from '../../../engine/backend/reference/reference.ts';
import { parseProgram, printProgram } from '../../../engine/ir/programText.ts';
import { scheduleGraph } from '../../../engine/kernel/schedule.ts';
import { metricsOf, tablesOf } from '../../../engine/train/metrics.ts';
import { createRecorder } from '../../../engine/train/recorder.ts';
import { BUFFERS, buildSteps, ORDER } from '../../../engine/train/step.ts';
import { lower } from '../../../server/lang/lower/lower.ts';
import { fixture } from '../../support/fixture.ts';

/** The metrics see a field as the prediction, so that they don't move while weights do. */
const source = `data D = moons() {
  batch 4
}
train t on D {
  minimize mse(point |> linear(2), 0) using sgd(lr: 0.001)
  report   f1(point, label), perplexity(point, label), r2(point, 2 * point)
  report   masked: accuracy(point, label, where: label == 1), double: 2 * f1(point, label)
  report   confusion(point, label)
  epochs   1
}
`;

const samples = 10;
const points = Float32Array.from({ length: 2 * samples }, (_, i) => Math.sin(i * i));
const labels = Int32Array.from({ length: samples }, (_, i) => (i % 3 === 0 ? 1 : 0));

function expected() {
  const rows = [...labels].map((label, i) => ({ label, a: points[2 * i]!, b: points[2 * i + 1]! }));
  const predicted = rows.map(({ a, b }) => (b > a ? 1 : 0));
  const f1 = [0, 1].map(c => {
    const right = predicted.filter((p, i) => p === c && labels[i] === c).length;
    return (2 * right) / (predicted.filter(p => p === c).length + labels.filter(l => l === c).length);
  });
  const loss = rows.map(({ label, a, b }) => Math.log(Math.exp(a) + Math.exp(b)) - (label === 1 ? b : a));
  const mean = (values: readonly number[]) => values.reduce((s, v) => s + v, 0) / values.length;
  const all = [...points];
  const spread = mean(all.map(v => 4 * v * v)) - (2 * mean(all)) ** 2;
  const ones = predicted.filter((_, i) => labels[i] === 1);
  return {
    f1: mean(f1),
    perplexity: Math.exp(mean(loss)),
    r2: 1 - mean(all.map(v => v * v)) / spread,
    masked: mean(ones),
    confusion: mean(predicted.map((p, i) => (p === labels[i] ? 1 : 0))),
  };
}

/** Shares of the samples by label and prediction. */
function confusion() {
  const predicted = [...labels].map((_, i) => (points[2 * i + 1]! > points[2 * i]! ? 1 : 0));
  const share = (label: number, p: number) =>
    predicted.filter((v, i) => v === p && labels[i] === label).length / samples;
  return [0, 1].map(label => [share(label, 0), share(label, 1)]);
}

function program() {
  const lowered = lower(fixture(source).analysis);
  if (lowered.kind !== 'program') throw new Error(JSON.stringify(lowered));
  return parseProgram(printProgram(lowered.program), 'program.json');
}

describe('metrics over batches of 4, 4 and 2', () => {
  const steps = buildSteps(program(), { train: samples, validation: samples, test: 0 });
  const { layout } = steps;

  async function started() {
    const executable = await referenceBackend().compile(steps.entries.map(scheduleGraph));
    for (const split of ['train', 'validation']) {
      executable.write(`${split}.point`, points);
      executable.write(`${split}.label`, labels);
    }
    executable.write(
      ORDER,
      Int32Array.from(labels, (_, i) => i),
    );
    return executable;
  }

  it('of an evaluation', async () => {
    const executable = await started();
    executable.run('validation', 2);
    executable.run('validationLast', 1);
    const sums = await executable.read(BUFFERS.sums);
    const means = Array.from(sums, s => s / samples);
    const found = metricsOf(layout, means);
    const { confusion: table, ...others } = tablesOf(layout, means);
    expect(others).toEqual({});
    for (const [i, row] of confusion().entries())
      for (const [j, share] of row.entries()) expect(table![i]![j]).toBeCloseTo(share, 6);
    for (const [name, value] of Object.entries(expected())) expect(found[name], name).toBeCloseTo(value, 5);
    executable.dispose();
  });

  it('of an epoch of training, and of each step', async () => {
    const executable = await started();
    executable.run('train', 2);
    executable.run('trainLast', 1);
    const recorder = createRecorder(layout, { step: 0, sums: [], summed: 0 });
    const events = recorder.record(
      (await executable.read(BUFFERS.ring, 0, 3 * layout.ring.columns.length)) as Float32Array,
      0,
    );
    const means = recorder.means();
    for (const [name, value] of Object.entries(expected())) expect(means[name], name).toBeCloseTo(value, 5);
    // An expression of metrics is a mean over batches, which is all that can be said of it.
    const doubles = events.map(e => e.metrics.double!);
    for (const [i, e] of events.entries()) expect(e.metrics.f1! * 2).toBeCloseTo(doubles[i]!, 5);
    expect(Object.keys(events[0]!.metrics)).toEqual(['f1', 'perplexity', 'r2', 'masked', 'double', 'confusion']);
    executable.dispose();
  });
});
