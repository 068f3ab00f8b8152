/** An entry point ready to run: pipelines compiled in parallel, bind groups made once. */
import type { Shader } from '../../codegen/wgsl/shader.ts';
import type { Schedule } from '../../kernel/kernel.ts';
import { never } from '../../util/errors.ts';
import type { Memory } from './buffers.ts';
import type { Device } from './index.ts';

export interface Dispatch {
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
  readonly workgroups: Shader['workgroups'];
}

/** Throws our own error, with the shader's text, if the device refuses a shader: that is never the user's doing. */
export async function buildEntry(
  own: Device,
  schedule: Schedule,
  shaders: readonly Shader[],
  memory: Memory,
): Promise<readonly Dispatch[]> {
  return Promise.all(shaders.map(shader => buildDispatch(own, schedule, shader, memory)));
}

async function buildDispatch(
  { device, check }: Device,
  schedule: Schedule,
  shader: Shader,
  memory: Memory,
): Promise<Dispatch> {
  const { name, code, bindings, workgroups } = shader;
  const layout = device.createBindGroupLayout({
    entries: bindings.map(({ access }, binding) => ({
      binding,
      visibility: GPUShaderStage.COMPUTE,
      buffer: { type: access === 'read' ? 'read-only-storage' : 'storage' },
    })),
  });
  const group = device.createBindGroup({
    layout,
    entries: bindings.map(({ buffer }, binding) => ({
      binding,
      resource: {
        buffer: buffer === 'arena' ? memory.arena : memory.persistent.get(schedule.buffers[buffer]!.name)!.gpu,
      },
    })),
  });
  device.pushErrorScope('validation');
  const module = device.createShaderModule({ label: name, code });
  const refused = device.popErrorScope();
  try {
    const pipeline = await device.createComputePipelineAsync({
      label: name,
      layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
      compute: { module, entryPoint: 'main' },
    });
    const error = await refused;
    if (error) throw error;
    return { pipeline, group, workgroups };
  } catch (cause) {
    check();
    const error = (await refused) ?? cause;
    throw never(
      `the device refuses ${name}: ${error instanceof Error || 'message' in Object(error) ? (error as Error).message : error}\n${code}`,
    );
  }
}
