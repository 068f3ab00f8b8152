/** Kernel to WGSL: one shader each. Pure text; the backend compiles and binds it. */
import type { Kernel, Schedule } from '../../kernel/kernel.ts';
import { loopShader } from './loop.ts';
import { matmulShader } from './matmul.ts';
import { scatterShader } from './scatter.ts';
import { defaultOptions, type Shader, type WgslOptions } from './shader.ts';

/** The dispatch that runs `kernel`, for a device with these limits. */
export function kernelShader(schedule: Schedule, kernel: Kernel, options: WgslOptions = defaultOptions): Shader {
  switch (kernel.kind) {
    case 'loop':
      return loopShader(schedule, kernel, options);
    case 'matmul':
      return matmulShader(schedule, kernel, options);
    case 'scatter':
      return scatterShader(schedule, kernel, options);
  }
}
