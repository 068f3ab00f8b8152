/** Kernel to WGSL: the dispatches that run it. Pure text; the backend compiles and binds it. */
import type { Kernel, Schedule } from '../../kernel/kernel.ts';
import { longRowShaders } from './longRow.ts';
import { loopShader } from './loop.ts';
import { matmulShaders } from './matmul.ts';
import { scatterShader } from './scatter.ts';
import { defaultOptions, type Shader, type WgslOptions } from './shader.ts';

/** The dispatches that run `kernel` in order, for a device with these limits. */
export function kernelShaders(
  schedule: Schedule,
  kernel: Kernel,
  options: WgslOptions = defaultOptions,
): readonly Shader[] {
  switch (kernel.kind) {
    case 'loop':
      return longRowShaders(schedule, kernel, options) ?? [loopShader(schedule, kernel, options)];
    case 'matmul':
      return matmulShaders(schedule, kernel, options);
    case 'scatter':
      return [scatterShader(schedule, kernel, options)];
  }
}
