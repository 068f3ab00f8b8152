/** f16 in two bytes, without a device: texts of loads and stores, what is planned for adapters with few bindings, and that Dawn takes every shader. */

import { describe, expect, it } from 'vitest';
import { create, globals } from 'webgpu';
import { scheduleShaders } from '../../../../engine/codegen/wgsl/beside.ts';
import { kernelShaders } from '../../../../engine/codegen/wgsl/generate.ts';
import { defaultOptions, literalCode, type WgslOptions } from '../../../../engine/codegen/wgsl/shader.ts';
import { storable } from '../../../../engine/codegen/wgsl/storable.ts';
import type { Graph } from '../../../../engine/ir/graph.ts';
import type { Schedule } from '../../../../engine/kernel/kernel.ts';
import { printPlan } from '../../../../engine/kernel/print.ts';
import { scheduleWithin } from '../../../../engine/kernel/rematerialize.ts';
import { scheduleGraph } from '../../../../engine/kernel/schedule.ts';
import { GraphBuilder, type Value } from '../../../../engine/ops/builder.ts';
import { buildSteps } from '../../../../engine/train/step.ts';
import { workloadProgram } from '../../../../server/cli/workloads.ts';

const native: WgslOptions = { ...defaultOptions, halves: { rounds: true } };
const rounding: WgslOptions = { ...defaultOptions, halves: { rounds: false } };

/** Two layers with a value of f16 in between, which a transpose reads as well. */
function layers(): Schedule {
  const b = new GraphBuilder();
  const half = (x: Value) => b.op('to_f32', [b.op('to_f16', [x])]);
  const input = (name: string, ...shape: number[]) => b.input(name, { dtype: 'f32', shape });
  const hidden = half(b.matmul(input('x', 512, 64), input('w', 64, 512)));
  return scheduleGraph(
    b.finish('g', [
      { name: 'y', value: b.matmul(hidden, input('v', 512, 512)) },
      { name: 'turned', value: b.transpose(b.exp(hidden), [1, 0]) },
    ]),
  );
}

function textsOf(schedule: Schedule, options: WgslOptions): readonly string[] {
  const stored = storable(schedule, options);
  return stored.kernels.flatMap(kernel => kernelShaders(stored, kernel, options).map(literalCode));
}

/** The training step of a workload in mixed precision. */
function mixedGraph(name: string): Graph {
  const program = workloadProgram(name);
  const mixed = { ...program, run: { ...program.run, precision: 'mixed' as const } };
  return buildSteps(mixed, { train: 2 * program.data.batch, validation: 0, test: 0 }).entries[0]!;
}

const mixedStep = (name: string): Schedule => scheduleGraph(mixedGraph(name));

const halvesIn = ({ buffers }: Schedule) => buffers.filter(({ dtype }) => dtype === 'f16').length;

describe('texts', () => {
  it('a value of f16 is bound as such, four at once and one by one, and computed with as f32', () => {
    const [first, ...others] = textsOf(layers(), native);
    expect(first).toMatch(/^enable f16;\n/);
    expect(first).toMatch(/var<storage, read_write> b\d: array<vec4<f16>>;/);
    expect(first).toMatch(/\] = vec4<f16>\(vec4<f32>\(r\.x, r\.y, r\.z, r\.w\)\);/);
    expect(first).not.toContain('roundHalf');
    expect(others.join()).toMatch(/vec4<f32>\(b\d\[/);
    expect(others.join()).toMatch(/= f32\(b\d\[/);
    for (const text of [first, ...others]) expect(text).not.toMatch(/var<workgroup> \w+: array<(f16|vec\d<f16>)/);
  });

  it('is rounded before it is stored where the conversion of the device does not', () => {
    expect(textsOf(layers(), rounding)[0]).toMatch(/\] = vec4<f16>\(vec4<f32>\(roundHalf\(r\.x\), /);
  });

  it('without the feature, or without a value of f16, nothing is asked for', () => {
    const b = new GraphBuilder();
    const plain = scheduleGraph(
      b.finish('g', [{ name: 'y', value: b.exp(b.input('x', { dtype: 'f32', shape: [8] })) }]),
    );
    for (const text of [...textsOf(layers(), defaultOptions), ...textsOf(plain, native)])
      expect(text).not.toMatch(/enable f16|f16>|f16\(/);
  });
});

describe('the plan', () => {
  const schedule = mixedStep('gpt-tiny');

  it('is the one of the CPU where there are bindings enough', () => {
    expect(storable(schedule, { ...native, storageBuffers: 16 })).toBe(schedule);
  });

  it('widens what kernels reach through the arena alone, which costs little with eight bindings', () => {
    const stored = storable(schedule, native);
    expect(halvesIn(stored)).toBeGreaterThan(0.8 * halvesIn(schedule));
    expect(stored.arenaBytes / schedule.arenaBytes).toBeLessThan(1.03);
    for (const kernel of stored.kernels) {
      for (const { bindings } of kernelShaders(stored, kernel, native)) {
        const whole = bindings.some(({ buffer }) => buffer === 'arena');
        if (whole) expect(bindings.filter(({ element }) => element.includes('f16'))).toEqual([]);
      }
    }
    expect(storable(stored, native)).toBe(stored);
  });

  it('is what is made to fit into the memory of a device', () => {
    const memory = { total: Number.POSITIVE_INFINITY, arena: 56 * 2 ** 20 };
    const planFor = (options: WgslOptions) =>
      scheduleWithin([mixedGraph('gpt-tiny')], { ...memory, storable: each => storable(each, options) })[0]!;
    const [stored, wide] = [planFor(native), planFor(defaultOptions)];
    expect(stored.again).toBeUndefined();
    expect(wide.again!.arenaBytes).toBeGreaterThan(memory.arena);
    expect(wide.arenaBytes).toBeLessThanOrEqual(memory.arena);
    expect(halvesIn(wide)).toBe(0);
  });

  it('says what a device without f16 takes', () => {
    const wide = storable(schedule, defaultOptions);
    expect(halvesIn(wide)).toBe(0);
    const total = (plan: string, start: string) => Number(new RegExp(`${start} ([\\d.]+) MB`).exec(plan)![1]);
    const [plan, other] = [printPlan(schedule), printPlan(wide)];
    expect(total(plan, 'where f16 takes four bytes .*:')).toBe(total(other, 'peak memory'));
    expect(other).not.toContain('where f16');
  });
});

/** Dawn without a GPU: it checks and translates shaders for a device that has everything. */
async function openNull(): Promise<{ readonly device: GPUDevice; readonly gpu: GPU }> {
  Object.assign(globalThis, globals);
  const gpu = create(['backend=null']);
  const adapter = (await gpu.requestAdapter())!;
  return { gpu, device: await adapter.requestDevice({ requiredFeatures: ['shader-f16', 'subgroups'] }) };
}

describe('Dawn takes every shader', () => {
  it.each(['gpt-tiny', 'lenet', 'charlstm'])('of %s', { timeout: 60_000 }, async name => {
    const { device, gpu } = await openNull();
    const schedule = mixedStep(name);
    for (const options of [native, { ...rounding, software: true, subgroups: { least: 4 } }]) {
      const texts = new Set(
        scheduleShaders(storable(schedule, options), options).map(each => literalCode(each.shader)),
      );
      expect([...texts].filter(text => text.startsWith('enable f16;')).length).toBeGreaterThan(5);
      device.pushErrorScope('validation');
      const modules = [...texts].map(code => device.createShaderModule({ code }));
      await Promise.all(
        modules.map(module => device.createComputePipelineAsync({ layout: 'auto', compute: { module } })),
      );
      expect((await device.popErrorScope())?.message).toBeUndefined();
    }
    device.destroy();
    expect(gpu).toBeDefined();
  });
});
