/** Pipelines of shaders: each distinct text is compiled once, those that are wanted together at the same time. */
import { type Binding, literalCode, type Shader, sharedCode } from '../../codegen/wgsl/shader.ts';
import { never } from '../../util/errors.ts';
import type { Device } from './index.ts';

/** A shader compiled. */
export interface Compiled {
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
}

/** What compiling has taken so far. */
export interface PipelineWork {
  /** Distinct pipelines. */
  readonly count: number;
  readonly milliseconds: number;
}

export interface Compiler {
  /** Distinct pipelines asked for so far. */
  readonly count: number;
  /** Whether a shader's offsets are to be bound behind its buffers, since others share its text. */
  takesOffsets(shader: Shader): boolean;
  /** Compiles some of the shaders, all at the same time; what has been asked for before isn't compiled again. */
  compile(shaders: readonly Shader[]): Promise<ReadonlyMap<Shader, Compiled>>;
}

/**
 * Compiles each distinct one of `shaders` once. Shaders that differ by their offsets alone share a text that takes them from a uniform; one
 * that has no such companion has them in its text. Rejects with our own error, with the text, if the device refuses one: that is never the
 * user's doing.
 */
export function compilerOf(own: Device, shaders: readonly Shader[]): Compiler {
  const layouts = new Map<string, GPUBindGroupLayout>();
  const firsts = new Map<string, Shader>();
  const shared = new Set<string>();
  for (const shader of shaders) {
    const first = firsts.get(shader.template) ?? shader;
    firsts.set(shader.template, first);
    if (shader.offsets.some((offset, n) => offset !== first.offsets[n])) shared.add(shader.template);
  }
  const takesOffsets = ({ template }: Shader) => shared.has(template);
  const create = async (shader: Shader): Promise<Compiled> => {
    const layout = layoutOf(own, layouts, shader.bindings, takesOffsets(shader));
    const code = takesOffsets(shader) ? sharedCode(shader) : literalCode(shader);
    return { pipeline: await createPipeline(own, shader.name, code, layout), layout };
  };
  const known = new Map<string, Promise<Compiled>>();
  const compiled = (shader: Shader): Promise<Compiled> => {
    const found = known.get(shader.template) ?? create(shader);
    known.set(shader.template, found);
    return found;
  };
  return {
    get count() {
      return known.size;
    },
    takesOffsets,
    compile: async wanted =>
      new Map(await Promise.all(wanted.map(async each => [each, await compiled(each)] as const))),
  };
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
