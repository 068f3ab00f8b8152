/** `strata bench`: how fast the built-in workloads train on this machine. */
import type { BenchResult, KernelTime } from '../../../engine/train/bench.ts';
import { benchWorkload, workloads } from '../workloads.ts';

export interface BenchCommandOptions {
  readonly device?: 'auto' | 'webgpu' | 'cpu';
  readonly json?: boolean;
  readonly profile?: boolean;
}

export async function bench(
  names: readonly string[],
  { device = 'auto', json, profile }: BenchCommandOptions,
): Promise<void> {
  for (const workload of names.length > 0 ? names : Object.keys(workloads)) {
    const result = await benchWorkload(workload, device, { profile: profile === true });
    if (json === true) console.log(JSON.stringify({ workload, ...result }));
    else console.log(benchLines(workload, result).join('\n'));
  }
}

/** A result for people, a line for the whole and one for each kernel. */
export function benchLines(workload: string, result: BenchResult): string[] {
  const {
    stepsPerSecond,
    bestStepsPerSecond,
    compileMs,
    pipelines,
    dispatches,
    deviceBytes,
    plannedBytes,
    threads,
    heapGrowthBytes,
    deviceGrowthBytes = 0,
    heapSteps,
  } = result;
  const facts = [
    `${stepsPerSecond.toFixed(0)} steps/s (best ${bestStepsPerSecond.toFixed(0)})`,
    `compiled in ${compileMs.toFixed(0)} ms`,
    ...(pipelines === undefined
      ? []
      : [
          `${pipelines.count} pipelines created in ${pipelines.milliseconds.toFixed(0)} ms, ${dispatches} dispatches a step`,
        ]),
    `${(deviceBytes / 2 ** 20).toFixed(1)} MiB (planned: ${(plannedBytes / 2 ** 20).toFixed(1)})`,
    ...(threads === undefined ? [] : [`${threads} thread${threads === 1 ? '' : 's'}`]),
    ...(heapGrowthBytes === undefined
      ? []
      : [`heap ${signed(heapGrowthBytes)} and device ${signed(deviceGrowthBytes)} bytes in ${heapSteps} steps`]),
    result.device,
  ];
  return [`${workload.padEnd(14)} ${facts.join(', ')}`, ...(result.kernels ?? []).map(kernelLine)];
}

const signed = (n: number): string => `${n >= 0 ? '+' : ''}${n}`;

function kernelLine({ name, microseconds, flops, bytes, boundMicroseconds }: KernelTime): string {
  const rate = (amount: number) => (amount / Math.max(microseconds, 0.01) / 1000).toFixed(1).padStart(7);
  const bound = boundMicroseconds === undefined ? '' : ` (bound ${boundMicroseconds.toFixed(1).padStart(7)} us)`;
  return `  ${microseconds.toFixed(1).padStart(8)} us${bound} ${rate(flops)} GFLOP/s ${rate(bytes)} GB/s  ${name}`;
}
