/** A trained model applied to new files: it says what evaluation says, in the units of the data, and refuses what it can't read. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encode as encodePng } from 'fast-png';
import { describe, expect, it } from 'vitest';
import { wasmBackend } from '../../../engine/backend/wasm/index.ts';
import { drawDigits } from '../../../engine/data/digits.ts';
import { encodeWav } from '../../../engine/data/wav.ts';
import { readCheckpoint } from '../../../engine/train/checkpoint.ts';
import { writeWith } from '../../../engine/train/inference.ts';
import { predict } from '../../../engine/train/predict.ts';
import { namedFile } from '../../../server/cli/trainedModel.ts';
import { checkpointPaths, programOf, trainSource, workspaceOf } from '../../support/source.ts';

type Files = Record<string, string | Uint8Array>;

/** A trained model in a workspace, and what it says of files there. */
async function trained(text: string, files: Files = {}) {
  const workspace = workspaceOf(files);
  const program = await programOf(text, workspace);
  const { done, folder } = await trainSource(program, workspace);
  expect(done.error).toBeUndefined();
  const path = join(folder, checkpointPaths.last);
  const model = { program, checkpoint: await readCheckpoint(path), path };
  const say = async (content: string | Uint8Array, name: string) => {
    writeFileSync(join(workspace, name), content);
    const backend = await wasmBackend();
    try {
      return await predict({ model, files: [join(workspace, name)], resolvePath: namedFile, backend });
    } finally {
      await backend.dispose();
    }
  };
  return { model, say, done };
}

/** y is 1000.5 + 300 x, and the kind says whether x is above 0. */
function table(rows: number, target: boolean): string {
  const lines = Array.from({ length: rows }, (_, i) => {
    const x = (i % 20) / 10 - 0.95;
    return [x, i % 7, ...(target ? [1000.5 + 300 * x, x > 0 ? 'warm' : 'cold'] : [])].join(',');
  });
  return `${['x', 'other', ...(target ? ['y', 'kind'] : [])].join(',')}\n${lines.join('\n')}\n`;
}

const block = (train: string, data: string) => `data Rows = csv("rows.csv"${data}
  batch 20
}
train t on Rows {
  ${train}
  epochs 60
  seed 2
}
`;

describe('predict', () => {
  it('gives numbers in the units of the table, whatever the transforms of the target', async () => {
    const data = ', target: "y") {\n  features = features |> standardize\n  y = y |> standardize';
    const text = block('minimize mse(features |> linear(1) |> reshape([B]), y) using adam(lr: 0.05)', data);
    const { say } = await trained(text, { 'rows.csv': table(100, true) });
    const said = await say(table(20, false), 'new.csv');
    expect(said).toHaveLength(20);
    expect(said[3]).toMatchObject({ file: expect.stringContaining('new.csv'), row: 4 });
    for (const [i, { said: what }] of said.entries()) {
      const y = what.y;
      expect(y?.kind).toBe('value');
      if (y?.kind === 'value') expect(Math.abs(y.numbers[0]! - (1000.5 + 300 * (i / 10 - 0.95)))).toBeLessThan(6);
    }
  });

  it('names classes, with probabilities that add up to 1; columns come in any order', async () => {
    const data = ', target: "kind") {';
    const text = block('minimize cross_entropy(features[:, 0:2] |> linear(2), kind) using adam(lr: 0.1)', data);
    const { say } = await trained(text, { 'rows.csv': table(100, true) });
    const said = await say('y,other,note,x\n1,3,hello,-0.9\n1,3,there,0.9\n', 'new.csv');
    expect(said.map(({ said: { kind } }) => kind)).toMatchObject([
      { kind: 'class', name: 'cold' },
      { kind: 'class', name: 'warm' },
    ]);
    for (const { said: what } of said) {
      if (what.kind?.kind !== 'class') throw new Error('expected a class');
      const shares = Object.values(what.kind.probabilities);
      expect(shares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 9);
      expect(what.kind.probability).toBe(Math.max(...shares));
    }
  });

  it('reads images and recordings as training did', async () => {
    const pictures = `data Digits = digits(samples: 400) {
  batch 40
}
train t on Digits {
  minimize cross_entropy(image |> flatten |> linear(128) |> relu |> linear(10), label) using adam(lr: 0.005)
  epochs 60
}
`;
    const { say } = await trained(pictures);
    const { images, labels } = drawDigits(400, 0);
    let right = 0;
    for (let i = 0; i < 10; i++) {
      const data = Uint8Array.from(images.subarray(i * 784, (i + 1) * 784), x => Math.round(255 * x));
      const [first] = await say(encodePng({ width: 28, height: 28, channels: 1, data }), 'digit.png');
      const label = first!.said.label;
      if (label?.kind === 'class' && label.name === String(labels[i])) right++;
    }
    expect(right).toBeGreaterThanOrEqual(9);
    await expect(
      say(encodePng({ width: 4, height: 4, channels: 1, data: new Uint8Array(16) }), 'small.png'),
    ).rejects.toThrow(/small\.png: expected 28 x 28 pixels as in training, found 4 x 4/);
    await expect(say('a,b\n1,2\n', 'x.csv')).rejects.toThrow(/expected a PNG or JPEG image as in training/);

    const tone = (hertz: number) =>
      encodeWav(
        Float32Array.from({ length: 64 }, (_, i) => Math.sin((i * hertz) / 8)),
        800,
      );
    const files = Object.fromEntries(
      Array.from({ length: 20 }, (_, i) => [`${i % 2 === 0 ? 'low' : 'high'}_${i}.wav`, tone(i % 2 === 0 ? 1 : 4)]),
    );
    const sound = `data Tones = audio(".", names: "{label}_{take}.wav") {
  batch 10
}
train t on Tones {
  minimize cross_entropy(audio |> linear(2), label) using adam(lr: 0.05)
  epochs 20
}
`;
    const tones = await trained(sound, files);
    expect((await tones.say(tone(4), 'new.wav'))[0]?.said.label).toMatchObject({ kind: 'class', name: 'high' });
  });

  it('reads stored arrays, of which the labels need not be there', async () => {
    const idx = (dims: readonly number[], data: Uint8Array) => {
      const header = Buffer.alloc(4 + 4 * dims.length);
      header.set([0, 0, 8, dims.length]);
      for (const [at, size] of dims.entries()) header.writeUInt32BE(size, 4 + 4 * at);
      return Buffer.concat([header, data]);
    };
    const pixels = (count: number) => Uint8Array.from({ length: 4 * count }, (_, at) => (at % 8 < 4 ? 10 : 240));
    const files = {
      'images.idx': idx([40, 2, 2], pixels(40)),
      'labels.idx': idx(
        [40],
        Uint8Array.from({ length: 40 }, (_, at) => at % 2),
      ),
    };
    const text = `data Squares = idx(images: "images.idx", labels: "labels.idx") {
  image = image |> scale(1 / 255) |> flatten
  batch 20
}
train t on Squares {
  minimize cross_entropy(image |> linear(2), label) using adam(lr: 0.1)
  epochs 40
}
`;
    const { say } = await trained(text, files);
    const said = await say(idx([3, 2, 2], pixels(3)), 'new.idx');
    expect(said.map(({ row, said: { label } }) => [row, label?.kind === 'class' && label.name])).toEqual([
      [1, '0'],
      [2, '1'],
      [3, '0'],
    ]);
    await expect(say(idx([3, 2, 3], new Uint8Array(18)), 'wide.idx')).rejects.toThrow(
      /expected a column "image" of type u8\[2, 2\]/,
    );
  });

  it('says in one sentence what is wrong with a file', async () => {
    const data = ', target: "y") {\n  kind = kind |> one_hot';
    const text = block(
      'minimize mse(concat(features, kind, axis: -1) |> linear(1) |> reshape([B]), y) using adam()',
      data,
    );
    const { say } = await trained(text.replace('epochs 60', 'epochs 1'), { 'rows.csv': table(40, true) });
    const wrong: readonly (readonly [string, string, RegExp])[] = [
      ['x,kind\n1,warm\n', 'a.csv', /expected a column "other" as in training, found x, kind/],
      ['x,other,kind\n1,2,hot\n', 'b.csv', /line 2, column "kind": expected one of cold, warm, found "hot"/],
      [
        'x,other,kind\n1,many,warm\n',
        'c.csv',
        /line 2, column "other": expected a whole number|expected a number, found "many"/,
      ],
      ['x,other,kind\n,2,warm\n', 'd.csv', /expected numbers in/],
      ['x,other,kind\n', 'e.csv', /expected rows below the header/],
    ];
    for (const [content, name, message] of wrong) await expect(say(content, name)).rejects.toThrow(message);
    expect(() => namedFile('no/such.csv')).toThrow(/no such file/);
  });

  it('has nothing to say where no loss speaks of the data', async () => {
    const text =
      'data D = moons() { batch 32 }\ntrain t on D {\n  minimize mean(abs(point |> linear(2))) using adam()\n  steps 1\n}\n';
    const { say } = await trained(text);
    await expect(say('a\n1\n', 'x.csv')).rejects.toThrow(/there is nothing to predict/);
  });
});

it('text can be drawn from any model that scores the next token, and from no other', async () => {
  const text = (loss: string) => `data Made = sequences(samples: 200, length: 8, symbols: 5) { batch 20 }
train t on Made {
  logits = tokens |> embedding(8) |> gru(16) |> linear(5)
  ${loss}
  epochs 2
}
`;
  const write = async (program: string, wishes = {}) => {
    const { model } = await trained(program);
    const backend = await wasmBackend();
    let written = '';
    try {
      for await (const piece of writeWith(model, wishes, backend)) written += piece;
    } finally {
      await backend.dispose();
    }
    return written;
  };
  const usual = text('minimize cross_entropy(logits, next) using adam()');
  const first = await write(usual, { prompt: '0 1', tokens: 12 });
  expect(first).toMatch(/^0 1( [0-4]){12}$/);
  expect(await write(usual, { prompt: '0 1', tokens: 12 })).toBe(first);
  expect(await write(usual, { prompt: '0 1', tokens: 12, seed: 9 })).not.toBe(first);
  await expect(write(text('minimize mean(logits ** 2) using adam()'))).rejects.toThrow(
    /only be drawn from a language model/,
  );
});
