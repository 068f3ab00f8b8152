/** A run on a device with little memory: the same losses, computed in less of it; and the plan of one that would not fit says so. */
import { describe, expect, it } from 'vitest';
import type { Backend } from '../../../engine/backend/backend.ts';
import { wasmBackend } from '../../../engine/backend/wasm/index.ts';
import type { Schedule } from '../../../engine/kernel/kernel.ts';
import { plannedBytes } from '../../../engine/kernel/memory.ts';
import { prepareTraining } from '../../../engine/train/setup.ts';
import { EngineError } from '../../../engine/util/errors.ts';
import { proceduralResult } from '../../../server/data/schemaResult.ts';
import { emit } from '../../../server/inspect/emit.ts';
import { analyze } from '../../../server/lang/analyze.ts';
import { lower } from '../../../server/lang/lower/lower.ts';

const source = (length: number, batch: number, depth: number) => `
model Block(x: [B, T, D]) -> [B, T, D] {
  x = x + (x |> layer_norm |> self_attention(heads: 2, causal: true) |> dropout(0.2))
  x + (x |> layer_norm |> linear(4 * D) |> gelu |> linear(D) |> dropout(0.2))
}
model GPT(tokens: index(V)[B, T], dim: int) -> [B, T, V] {
  x = embedding(tokens, dim) + positions(T, dim)
  repeat ${depth} { x = x |> Block }
  x |> layer_norm |> linear(V)
}
data Text = sequences(samples: ${3 * batch}, length: ${length}, symbols: 65) {
  batch ${batch}
}
train gpt on Text {
  net = GPT(dim: 32)
  minimize cross_entropy(net(tokens), next) using adam(lr: 0.01)
  epochs 1
}
`;

/** Layers over 240 characters: of the library, and written by hand with dropout between its steps. */
const recurrent = `
model Net(tokens: index(V)[B, T]) -> [B, T, V] {
  x = tokens |> embedding(16) |> lstm(32) |> gru(32)
  hs = scan t in x from h = (x[:, 0] |> linear(32)) {
    kept = h |> dropout(0.3)
    h = kept + sigmoid(t |> linear(32)) * tanh((t |> linear(32)) + (kept |> linear(32)))
    h
  }
  hs |> linear(V)
}
data Text = sequences(samples: 12, length: 240, symbols: 20) {
  batch 4
}
train gpt on Text {
  net = Net()
  minimize cross_entropy(net(tokens), next) using adam(lr: 0.01)
  epochs 1
}
`;

const analysisOf = (text: string) =>
  analyze('untitled:memory.strata', text, {
    readText: () => undefined,
    readSchema: data => proceduralResult(data) ?? { kind: 'pending' },
  });

/** The losses of the first steps where temporaries have `arena` bytes, and what the plan and the device say. */
async function train(text: string, arena: number) {
  const lowered = lower(analysisOf(text), 'gpt');
  if (lowered.kind !== 'program') throw new Error('the program does not lower');
  const wasm = await wasmBackend({ threads: 1 });
  let schedules: readonly Schedule[] = [];
  const small: Backend = {
    ...wasm,
    memory: { total: Infinity, arena },
    async compile(entries) {
      schedules = entries;
      return wasm.compile(entries);
    },
  };
  const open = { wasm: async () => small, webgpu: () => Promise.reject(new EngineError('no-adapter', 'none')) };
  const { session } = await prepareTraining({ program: lowered.program, resolvePath: path => path, open });
  session.setOrder(0);
  session.train(0, 3);
  const losses = await session.readRows(0, 3);
  const bytes = session.executable.bytes;
  await session.dispose();
  return {
    losses: [...losses],
    bytes,
    planned: plannedBytes(schedules),
    step: schedules.find(s => s.name === 'train')!,
  };
}

describe('a run in little memory', () => {
  // 200 characters: attention by blocks; dropout draws the same bits again.
  it('has the same losses, and allocates what its plan says', async () => {
    const text = source(200, 2, 3);
    const ample = await train(text, Infinity);
    const narrow = await train(text, 0.6 * ample.step.arenaBytes);
    expect(ample.step.again).toBeUndefined();
    expect(narrow.step.arenaBytes).toBeLessThanOrEqual(0.6 * ample.step.arenaBytes);
    expect(narrow.bytes).toBeLessThan(0.9 * ample.bytes);
    expect(narrow.bytes).toBeLessThan(1.2 * narrow.planned);
    for (const [n, loss] of narrow.losses.entries()) expect(loss).toBeCloseTo(ample.losses[n]!, 5);
  });

  it('walks long loops in chunks, to the same bits', async () => {
    const ample = await train(recurrent, Infinity);
    const narrow = await train(recurrent, 0.65 * ample.step.arenaBytes);
    expect(narrow.step.arenaBytes).toBeLessThanOrEqual(0.65 * ample.step.arenaBytes);
    expect(narrow.step.kernels.some(({ name }) => name.includes('again(net.lstm'))).toBe(true);
    expect(narrow.losses).toEqual(ample.losses);
  });

  it('is planned to fit into the 4 GiB of WebAssembly, with its price', () => {
    const plan = emit('plan', analysisOf(source(128, 1400, 10)), 'gpt');
    const [, again] = /computed again to fit: [\d.]+ GFLOP \((\d+)% more\) for [\d.]+ GB less/.exec(plan)!;
    expect(Number(again)).toBeLessThan(34);
    const [, peak] = /peak memory ([\d.]+) GB/.exec(plan)!;
    expect(Number(peak) * 1e9).toBeLessThan(2 ** 32);
  });
});
