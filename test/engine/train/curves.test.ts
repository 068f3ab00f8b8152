/** A second run on another type of adapter, or on the CPU, gives the same curve. */
import { describe, expect, it } from 'vitest';
import type { Backend } from '../../../engine/backend/backend.ts';
import { wasmBackend } from '../../../engine/backend/wasm/index.ts';
import { webgpuBackend } from '../../../engine/backend/webgpu/index.ts';
import { adapters } from '../../support/devices.ts';
import { temporaryFolder } from '../../support/files.ts';
import { long } from '../../support/fuzz.ts';
import { programOf, trainSource } from '../../support/source.ts';

const STEPS = 100;

// One kind of batch and nothing to prepare or validate: a CPU driver compiles seconds for each shader.
const data = `data D = digits(samples: 96) {
  batch 8
}
`;
const train = `train t on D {
  net = Net()
  minimize cross_entropy(net(image), label) using adam(lr: 0.005)
  clip   1
  steps  ${STEPS}
}
`;

const models = {
  'a convolution, batch norm and dropout': `model Net(image: [B, H, W]) -> [B, 10] {
  conv = conv2d(4, kernel: 5, stride: 3)
  norm = batch_norm()
  fc   = linear(10)
  image |> reshape([B, 1, H, W]) |> conv |> norm |> relu |> flatten |> dropout(0.2) |> fc
}
`,
  'attention over rows': `model Net(image: [B, H, W]) -> [B, 10] {
  enter = linear(16)
  place = embedding(16)
  norm  = layer_norm()
  attn  = self_attention(heads: 2)
  head  = linear(10)
  x = enter(image) + place(arange(H))
  head(flatten(x + attn(norm(x))))
}
`,
} as const;

/** The losses of all steps. */
async function curveOf(name: keyof typeof models, open: () => Promise<Backend>): Promise<number[]> {
  const folder = temporaryFolder();
  const program = await programOf(models[name] + data + train, folder);
  const { done, events } = await trainSource(program, folder, { open: { wasm: open, webgpu: open } });
  expect(done.error).toBeUndefined();
  const steps = events.filter(event => event.type === 'step');
  expect(steps).toHaveLength(STEPS);
  return steps.map(({ loss }) => loss);
}

const onCpu = () => wasmBackend({ threads: 1 });

const names = Object.keys(models) as (keyof typeof models)[];

// What attention compiles to takes lavapipe a minute.
describe.each(long ? names : names.slice(0, 1))('%s', name => {
  it('gets better', async () => {
    const curve = await curveOf(name, onCpu);
    expect(curve.at(-1)! / curve[0]!).toBeLessThan(0.9);
  });

  it.each(adapters.map(adapter => [adapter.name, adapter.options] as const))(
    `on %s ${STEPS} steps are those of the CPU within 1e-3`,
    { timeout: 400_000 },
    async (_, options) => {
      const expected = await curveOf(name, onCpu);
      const found = await curveOf(name, () => webgpuBackend(options));
      expect(found).toHaveLength(expected.length);
      for (const [i, value] of found.entries()) expect(Math.abs(value - expected[i]!)).toBeLessThan(1e-3);
    },
  );
});
