/** The settings of data and train blocks, one declaration each: the parser takes the words from here, completion and hover the rest. */

export interface SettingDeclaration {
  /** What it does, for hover and completion. */
  readonly doc: string;
  /** A line that uses it. */
  readonly example: string;
  /** What completion puts behind the word; `$0` is the cursor. The cursor alone where it is left out. */
  readonly form?: string;
  /** May stand several times in a block. */
  readonly several?: true;
  /** Words that it takes in place of an expression. */
  readonly words?: readonly string[];
  /** Arguments by name, with what each means. */
  readonly named?: Readonly<Record<string, string>>;
}

export const dataSettings = {
  augment: {
    doc: 'Random transforms of training samples, drawn anew each step.',
    example: 'augment { image = image |> flip }',
    form: '{\n  $0\n}',
  },
  split: {
    doc: 'Samples held out of training, fractions or numbers of samples; seeded, stratified by label.',
    example: 'split validation: 0.1, test: 0.1',
    named: { validation: 'part held out for validation', test: 'part held out for the final test' },
  },
  test: { doc: 'A data source of its own for the test split.', example: 'test csv("test.csv")' },
  batch: { doc: 'Samples a step.', example: 'batch 64' },
  sample: {
    doc: 'How samples are drawn: `balanced(label)` takes all classes equally often.',
    example: 'sample balanced(label)',
    form: 'balanced($0)',
  },
  shuffle: {
    doc: 'Whether the samples come in a new order each epoch; true unless said otherwise.',
    example: 'shuffle false',
  },
} as const satisfies Readonly<Record<string, SettingDeclaration>>;

export const trainSettings = {
  minimize: {
    doc: 'The loss and the optimiser that lowers it. With `over net` only the weights of `net` are moved.',
    example: 'minimize cross_entropy(logits, label) using adam(lr: 1e-3)',
    form: '$1 using $0',
    several: true,
  },
  report: {
    doc: 'Metrics on the training batches and on the validation and test splits.',
    example: 'report accuracy(logits, label)',
    several: true,
  },
  stop: { doc: 'When to end before the last epoch.', example: 'stop early(patience: 5, monitor: validation.loss)' },
  show: {
    doc: 'Values that the panel shows at the end of each epoch, of the first samples of the validation data and always from the same random numbers: images, sound, text, or else numbers.',
    example: 'show fake',
    several: true,
  },
  generate: {
    doc: 'Text that the panel shows at the end of each epoch, drawn token by token from the scores of the next one.',
    example: 'generate logits, prompt: "The ", tokens: 200, temperature: 0.8',
    form: '$1, prompt: "$0"',
    several: true,
    named: {
      prompt: 'text to go on from; a new line by default',
      tokens: 'how many follow; 200 by default',
      temperature:
        'divides the scores: below 1 the likely becomes likelier, 0 always takes the likeliest; 1 by default',
      top_k: 'draws from the k likeliest only; from all by default',
    },
  },
  init: {
    doc: 'Starts a layer from weights trained before: those of the newest run of that name in this workspace, or of a `.safetensors` file.',
    example: 'init encoder from "pretrain"',
    form: '$1 from "$0"',
    several: true,
  },
  freeze: { doc: 'Layers whose weights stay as they are.', example: 'freeze encoder.embedding', several: true },
  sweep: {
    doc: 'Several runs, one after the other, over all combinations of the listed numbers, or with `runs:` over that many of them, drawn by the seed; each name stands for one of its numbers in the lines below.',
    example: 'sweep rate: [0.1, 0.01], width: [64, 128]',
    form: '$1: [$0]',
    several: true,
    named: { runs: 'how many combinations to draw; all where it is left out' },
  },
  clip: {
    doc: 'Limits the gradients: their global norm, longer ones being scaled down, and with `value:` each element.',
    example: 'clip 1',
    named: { norm: 'largest global norm', value: 'largest absolute value of an element' },
  },
  accumulate: {
    doc: 'Batches whose gradients are averaged before the weights move: what a batch that many times larger would give, in the memory of one. The last batches of an epoch are not carried over.',
    example: 'accumulate 4',
  },
  average: {
    doc: 'Keeps a moving average of the weights, `decay * average + (1 - decay) * weights` after each update; evaluation, the best checkpoint and whoever reads the checkpoints use it.',
    example: 'average 0.999',
  },
  precision: {
    doc: 'What a training step keeps its numbers in. `mixed` stores the operands and results of products, and what follows from them element by element, in 16 bits, as torch.autocast does; weights, sums, norms, softmax and losses stay `float32`, and a loss scale (reported as `scale`) follows what overflows. What activations take of memory falls by up to a half; a step on the CPU, which converts them, mostly takes longer, and a GPU without `shader-f16` rounds to f16 but stores f32, which saves nothing.',
    example: 'precision mixed',
    words: ['float32', 'mixed'],
  },
  device: {
    doc: '`auto` measures and takes the faster one; or `webgpu`, `cpu`.',
    example: 'device cpu',
    words: ['auto', 'webgpu', 'cpu'],
  },
  checkpoint: {
    doc: 'Checkpoints to keep beside the last and the best: one every so many epochs, of which the newest `keep` stay (all by default).',
    example: 'checkpoint every: 5, keep: 3',
    form: 'every: $0',
    named: { every: 'epochs between two that are kept', keep: 'how many of the newest to keep' },
  },
  epochs: { doc: 'How often training goes through the data.', example: 'epochs 10' },
  steps: { doc: 'How many steps training takes, in place of `epochs`.', example: 'steps 1000' },
  seed: { doc: 'Where all random numbers of the run start: the same seed gives the same run.', example: 'seed 42' },
} as const satisfies Readonly<Record<string, SettingDeclaration>>;

export type DataSetting = keyof typeof dataSettings;
export type TrainSetting = keyof typeof trainSettings;

/** The declaration of a word in a kind of block. */
export function settingOf(block: string, word: string): SettingDeclaration | undefined {
  const table: Readonly<Record<string, SettingDeclaration>> =
    block === 'data' ? dataSettings : block === 'train' ? trainSettings : {};
  return Object.hasOwn(table, word) ? table[word] : undefined;
}
