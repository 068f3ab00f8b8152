/** "Did you mean": candidates close in spelling. */

const most = 3;

/** What Python's libraries call it, where that is not close in spelling. */
const elsewhere: Readonly<Record<string, readonly string[]>> = {
  // Arguments.
  dim: ['axis'],
  dims: ['axis'],
  keepdim: ['keep'],
  keepdims: ['keep'],
  kernel_size: ['kernel', 'size'],
  num_heads: ['heads'],
  nhead: ['heads'],
  num_layers: ['layers'],
  num_groups: ['groups'],
  hidden_size: ['size'],
  out_features: ['out'],
  out_channels: ['out'],
  units: ['out', 'size'],
  embedding_dim: ['dim'],
  scale_factor: ['scale'],
  p: ['rate'],
  learning_rate: ['lr'],
  label_smoothing: ['smoothing'],
  weight: ['weights'],
  betas: ['beta1'],
  // Functions, layers and losses.
  cat: ['concat'],
  where: ['select'],
  view: ['reshape'],
  permute: ['rearrange', 'transpose'],
  expand_dims: ['unsqueeze'],
  Dense: ['linear'],
  CrossEntropyLoss: ['cross_entropy'],
  NLLLoss: ['nll'],
  MSELoss: ['mse'],
  L1Loss: ['mae'],
  BCEWithLogitsLoss: ['bce'],
  BCELoss: ['bce'],
  KLDivLoss: ['kl'],
  SmoothL1Loss: ['huber'],
  MultiheadAttention: ['self_attention', 'attention'],
  // Settings.
  batch_size: ['batch'],
  num_epochs: ['epochs'],
  n_epochs: ['epochs'],
  max_steps: ['steps'],
  random_state: ['seed'],
  amp: ['precision'],
  autocast: ['precision'],
  fp16: ['mixed'],
  f16: ['mixed'],
  float16: ['mixed'],
  half: ['mixed'],
  fp32: ['float32'],
  f32: ['float32'],
  gpu: ['webgpu'],
  cuda: ['webgpu'],
  mps: ['webgpu'],
};

/** The names within a third of the word's length (at least one, at most three) edits of `name`, closest first, of equals the one that comes first in `names`; before them what other libraries mean by it. */
export function closest(name: string, names: Iterable<string>): readonly string[] {
  const limit = Math.min(3, Math.max(1, Math.floor(name.length / 3)));
  const all = new Set(names);
  const meant = Object.hasOwn(elsewhere, name) ? elsewhere[name]!.filter(other => all.has(other)) : [];
  const found: { name: string; distance: number }[] = [];
  for (const candidate of all) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase(), limit);
    if (candidate !== name && distance <= limit) found.push({ name: candidate, distance });
  }
  found.sort((a, b) => a.distance - b.distance);
  return [...new Set([...meant, ...found.map(f => f.name)])].slice(0, most);
}

/** Insertions, deletions, replacements and swaps of neighbours (optimal string alignment); stops counting beyond `limit`. */
export function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1;
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) cost = Math.min(cost, before[j - 2]! + 1);
      row.push(cost);
    }
    before = last;
    last = row;
  }
  return last[b.length]!;
}
