/** The networks of `strata bench` are those that the PyTorch side trains, and training them can be measured. */
import { expect, test } from 'vitest';
import { benchProgram } from '../../../engine/train/bench.ts';
import { benchLines } from '../../../server/cli/commands/bench.ts';
import { workloadProgram, workloads } from '../../../server/cli/workloads.ts';

const parameters = {
  simplenet: 101_770,
  optimizednet: 235_146,
  lenet: 34_826,
  charlstm: 111_873,
  'gpt-tiny': 818_241,
} as const;

test.each(Object.entries(parameters))('%s has the weights of the PyTorch module', (name, count) => {
  const sizes = workloadProgram(name).parameters.map(p => p.shape.reduce((n, d) => n * d, 1));
  expect(sizes.reduce((a, b) => a + b, 0)).toBe(count);
});

test('every workload has a count above', () => {
  expect(Object.keys(workloads)).toEqual(Object.keys(parameters));
});

test('an unknown workload is refused with the known ones', () => {
  expect(() => workloadProgram('alexnet')).toThrow(
    'expected a workload of simplenet, optimizednet, lenet, charlstm, gpt-tiny, found alexnet',
  );
});

test('a result reads as one line, and one for each kernel', () => {
  const lines = benchLines('simplenet', {
    device: 'CPU',
    parameters: 1,
    batch: 64,
    stepsPerSecond: 3000,
    bestStepsPerSecond: 3210.4,
    compileMs: 50,
    deviceBytes: 2 ** 20,
    plannedBytes: 2 ** 19,
    kernels: [{ name: 'matmul', microseconds: 100, flops: 1e7, bytes: 1e5 }],
  });
  expect(lines).toEqual([
    'simplenet      3000 steps/s (best 3210), compiled in 50 ms, 1.0 MiB (planned: 0.5), CPU',
    '     100.0 us   100.0 GFLOP/s     1.0 GB/s  matmul',
  ]);
});

test.each(Object.keys(workloads).flatMap(name => [[name, 'float32'] as const, [name, 'mixed'] as const]))(
  '%s, %s: the memory that is allocated is within a twentieth of what was planned',
  async (name, precision) => {
    const program = workloadProgram(name);
    const run = precision === 'mixed' ? { ...program.run, precision } : program.run;
    const { deviceBytes, plannedBytes } = await benchProgram({ ...program, run }, 'cpu', { heapSteps: 0, repeats: 1 });
    expect(deviceBytes).toBeGreaterThanOrEqual(plannedBytes);
    expect(deviceBytes).toBeLessThan(1.05 * plannedBytes);
  },
);
