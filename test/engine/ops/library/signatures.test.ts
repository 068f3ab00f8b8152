/** Every signature parses, and for calls of every tensor function the checker's result is what the built graph computes. */
import { describe, expect, it } from 'vitest';
import { bindGraph } from '../../../../engine/ir/bind.ts';
import { validateGraph } from '../../../../engine/ir/validate.ts';
import { library, type Place } from '../../../../engine/ops/library/library.ts';
import { typeOf } from '../../../../engine/ops/registry.ts';
import { compileSignature } from '../../../../server/lang/check/signature.ts';
import { lower } from '../../../../server/lang/lower/lower.ts';
import { parseSignature } from '../../../../server/lang/syntax/parse.ts';
import { fixture } from '../../../support/fixture.ts';
import { defaultsOf } from '../../../support/macros.ts';

const all = (Object.keys(library) as Place[]).flatMap(place =>
  Object.values(library[place]).map(fn => ({ place, fn })),
);

describe('signatures', () => {
  it.each(all.map(({ place, fn }) => [`${place} ${fn.name}`, fn] as const))('%s', (_, fn) => {
    const problems: string[] = [];
    const compiled = compileSignature(parseSignature(fn.signature), {
      label: fn.signature,
      problem: (_span, what, text) => problems.push(`${what} ${text}`),
    });
    expect(problems).toEqual([]);
    expect(compiled.name).toBe(fn.name);
    for (const p of compiled.parameters) expect(p.type.kind, p.name).not.toBe('error');
    const defaulted = compiled.parameters.filter(p => p.fallback !== undefined).map(p => p.name);
    expect(Object.keys(defaultsOf(fn.signature)).toSorted()).toEqual(defaulted.toSorted());
    expect(fn.doc).toMatch(/\.$/);
  });
});

/** What an expression over x: [B, 4, 8, 6], y: [B, 4, 8, 6] and rows: [B, 5, 12] becomes. */
const calls: Readonly<Record<string, string>> = {
  'x |> flatten': '[B, 192]',
  'x |> reshape([B, 8, 24])': '[B, 8, 24]',
  'x |> transpose': '[B, 4, 6, 8]',
  'x |> transpose(1, 2)': '[B, 8, 4, 6]',
  'x |> rearrange("b c (h s) w -> b (h w) (c s)", s: 2)': '[B, 24, 8]',
  'rows |> rearrange("... (h d) -> h ... d", h: 3)': '[3, B, 5, 4]',
  'einsum("b c h w, b c h v -> b w v", x, y)': '[B, 6, 6]',
  'einsum("b c h w, b t d -> t c", x, rows)': '[5, 4]',
  'x |> einsum("b c h w -> w b")': '[6, B]',
  'concat(x, x[:, :1], axis: 1)': '[B, 5, 8, 6]',
  'concat(x, y, axis: 1)': '[B, 8, 8, 6]',
  'x |> mean(axis: 2)': '[B, 4, 6]',
  'x |> sum(axis: -1, keep: true)': '[B, 4, 8, 1]',
  'x |> max(axis: 1)': '[B, 8, 6]',
  'x |> log1p |> prod(axis: 2) |> expm1': '[B, 4, 6]',
  'x |> prod(keep: true)': '[B, 4, 8, 1]',
  'x |> pixel_unshuffle(2)': '[B, 16, 4, 3]',
  'x |> pixel_shuffle(2)': '[B, 1, 16, 12]',
  'x |> conv2d(7, kernel: 3)': '[B, 7, 6, 4]',
  'x |> conv2d(7, kernel: 3, stride: 2, padding: 1)': '[B, 7, 4, 3]',
  'x |> conv2d(6, kernel: [3, 1], stride: [2, 1], dilation: [1, 2], groups: 2)': '[B, 6, 3, 6]',
  'x |> conv2d(6, kernel: 4, padding: "same")': '[B, 6, 8, 6]',
  'x |> conv_transpose2d(2, kernel: 4, stride: 2, padding: 1)': '[B, 2, 16, 12]',
  'rows |> conv1d(3, kernel: 3)': '[B, 3, 10]',
  'rows |> conv_transpose1d(3, kernel: 3, stride: 2)': '[B, 3, 25]',
  'rows |> max_pool1d(3, stride: 2, padding: 1)': '[B, 5, 6]',
  'rows |> avg_pool1d(3)': '[B, 5, 4]',
  'x |> adaptive_avg_pool2d([2, 3])': '[B, 4, 2, 3]',
  'x |> adaptive_max_pool2d([5, 1])': '[B, 4, 5, 1]',
  'rows |> adaptive_avg_pool1d(7)': '[B, 5, 7]',
  'rows |> adaptive_max_pool1d(4)': '[B, 5, 4]',
  'x |> l2_normalize': '[B, 4, 8, 6]',
  'x |> threshold(0.1, value: -1)': '[B, 4, 8, 6]',
  'x |> softplus(beta: 2)': '[B, 4, 8, 6]',
  'focal(x, y)': '[]',
  'gaussian_nll(x, y |> softplus, y)': '[]',
  'margin_ranking(x, y, 1)': '[]',
  'x |> global_avg_pool': '[B, 4]',
  'rows |> global_max_pool': '[B, 5]',
  'x |> upsample(3, bilinear: true)': '[B, 4, 24, 18]',
  'concat(x, x |> conv2d(2, kernel: 1), axis: 1)': '[B, 6, 8, 6]',
  'x |> max_pool2d(2)': '[B, 4, 4, 3]',
  'x |> max_pool2d(3, stride: 2)': '[B, 4, 3, 2]',
  'x |> avg_pool2d(2)': '[B, 4, 4, 3]',
  'x |> batch_norm': '[B, 4, 8, 6]',
  'x |> linear(9)': '[B, 4, 8, 9]',
  'concat(x, y, x[:, :1], axis: 1)': '[B, 9, 8, 6]',
  'stack(x, y, x, axis: 1)': '[B, 3, 4, 8, 6]',
  'x |> unsqueeze(1) |> squeeze(1)': '[B, 4, 8, 6]',
  'select(rows > 0, rows, 0)': '[B, 5, 12]',
  'select(rows[:, :1] > 0, rows, 1)': '[B, 5, 12]',
  'maximum(x, y) + minimum(x, y[:, :, :1])': '[B, 4, 8, 6]',
  'x |> take(argmax(rows), axis: 2)': '[B, 4, B, 5, 6]',
  'rows |> gather(argmax(stack(rows, rows, axis: 2), axis: 2))': '[B, 5, 12]',
  'rows |> scatter_add(argmax(rows), rows: 7)': '[7, 12]',
  'arange(5) |> embedding(12)': '[5, 12]',
  'x |> flip(axis: 1) |> roll(-3) |> cumsum(axis: 2) |> sort(axis: 1)': '[B, 4, 8, 6]',
  'x |> largest(3, axis: 2)': '[B, 4, 3, 6]',
  'x |> pad(before: 2, after: 1, axis: 2)': '[B, 4, 11, 6]',
  'x |> tril |> triu(diagonal: 1)': '[B, 4, 8, 6]',
  'x |> logsumexp(axis: 1)': '[B, 8, 6]',
  '(x |> variance(axis: 1)) + (x |> std(axis: 1)) + (x |> norm(axis: 1))': '[B, 8, 6]',
  'cosine_similarity(rows, rows)': '[B, 5]',
  'rows |> glu': '[B, 5, 6]',
  'x |> prelu(channels: true) |> softshrink(lambda: 0.1)': '[B, 4, 8, 6]',
  'x |> group_norm(2) |> instance_norm': '[B, 4, 8, 6]',
  'x + soft_cross_entropy(rows, rows |> softmax) + cosine(rows, rows)': '[B, 4, 8, 6]',
  'x + mse(rows, 0, where: rows > 0) + triplet(rows, 2 * rows, 3 * rows)': '[B, 4, 8, 6]',
  'rows |> argmax |> embedding(3)': '[B, 5, 3]',
  'x + ctc(rows, argmax(rows[:, :2]), input_length: argmax(rows[:, 0]))': '[B, 4, 8, 6]',
  'rows |> layer_norm': '[B, 5, 12]',
  'rows |> rms_norm': '[B, 5, 12]',
  'rows |> self_attention(heads: 3, causal: true)': '[B, 5, 12]',
  'rows |> self_attention(heads: 3, mask: rows[..., 0] > 0)': '[B, 5, 12]',
  'rows |> cross_attention(rows[:, :2], heads: 3, mask: rows[:, :2, 0] > 0)': '[B, 5, 12]',
  'attention(rows[:, :2], rows, rows[..., :7])': '[B, 2, 7]',
  'x |> rotary': '[B, 4, 8, 6]',
  'rows + sinusoidal_positions(5, 12)': '[B, 5, 12]',
  'rows |> lstm(7, layers: 2, bidirectional: true)': '[B, 5, 14]',
  'rows |> gru(7, state: rows[:, 0, :7])': '[B, 5, 7]',
  'rows |> lstm(7)': '[B, 5, 7]',
  'rows |> gru(7)': '[B, 5, 7]',
  'rows |> rnn(7)': '[B, 5, 7]',
  'rows + positions(5, 12)': '[B, 5, 12]',
  'rows |> softmax(axis: 1) |> dropout(0.1) |> clamp(min: 0)': '[B, 5, 12]',
  'rows |> lstm(7, bidirectional: true, states: true)': '([B, 5, 14], [B, 14], [B, 14])',
  'rows |> gru(7, states: true)': '([B, 5, 7], [B, 7])',
  'x |> chunk(2, axis: 1)': '([B, 2, 8, 6], [B, 2, 8, 6])',
  'rows |> split([3, 2, 7])': '([B, 5, 3], [B, 5, 2], [B, 5, 7])',
  'x |> top_k(3, axis: 2)': '([B, 4, 3, 6], index(8)[B, 4, 3, 6])',
  'normal([B, 3]) + (x |> flatten |> linear(3))': '[B, 3]',
  'sum(rows > 0, 1) - mean(rows > 0, 1)': '[B, 12]',
  'rows |> gru(7, state: zeros([B, 7]) - ones([B, 7]))': '[B, 5, 7]',
};

/** `out`, and names for the further results. */
const names = (result: string) => ['out', '_b', '_c'].slice(0, result.split('[').length - 1).join(', ');

describe('results', () => {
  it.each(Object.entries(calls))('%s is %s', (expression, result) => {
    const { analysis } = fixture(
      `model M(x: [B, 4, 8, 6], y: [B, 4, 8, 6], rows: [B, 5, 12]) -> ${result} {\n  ${expression}\n}
data D = digits(samples: 100) {
  image = image |> scale(1 / 255) |> flatten
  batch 16
}
train t on D {
  a = image |> linear(192) |> reshape([B, 4, 8, 6])
  ${names(result)} = M()(a, a, image |> linear(60) |> reshape([B, 5, 12]))
  minimize mse(out, 0) using sgd(lr: 0.1)
  epochs 1
}
`,
    );
    const lowered = lower(analysis);
    if (lowered.kind !== 'program') throw new Error(JSON.stringify(lowered));
    for (const graph of [lowered.program.train, lowered.program.evaluate])
      validateGraph(bindGraph(graph, { B: 3 }), typeOf, 'lowering');
  });
});
