/** Exported models: readable modules with the weights' names, which compute the same as here where PyTorch is there to ask. */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { wasmBackend } from '../../../engine/backend/wasm/index.ts';
import type { Program } from '../../../engine/ir/program.ts';
import { readCheckpoint, writeCheckpoint } from '../../../engine/train/checkpoint.ts';
import { initialParameters } from '../../../engine/train/initialize.ts';
import { layOut } from '../../../engine/train/layout.ts';
import { workloads } from '../../../server/cli/workloads.ts';
import { writePytorch } from '../../../server/export/pytorch.ts';
import { rules } from '../../../server/export/rules.ts';
import { createRun } from '../../../server/runs/store.ts';
import { checkpointPaths, programOf, trainSource, workspaceOf } from '../../support/source.ts';

/** A python that has torch: the one that `STRATA_BENCH_PYTHON` names, or the system's. */
const python = [process.env.STRATA_BENCH_PYTHON, 'python3'].find(
  path => path !== undefined && spawnSync(path, ['-c', 'import torch']).status === 0,
);
if (python === undefined) console.log('skipped: exported models are not run, no python here has torch');

/** Exports a model after a few steps, or with its first weights; the folder. */
async function exported(text: string, trained = true): Promise<string> {
  const workspace = workspaceOf({});
  const program = await programOf(text, workspace);
  const identity = createRun({ program, text, source: 'main.strata', request: { workspace } });
  const path = join(identity.folder, checkpointPaths.last);
  if (trained) {
    const { done } = await trainSource(program, workspace, { folder: identity.folder });
    expect(done.error).toBeUndefined();
  } else await writeFirstWeights(program, path);
  const folder = join(workspace, 'out');
  const backend = await wasmBackend();
  try {
    await writePytorch(identity, { program, checkpoint: await readCheckpoint(path), path }, folder, backend);
  } finally {
    await backend.dispose();
  }
  return folder;
}

/** A checkpoint as a run writes it before its first step: large models need not be trained here. */
async function writeFirstWeights(program: Program, path: string): Promise<void> {
  const counts = { train: program.data.batch, validation: 0, test: 0 };
  const layout = layOut(program, counts);
  const names = program.parameters.map(({ name }) => name);
  const moments = layout.moments.map(({ buffer, group }) => [buffer, new Float32Array(group.length)] as const);
  const buffers = { ...initialParameters(layout, names, 1), ...Object.fromEntries(moments) };
  const patience = { best: null, stale: 0 };
  const start = { step: 0, seed: 1, backend: 'wasm', counts, closedAt: 0, sums: [], summed: 0, metrics: {} };
  await writeCheckpoint(path, layout, { ...start, patience, best: patience }, { step: 0, buffers }, {});
}

/** Every function of the table, in models small enough to train in an instant; x is [B, 28, 28]. */
const digits = (model: string, call: string) => `${model}
data Digits = digits(samples: 64) { batch 32 }
train t on Digits {
  net = Net()
  minimize cross_entropy(net(${call}), label) using adam()
  steps 3
}
`;
const weighted = (calls: readonly string[]) => calls.map((call, at) => `${(10 + at) / 200} * ${call}`).join(' + ');
const pointwise = [
  'relu relu6 leaky_relu elu selu gelu silu sigmoid tanh log_sigmoid softplus softsign threshold ceil mish hardtanh tanhshrink softshrink',
  'hardshrink celu hard_sigmoid hard_swish softmax softmin log_softmax exp abs sign sin cos erf floor round square detach',
  'cumsum sort flip tril triu',
].flatMap(line => line.split(' '));
const called = [
  'gelu(x, tanh: true)',
  'leaky_relu(x, 0.2)',
  'pow(x, 2)',
  'clamp(x, min: -0.5)',
  'log(exp(x))',
  'sqrt(square(x) + 1)',
  'rsqrt(square(x) + 1) + tan(x)',
  'softplus(x, beta: 2)',
  'l2_normalize(x)',
  'log1p(exp(x)) + expm1(x)',
  'prod(x, axis: 1, keep: true)',
  'roll(x, 2)',
  'transpose(x)',
  'maximum(x, 0.1 * x)',
  'minimum(x, 0.1 * x)',
  'select(x > 0, x, 2 * x)',
  'select(x > 0, 1, 0)',
  'concat(x[:, :, 0:14], x[..., 14:])',
  'squeeze(unsqueeze(x, 1), 1)',
  'mean(stack(x, x, axis: 0), axis: 0)',
  'sum(x, axis: 1, keep: true)',
  'max(x, axis: -1, keep: true)',
  'min(x, axis: -1, keep: true)',
  'std(x, axis: 1, keep: true)',
  'variance(x, axis: 1, keep: true)',
  'norm(x, axis: 1, keep: true)',
  'concat(glu(x), glu(x))',
  'concat(largest(x, 14), largest(x, 14))',
  'gather(x, one_hot(argmax(x)) |> argmax |> unsqueeze)',
  'gather(x, argmin(x) |> unsqueeze)',
  'unsqueeze(cosine_similarity(x, x + 1))',
  'rotary(x)',
  'sinusoidal_positions(28, 28)',
  'attention(x, x, x, causal: true)',
  '(x % 0.3)',
  '-x',
  'arange(28) / 28',
  'dropout(x)',
];
const programs: Readonly<Record<string, string>> = {
  pointwise: digits(
    `model Net(x: [B, 28, 28]) -> [B, 10] {\n  y = ${weighted(pointwise.map(name => `${name}(x)`))}\n  y |> flatten |> linear(10)\n}`,
    'image - 0.5',
  ),
  functions: digits(
    `model Net(x: [B, 28, 28]) -> [B, 10] {\n  y = ${weighted(called)}\n  y |> flatten |> linear(10)\n}`,
    'image - 0.5',
  ),
  images: digits(
    `model Net(x: [B, 1, 28, 28]) -> [B, 10] {
  y = x |> conv2d(4, kernel: [3, 5], stride: 2, padding: 1) |> batch_norm |> prelu(channels: true) |> group_norm(2) |> upsample(2)
  z = y |> max_pool2d(2) |> conv_transpose2d(4, kernel: 3, stride: 2) |> instance_norm(affine: true) |> avg_pool2d(2) |> upsample(2, bilinear: true) |> pixel_unshuffle(2) |> pixel_shuffle(2)
  w = z |> reshape([B, 4, -1]) |> conv1d(3, kernel: 3, dilation: 2) |> max_pool1d(2) |> conv_transpose1d(2, kernel: 2) |> avg_pool1d(2)
  v = concat(adaptive_avg_pool1d(w, 5), adaptive_max_pool1d(w, 4)) |> flatten
  concat(y |> global_avg_pool, z |> global_max_pool, w |> flatten |> linear(4), z |> adaptive_avg_pool2d(2) |> flatten, z |> adaptive_max_pool2d([3, 2]) |> flatten, v) |> linear(10)
}`,
    'reshape(image, [B, 1, 28, 28])',
  ),
  sequences: digits(
    `model Parts(x: [B, T, D]) -> ([B, T, D], [B, D]) {
  y = x + (x |> layer_norm |> cross_attention(x, heads: 4) |> rms_norm)
  (y, y[:, -1])
}
model Net(x: [B, 28, 28]) -> [B, 10] {
  y, last = Parts(x)
  repeat 2 { y = y |> self_attention(heads: 2, causal: true) }
  s = y |> gru(8, bidirectional: true, layers: 2)
  r = x |> rnn(6)
  concat(s[:, 0], r[:, -1], last, lstm(x, 5, state: last[:, 0:5], cell: last[:, 5:10])[:, 3]) |> linear(10)
}`,
    'image',
  ),
  several: digits(
    `model Net(x: [B, 28, 28]) -> [B, 10] {
  a, b = x |> chunk(2)
  c, d = x |> split([10, 18])
  best, _places = x |> top_k(3)
  out, state, cell = a + b |> lstm(6, states: true)
  _both, ends = d |> gru(5, bidirectional: true, layers: 2, states: true)
  again = out |> lstm(6, state: state, cell: cell)
  concat(again[:, -1], ends, state, cell, c |> flatten, best |> flatten) |> linear(10)
}`,
    'image',
  ),
};

describe('export', () => {
  it('covers the whole table with the programs of this test', () => {
    const text = Object.values({ ...programs, ...workloads }).join('\n');
    expect(Object.keys(rules).filter(name => !new RegExp(`\\b${name}\\b`).test(text))).toEqual([]);
  });

  it('names modules as the weights are named, and reads like a person wrote it', async () => {
    const folder = await exported(
      `model Block(x: [B, D]) -> [B, D] {
  x + (x |> linear(D) |> relu)
}
model Net(x: [B, 784], size: int = 8) -> [B, 10] {
  fc = linear(size)
  h = x |> fc |> tanh
  repeat 2 { h = h |> Block }
  head = linear(10)
  head(h) / sqrt(size)
}
data Digits = digits(samples: 64) {
  image = image |> flatten
  batch 32
}
train digits on Digits {
  net    = Net()
  logits = net(image)
  minimize cross_entropy(logits, label) using adam()
  steps 1
}
`,
    );
    const text = readFileSync(join(folder, 'model.py'), 'utf8');
    expect(text.slice(text.indexOf('class Block'))).toBe(`class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear_1 = nn.Linear(8, 8)

    def forward(self, x):
        return x + F.relu(self.linear_1(x))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(784, 8)
        self.repeat_1 = nn.ModuleList([nn.ModuleDict({"Block_1": Block()}), nn.ModuleDict({"Block_1": Block()})])
        self.head = nn.Linear(8, 10)

    def forward(self, x):
        h = torch.tanh(self.fc(x))
        h_2 = self.repeat_1[0]["Block_1"](h)
        h_3 = self.repeat_1[1]["Block_1"](h_2)
        return self.head(h_3) / 2.8284271247461903


class Digits(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = Net()

    def forward(self, image):
        return self.net(image)
`);
  });

  it('fills tensors with numbers as large as an input of the model', async () => {
    const model = 'model Net(x: [B, 784]) -> [B, 10] {\n  select(x > 0, 1, 0) |> linear(10)\n}';
    const text = readFileSync(join(await exported(digits(model, 'image |> flatten')), 'model.py'), 'utf8');
    expect(text).toContain(
      'torch.where(x > 0, torch.full((x.shape[0], 784), 1.0), torch.full((x.shape[0], 784), 0.0))',
    );
    const twice =
      'model Net(x: [B, 784]) -> [B, 10] {\n  y = reshape(x, [2 * B, 392])\n  select(y > 0, 1, 0) |> reshape([B, 784]) |> linear(10)\n}';
    await expect(exported(digits(twice, 'image |> flatten'))).rejects.toThrow(
      'expected sizes that an input of the model has, found a tensor of the size 2 * B, full of a number; leave it out of the model to export it',
    );
  });

  it('says in one sentence what it can not write down', async () => {
    const with_ = (stage: string) =>
      digits(`model Net(x: [B, 784]) -> [B, 10] {\n  x |> ${stage} |> linear(10)\n}`, 'image |> flatten');
    await expect(exported(with_('rearrange("b (h w) -> b (w h)", h: 28)'))).rejects.toThrow(
      'expected a function that the export knows in PyTorch, found rearrange; leave it out of the model to export it',
    );
    const noise = 'model Net(x: [B, 784]) -> [B, 10] {\n  linear(x + normal([B, 784]), 10)\n}';
    await expect(exported(digits(noise, 'image |> flatten'))).rejects.toThrow(/found normal;/);
    const loop = `model Net(x: [B, 28, 28]) -> [B, 10] {
  hs = scan t in x from h = (x[:, 0] |> linear(4)) { tanh((t |> linear(4)) + h) }
  hs[:, -1] |> linear(10)
}`;
    await expect(exported(digits(loop, 'image'))).rejects.toThrow(/found scan;/);
    const named = 'model Net(x: [B, 784]) -> [B, 10] {\n  train = linear(10)\n  x |> train\n}';
    await expect(exported(digits(named, 'image |> flatten'))).rejects.toThrow(/found a layer called train;/);
  });

  it.skipIf(python === undefined)('computes in PyTorch what it computes here', { timeout: 240_000 }, async () => {
    const folders: string[] = [];
    for (const text of Object.values(programs)) folders.push(await exported(text));
    for (const name of ['simplenet', 'lenet', 'charlstm', 'gpt-tiny'])
      folders.push(await exported(workloads[name]!, false));
    const driver = join(workspaceOf({}), 'driver.py');
    writeFileSync(
      driver,
      'import runpy, sys\nfor path in sys.argv[1:]:\n    sys.modules.pop("model", None)\n    sys.path[:] = [p for p in sys.path if not p.endswith("/out")]\n    runpy.run_path(path + "/run.py", run_name="__main__")\n',
    );
    const { status, stdout, stderr } = spawnSync(python!, [driver, ...folders], { encoding: 'utf8' });
    expect(stderr.trim().split('\n').at(-1)).toBe('');
    expect(status).toBe(0);
    expect(stdout.trim().split('\n')).toHaveLength(folders.length);
  });
});
