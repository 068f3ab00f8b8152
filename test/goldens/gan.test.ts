/** A GAN against PyTorch's: two objectives over weights of their own, the second on what the first has updated. */
import { expect, it } from 'vitest';
import { wasmBackend } from '../../engine/backend/wasm/index.ts';
import { scheduleGraph } from '../../engine/kernel/schedule.ts';
import { buildSteps, ORDER } from '../../engine/train/step.ts';
import { analyze } from '../../server/lang/analyze.ts';
import { lower } from '../../server/lang/lower/lower.ts';
import { testHost, testUri } from '../support/fixture.ts';
import { type Digest, expectDigest, golden, relativeError } from './golden.ts';
import { Lcg } from './inputs.ts';

interface GanGolden {
  readonly losses: readonly (readonly [number, number])[];
  readonly gradients: Readonly<Record<string, Digest>>;
  readonly weights: Readonly<Record<string, Digest & { readonly shape: readonly number[] }>>;
}

/** A bias before a norm has a gradient of 0 but for rounding, of which Adam makes whole steps. */
const VANISHING = 'g.up.bias';
const BATCH = 4;
const source = `model Maker(z: [B, 3]) -> [B, 6] {
  up = linear(8)
  norm = batch_norm()
  out = linear(6)
  z |> up |> norm |> relu |> out |> tanh
}
model Judge(x: [B, 6]) -> [B, 1] {
  enter = linear(8)
  out = linear(1)
  x |> enter |> leaky_relu(0.2) |> out
}
data D = digits() { batch ${BATCH} }
train gan on D {
  g = Maker()
  d = Judge()
  fake = noise |> g
  minimize bce(d(real), 1) + bce(fake |> detach |> d, 0) over d using adam(lr: 0.01, beta1: 0.5)
  minimize bce(d(fake), 1) over g using adam(lr: 0.01, beta1: 0.5)
  steps 10
}
`;

function program() {
  const columns = [
    { name: 'noise', dtype: 'f32', shape: [3] },
    { name: 'real', dtype: 'f32', shape: [6] },
  ] as const;
  const host = { ...testHost(), readSchema: () => ({ kind: 'schema' as const, columns, samples: BATCH }) };
  const lowered = lower(analyze(testUri, source, host));
  if (lowered.kind !== 'program') throw new Error(JSON.stringify(lowered));
  return lowered.program;
}

it('has the gradients of every tensor, both losses over ten steps, and the weights after them', async () => {
  const stored = golden<GanGolden>('gan');
  const { entries, layout } = buildSteps(program(), { train: BATCH, validation: 0, test: 0 });
  const executable = await (await wasmBackend({ threads: 1 })).compile(entries.map(scheduleGraph));
  const lcg = new Lcg(31);
  executable.write('train.noise', Float32Array.from(lcg.floats(3 * BATCH)));
  executable.write('train.real', Float32Array.from(lcg.floats(6 * BATCH)));
  executable.write(ORDER, Int32Array.of(0, 1, 2, 3));
  const fill = new Lcg(37);
  for (const [name, { shape }] of Object.entries(stored.weights)) {
    const { buffer, offset } = layout.parameters[name]!;
    const drawn = fill.floats(shape.reduce((n, d) => n * d, 1));
    executable.write(
      buffer,
      Float32Array.from(drawn, v => v / 2),
      offset,
    );
  }
  const read = async (name: string, of = '') => {
    const { buffer, offset, length } = layout.parameters[name]!;
    return executable.read(`${buffer}${of}`, offset, length);
  };
  executable.run('train', 1);
  for (const [name, expected] of Object.entries(stored.gradients)) {
    // Adam's mean of one gradient: 1 - beta1 of it.
    const gradient = Array.from(await read(name, '.m'), v => 2 * v);
    if (name !== VANISHING) expectDigest(gradient, expected, 1e-4, name);
  }
  executable.run('train', 9);
  const width = layout.ring.columns.length;
  const ring = await executable.read('ring', 0, 10 * width);
  const places = ['loss_1', 'loss_2'].map(name => layout.ring.columns.indexOf(name));
  const found = stored.losses.flatMap((_, step) => places.map(i => ring[step * width + i]!));
  expect(relativeError(found, stored.losses.flat(), 0)).toBeLessThan(1e-4);
  for (const [name, expected] of Object.entries(stored.weights))
    if (name !== VANISHING) expectDigest(await read(name), expected, 1e-3, name);
  executable.dispose();
});
