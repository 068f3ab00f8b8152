/** What a run shows: files that everything can open, of a fixed batch and fixed noise, without a trace in the training. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { decode as decodePng } from 'fast-png';
import { describe, expect, it } from 'vitest';
import { createRandom } from '../../../engine/data/random.ts';
import { encodeWav, parseWav, readSamples } from '../../../engine/data/wav.ts';
import { readCheckpoint } from '../../../engine/train/checkpoint.ts';
import type { SamplesEvent } from '../../../engine/train/events.ts';
import { isShown } from '../../../engine/train/gallery.ts';
import { choose, textsOf } from '../../../engine/train/generate.ts';
import { rangeOf, writeSample } from '../../../engine/train/samples.ts';
import { runSchemaJob } from '../../../server/data/schemaJob.ts';
import { analyzeSettled, createLangHost } from '../../../server/runs/langHost.ts';
import { temporaryFolder } from '../../support/files.ts';
import { checkpointPaths, programOf, type SourceRun, trainSource, workspaceOf } from '../../support/source.ts';

const digits = (shown: string) => `data Digits = digits(samples: 80) {
  image = image |> flatten
  split validation: 0.25
  batch 16
}

train t on Digits {
  code    = image |> linear(8) |> dropout(0.5)
  copy    = code |> linear(784) |> sigmoid
  drawn   = normal([B, 8]) |> linear(784) |> sigmoid
  minimize mse(copy, image) + 0 * mean(drawn) using adam(lr: 0.01)
  ${shown}
  epochs 2
  seed 3
}
`;
const poem = 'the light goes round and round, the sea is dark and wide.\n'.repeat(12);
const speech = (lines: string, source = 'window: 8, stride: 3') => `data Poem = text("poem.txt", ${source}) {
  split validation: 0.2
  batch 16
}

train t on Poem {
  logits = tokens |> embedding(16) |> lstm(24) |> linear(size)
  minimize cross_entropy(logits, next) using adam(lr: 0.02)
  ${lines}
  epochs 6
  seed 1
}
`;

const samplesOf = ({ events }: SourceRun) => events.filter((e): e is SamplesEvent => e.type === 'samples');
const itemsOf = ({ folder }: SourceRun, event: SamplesEvent): unknown[] =>
  event.paths.flatMap(path => JSON.parse(readFileSync(join(folder, path), 'utf8')).items);
const run = async (text: string, files: Record<string, string | Uint8Array> = {}) => {
  const workspace = workspaceOf(files);
  return trainSource(await programOf(text, workspace), workspace);
};
const vocabulary = new Set(poem).size;

describe('show', () => {
  it('writes images of the source, numbers and more at the end of each epoch', async () => {
    const shown = 'show image, copy, drawn\n  show codes: code, label';
    const result = await run(digits(shown));
    expect(result.done.error).toBeUndefined();
    const events = samplesOf(result);
    expect(events.map(({ epoch, name, kind, items }) => [epoch, name, kind, items])).toEqual(
      [1, 2].flatMap(epoch => [
        [epoch, 'image', 'image', 16],
        [epoch, 'copy', 'image', 16],
        [epoch, 'drawn', 'image', 16],
        [epoch, 'codes', 'numbers', 16],
        [epoch, 'label', 'numbers', 16],
      ]),
    );
    // Four images of 28 pixels in a row, with lines between them.
    const png = decodePng(readFileSync(join(result.folder, events[0]!.paths[0]!)));
    expect([png.width, png.height, png.channels]).toEqual([115, 115, 1]);
    expect(new Set(png.data).size).toBeGreaterThan(2);
    const bytesOf = (at: number) => readFileSync(join(result.folder, events[at]!.paths[0]!));
    // The batch is the same each time, the weights are not.
    expect(bytesOf(0)).toEqual(bytesOf(5));
    expect(bytesOf(1)).not.toEqual(bytesOf(6));
    expect(itemsOf(result, events[3]!)[0]).toEqual({
      shape: [8],
      numbers: expect.arrayContaining([expect.any(Number)]),
    });
  });

  it('changes nothing of the training', async () => {
    const plain = await run(digits(''));
    const shown = await run(digits('show extra: normal([16, 784]) |> linear(784), drawn'));
    const weights = async ({ folder }: SourceRun) => (await readCheckpoint(join(folder, checkpointPaths.last))).tensors;
    const [before, after] = [await weights(plain), await weights(shown)];
    for (const [name, { data }] of before) expect(after.get(name)?.data, name).toEqual(data);
    expect(after.get('show.linear_1.weight')?.shape).toEqual([784, 784]);
  });

  it('shows training samples where there is no validation split, and values that have no batch', async () => {
    const text = digits('show total: mean(copy), image').replace('  split validation: 0.25\n', '');
    const result = await run(text);
    expect(samplesOf(result).slice(0, 2)).toMatchObject([{ kind: 'numbers', items: 1 }, { items: 16 }]);
  });

  it('is told again the same by a run that was stopped within an epoch and resumed', async () => {
    const workspace = workspaceOf({ 'poem.txt': poem });
    const program = await programOf(
      speech('generate logits, prompt: "the", tokens: 40').replace('size', `${vocabulary}`),
      workspace,
    );
    const whole = await trainSource(program, workspace, { folder: join(workspace, 'whole') });
    const folder = join(workspace, 'resumed');
    const first = await trainSource(program, workspace, { folder }, (event, { control }) => {
      if (event.type === 'epoch' && event.epoch === 2) control.stop();
    });
    const path = join(folder, checkpointPaths.last);
    const rest = await trainSource(program, workspace, {
      folder,
      resumeFrom: { checkpoint: await readCheckpoint(path), path },
    });
    const told = (...runs: SourceRun[]) => runs.flatMap(samplesOf).map(({ time: _, ...event }) => event);
    expect(told(first, rest)).toEqual(told(whole));
    for (const event of samplesOf(whole)) expect(itemsOf(rest, event)).toEqual(itemsOf(whole, event));
  });

  it('shows at most a hundred epochs, the last among them', () => {
    const program = { views: [{ name: 'x', output: 'show.1', as: { kind: 'numbers' } }] } as never;
    const shown = Array.from({ length: 1050 }, (_, at) => at + 1).filter(epoch => isShown(program, epoch, 1050));
    expect(shown.length).toBeLessThanOrEqual(100);
    expect(shown.at(-1)).toBe(1050);
  });
});

describe('generate', () => {
  it('goes on from the prompt, with more sense from epoch to epoch', async () => {
    const lines = 'generate logits, prompt: "the li", tokens: 60, temperature: 0';
    const result = await run(speech(lines).replace('size', `${vocabulary}`).replace('epochs 6', 'epochs 40'), {
      'poem.txt': poem,
    });
    expect(result.done.error).toBeUndefined();
    const texts = samplesOf(result).map(event => String(itemsOf(result, event)[0]));
    expect(texts).toHaveLength(40);
    for (const text of texts) expect(text).toMatch(/^the li[\s\S]{60}$/);
    // The window of 8 slides: the greedy text of a model that has learnt the line is the line.
    expect(texts.at(-1)).toContain('round and round, the sea is dark');
  });

  it('takes words and tokens without names', async () => {
    const lines = 'generate logits, prompt: "the sea", tokens: 5, top_k: 3';
    const words = await run(speech(lines, 'window: 8, stride: 3, tokens: "words"').replace('size', '13'), {
      'poem.txt': poem,
    });
    expect(words.done.error).toBeUndefined();
    expect(
      String(itemsOf(words, samplesOf(words)[0]!)[0])
        .split(/[ ]/)
        .slice(0, 2),
    ).toEqual(['the', 'sea']);
    const numbers = `data Made = sequences(samples: 40, length: 8, symbols: 5) { batch 8 }
train t on Made {
  logits = tokens |> embedding(8) |> gru(8) |> linear(5)
  minimize cross_entropy(logits, next) using adam()
  generate logits, prompt: "1 2", tokens: 4
  epochs 1
}
`;
    const drawn = await run(numbers);
    expect(String(itemsOf(drawn, samplesOf(drawn)[0]!)[0])).toMatch(/^1 2( [0-4]){4}$/);
  });

  it('draws by temperature and rank', () => {
    const scores = [1, 3, 2, 3];
    const drawing = { prompt: '', tokens: 1, temperature: 1 };
    const counts = (more: object) => {
      const random = createRandom(1, 1, 0);
      const drawn = Array.from({ length: 4000 }, () => choose(scores, { ...drawing, ...more }, random));
      return scores.map((_, index) => drawn.filter(d => d === index).length / 4000);
    };
    const total = scores.reduce((sum, s) => sum + Math.exp(s), 0);
    for (const [at, share] of counts({}).entries()) expect(share).toBeCloseTo(Math.exp(scores[at]!) / total, 1);
    expect(counts({ temperature: 0 })).toEqual([0, 1, 0, 0]);
    expect(counts({ topK: 1 })).toEqual([0, 1, 0, 0]);
    expect(counts({ topK: 3 })[0]).toBe(0);
  });

  it('is refused while typing where the prompt has characters that the text lacks', async () => {
    const workspace = workspaceOf({ 'poem.txt': poem });
    const text = (prompt: string) => speech(`generate logits, prompt: "${prompt}"`).replace('size', `${vocabulary}`);
    await programOf(text('the light'), workspace);
    await expect(programOf(text('the §'), workspace)).rejects.toThrow(/value-out-of-range.*prompt.*§/);
    const host = createLangHost({ run: runSchemaJob, workspaceOf: () => workspace });
    const { facts } = await analyzeSettled(pathToFileURL(join(workspace, 'main.strata')).href, text('the §'), host);
    expect(facts).toMatchObject([{ code: 'value-out-of-range', data: { subject: 'prompt', found: '"§"' } }]);
  });

  it('is refused before the first step where the model looks ahead', async () => {
    const attending = (causal: boolean) => `data Made = sequences(samples: 40, length: 8, symbols: 5) { batch 8 }
train t on Made {
  logits = tokens |> embedding(8) |> self_attention(heads: 2, causal: ${causal}) |> linear(5)
  minimize cross_entropy(logits, next) using adam()
  generate logits, tokens: 4
  epochs 1
}
`;
    const { done, events } = await run(attending(false));
    expect(done.error).toMatchObject({ code: 'unsupported', message: expect.stringContaining('use `causal: true`') });
    expect(events.some(event => event.type === 'step')).toBe(false);
    expect((await run(attending(true))).done.error).toBeUndefined();
  });

  it('refuses a prompt that the model has not learnt', () => {
    const plan = { source: { name: 'text', args: {} }, columns: [{ name: 'tokens', classNames: ['a', 'b'] }] } as never;
    expect(() => textsOf(plan, 'tokens', 2).encode('abc')).toThrow(/prompt: expected .*, found "c"/);
    expect(() => textsOf(plan, 'tokens', 7).encode('7')).toThrow(/tokens from 0 to 6/);
  });
});

it('knows sound and names of classes by the data', async () => {
  const tone = (hertz: number) =>
    encodeWav(
      Float32Array.from({ length: 64 }, (_, i) => Math.sin((i * hertz) / 8)),
      800,
    );
  const files = Object.fromEntries(
    [0, 1, 2, 3, 4, 5, 6, 7].map(i => [`${i % 2 ? 'low' : 'high'}_${i}.wav`, tone(1 + i)]),
  );
  const text = `data Tones = audio(".", names: "{label}_{take}.wav") { batch 4 }
train t on Tones {
  copy = audio |> linear(64)
  minimize mse(copy, audio) using adam()
  show copy, label, best: argmax(audio |> linear(2))
  epochs 1
}
`;
  const workspace = workspaceOf(files);
  const result = await trainSource(await programOf(text, workspace), workspace);
  const [sound, labels, best] = samplesOf(result);
  expect([sound?.kind, sound?.paths.length, labels?.kind, best?.kind]).toEqual(['audio', 4, 'text', 'text']);
  expect(new Set(itemsOf(result, labels!))).toEqual(new Set(['high', 'low']));
});

describe('files', () => {
  it('hold sound that the reader of recordings reads', async () => {
    const folder = temporaryFolder();
    const data = Float32Array.of(0, 0.5, -0.5, 2, 0.25, Number.NaN, -1, 1);
    const { kind, paths } = await writeSample(folder, 'epoch-1-x', {
      as: { kind: 'audio', rate: 8000 },
      shape: [4],
      items: 2,
      data,
    });
    expect([kind, paths]).toEqual(['audio', ['samples/epoch-1-x-1.wav', 'samples/epoch-1-x-2.wav']]);
    const bytes = readFileSync(join(folder, paths[0]!));
    const format = parseWav({ name: 'x', path: paths[0]! }, bytes, bytes.length);
    expect(format).toMatchObject({ rate: 8000, channels: 1, length: 4 });
    const read = new Float32Array(4);
    readSamples(bytes, format, read);
    expect([...read].map(x => Math.round(100 * x) / 100)).toEqual([0, 0.5, -0.5, 1]);
  });

  it('hold colours in planes or in pixels, and large images smaller', async () => {
    const folder = temporaryFolder();
    const pixels = async (order: 'planes' | 'pixels', data: Float32Array, width: number) => {
      const as = { kind: 'image', channels: 3, height: 1, width, order } as const;
      const { paths } = await writeSample(folder, order, { as, shape: [3, 1, width], items: 1, data });
      return decodePng(readFileSync(join(folder, paths[0]!)));
    };
    expect([...(await pixels('planes', Float32Array.of(1, 0, 0, 1, 0.5, 0.5), 2)).data]).toEqual([
      255, 0, 128, 0, 255, 128,
    ]);
    expect([...(await pixels('pixels', Float32Array.of(1, 0, 0, 1, 0.5, 0.5), 2)).data]).toEqual([
      255, 0, 0, 255, 128, 128,
    ]);
    expect((await pixels('planes', new Float32Array(3 * 1000), 1000)).width).toBe(256);
  });

  it('have black and white where the numbers suggest it', () => {
    expect(rangeOf(Float32Array.of(0.2, 0.7))).toEqual([0, 1]);
    expect(rangeOf(Float32Array.of(-0.2, 0.7))).toEqual([-1, 1]);
    expect(rangeOf(Float32Array.of(-20, 235))).toEqual([-20, 235]);
    expect(rangeOf(Float32Array.of(7, 7))).toEqual([0, 1]);
  });
});
