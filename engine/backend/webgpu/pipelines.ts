/** Pipelines of shaders: each distinct text is compiled once, all at the same time. */
import { type Binding, literalCode, type Shader, sharedCode } from '../../codegen/wgsl/shader.ts';
import { never } from '../../util/errors.ts';
import type { Device } from './index.ts';

/** A shader compiled. */
export interface Compiled {
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
  /** Whether the shader's offsets are to be bound behind its buffers. */
  readonly takesOffsets: boolean;
}

/** What compiling has taken. */
export interface PipelineWork {
  /** Distinct pipelines. */
  readonly count: number;
  readonly milliseconds: number;
}

/**
 * Compiles each distinct shader once. Shaders that differ by their offsets alone share a text that takes them from a uniform; one that
 * has no such companion has them in its text. Throws our own error, with the text, if the device refuses one: that is never the user's doing.
 */
export async function compileShaders(
  own: Device,
  shaders: readonly Shader[],
): Promise<{ readonly compiled: ReadonlyMap<Shader, Compiled>; readonly work: PipelineWork }> {
  const start = performance.now();
  const layouts = new Map<string, GPUBindGroupLayout>();
  const pending = new Map<string, Shader[]>();
  for (const shader of shaders) pending.set(shader.template, [...(pending.get(shader.template) ?? []), shader]);
  const pairs = await Promise.all(
    [...pending.values()].map(async alike => {
      const first = alike[0]!;
      const takesOffsets = alike.some(shader => shader.offsets.some((offset, n) => offset !== first.offsets[n]));
      const layout = layoutOf(own, layouts, first.bindings, takesOffsets);
      const code = takesOffsets ? sharedCode(first) : literalCode(first);
      const pipeline = await createPipeline(own, first.name, code, layout);
      return alike.map(shader => [shader, { pipeline, layout, takesOffsets }] as const);
    }),
  );
  const work = { count: pairs.length, milliseconds: performance.now() - start };
  return { compiled: new Map(pairs.flat()), work };
}

/** Texts declare their bindings, so equal texts have equal layouts. */
function layoutOf(
  { device }: Device,
  known: Map<string, GPUBindGroupLayout>,
  bindings: readonly Binding[],
  takesOffsets: boolean,
): GPUBindGroupLayout {
  const types: GPUBufferBindingType[] = bindings.map(({ access }) =>
    access === 'read' ? 'read-only-storage' : 'storage',
  );
  if (takesOffsets) types.push('uniform');
  const key = types.join();
  const layout =
    known.get(key) ??
    device.createBindGroupLayout({
      entries: types.map((type, binding) => ({ binding, visibility: GPUShaderStage.COMPUTE, buffer: { type } })),
    });
  known.set(key, layout);
  return layout;
}

async function createPipeline(
  { device, check }: Device,
  name: string,
  code: string,
  layout: GPUBindGroupLayout,
): Promise<GPUComputePipeline> {
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
    return pipeline;
  } catch (cause) {
    check();
    const error = (await refused) ?? cause;
    const reason = error instanceof Error || 'message' in Object(error) ? (error as Error).message : error;
    throw never(`the device refuses ${name}: ${reason}\n${code}`);
  }
}
