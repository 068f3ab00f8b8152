/** Sound programs whose mistakes are marked: `⟦text¦wrong text¦kind⟧`, of which each alternative is one mutant. */

/** The program without its marks, and what each of them would put instead. */
export interface Marked {
  readonly text: string;
  readonly mutations: readonly Replacement[];
}

export interface Replacement {
  readonly kind: string;
  readonly start: number;
  readonly end: number;
  readonly by: string;
}

/** `⟦10¦11¦12¦layer size⟧`: 10 is right, 11 and 12 are mutants of the kind named last. */
export function unmark(marked: string): Marked {
  const mutations: Replacement[] = [];
  let text = '';
  let from = 0;
  for (const m of marked.matchAll(/⟦([^⟧]*)⟧/g)) {
    text += marked.slice(from, m.index);
    const parts = m[1]!.split('¦');
    const right = parts[0]!;
    const kind = parts.at(-1)!;
    for (const by of parts.slice(1, -1))
      mutations.push({ kind, start: text.length, end: text.length + right.length, by });
    text += right;
    from = m.index + m[0].length;
  }
  return { text: text + marked.slice(from), mutations };
}

const digits = `data Digits = digits(samples: 2000) {
  image = image⟦ |> flatten¦¦flatten forgotten⟧
  split validation: ⟦0.1¦1.5¦-0.1¦split out of range⟧, test: 0.1
  batch ⟦64¦20000¦batch too large⟧
}
`;

const finish = `  report   accuracy(logits, ⟦label¦image¦image for a label⟧)
  stop     early(patience: ⟦5¦"5"¦wrong kind of argument⟧, monitor: validation.⟦loss¦accurcy¦misspelt metric⟧)
  epochs   ⟦10¦"ten"¦wrong kind of argument⟧
  seed     42
}
`;

const mlp = `model Mlp(x: [B, ⟦784¦785¦28¦declared size⟧], width: int = ⟦64¦2.5¦"64"¦true¦wrong kind of argument⟧) -> [B, ⟦10¦11¦1¦declared result⟧] {
  fc1 = linear(width)
  fc2 = linear(⟦10¦12¦100¦layer size⟧⟦¦, true, 3¦extra argument⟧)
  x |> ⟦fc1¦fc2¦layer reused on another size⟧ |> ⟦relu¦rellu¦misspelt⟧ |> dropout(⟦0.2¦1.2¦-0.1¦rate out of range⟧) |> fc2
}

${digits}
train mlp on Digits {
  net    = Mlp(⟦width: 32¦widht: 32¦misspelt argument⟧)
  logits = net(⟦image¦label¦label for an image⟧)⟦¦ |> softmax¦softmax before cross_entropy⟧
  minimize cross_entropy(⟦logits, label¦label, logits¦swapped arguments⟧) using sgd(lr: ⟦0.1¦"0.1"¦adam()¦wrong kind of argument⟧, momentum: 0.9)
${finish}`;

const regression = `model Fit(x: [B, ⟦2¦3¦declared size⟧]) -> [B, 1] {
  x |> linear(32) |> tanh |> linear(⟦1¦2¦layer size⟧)
}

data Points = moons(samples: 500) {
  split validation: ⟦0.2¦2.5¦-1¦split out of range⟧⟦¦, test: 0.9¦split out of range⟧
  batch ⟦32¦4000¦batch too large⟧
}

train fit on Points {
  net = Fit()
  norm = point |> sum(-1)
  side = net(point)⟦[:, 0]¦¦a target that broadcasts⟧
  minimize mse(side, ⟦norm¦point¦wrong loss target⟧) using ⟦adam(lr: 0.01)¦relu¦0.01¦wrong kind of argument⟧
  epochs 5
}

train classes on Points {
  logits = point |> linear(⟦2¦3¦1¦logits against classes⟧)
  minimize cross_entropy(logits, ⟦label¦logits¦point¦wrong loss target⟧) using adam(lr: cosine(0.1, ⟦steps¦step¦misspelt argument⟧: 100))
  epochs 5
}
`;

const convolution = `model LeNet(x: [B, ⟦1¦3¦grey or RGB⟧, 28, 28]) -> [B, ⟦10¦12¦declared result⟧] {
  conv1 = conv2d(8, kernel: ⟦3¦30¦kernel larger than the image⟧)
  conv2 = conv2d(16, kernel: ⟦3¦14¦kernel larger than the image⟧)
  fc    = linear(⟦10¦9¦layer size⟧)
  x |> conv1 |> relu |> max_pool2d(⟦2¦¦missing argument⟧)
    |> ⟦conv2¦conv1¦layer reused on another size⟧ |> relu |> max_pool2d(2)
    |> ⟦flatten |> ¦¦flatten forgotten⟧fc
}

model Residual(x: [B, C, H, W]) -> [B, C, H, W] {
  y = x |> conv2d(⟦C¦2 * C¦8¦residual mismatch⟧, kernel: ⟦3¦5¦residual mismatch⟧, padding: ⟦1¦0¦2¦residual mismatch⟧) |> batch_norm |> relu
  x + y
}

model Branches(x: [B, 1, 28, 28]) -> [B, 10] {
  a = x |> conv2d(4, kernel: ⟦3¦5¦concat mismatch⟧, padding: ⟦1¦2¦concat mismatch⟧)
  b = x |> conv2d(4, kernel: 5, padding: 2) |> Residual
  concat(a, b, axis: ⟦1¦7¦axis out of range⟧) |> flatten |> linear(10)
}

data Digits = digits(samples: 1000) {
  image = image |> reshape([⟦1¦3¦grey or RGB⟧, 28, ⟦28¦27¦reshape to another size⟧])
  split validation: 0.1
  batch 64
}

train lenet on Digits {
  net    = LeNet()
  other  = image |> Branches
  logits = net(⟦image¦image |> flatten¦wrong rank⟧)
  minimize cross_entropy(logits ⟦+ other¦+ image¦residual mismatch⟧, label) using adam(lr: 0.001)
  epochs 3
}
`;

const attention = `model Block(x: [B, T, D], heads: int, rate: float = 0.1) -> [B, T, D] {
  x = x + (x |> layer_norm |> self_attention(⟦heads: heads¦¦missing argument⟧, causal: ⟦true¦1¦wrong kind of argument⟧) |> dropout(rate))
  x + (x |> layer_norm |> linear(4 * D) |> gelu |> linear(⟦D¦D + 1¦2 * D¦residual mismatch⟧) |> dropout(rate))
}

model Gpt(tokens: index(V)[B, T], dim: int = 32, depth: int = 2) -> [B, T, ⟦V¦V + 1¦T¦declared result⟧] {
  x = embedding(tokens, dim) + positions(⟦T¦T + 1¦residual mismatch⟧, ⟦dim¦2 * dim¦residual mismatch⟧)
  repeat ⟦depth¦rate¦wrong kind of argument⟧ { x = x |> Block(heads: ⟦4¦5¦7¦heads that do not divide⟧) }
  x |> layer_norm |> linear(⟦V¦dim¦layer size⟧)
}

data Rhymes = sequences(length: 16, symbols: ⟦16¦"16"¦wrong kind of argument⟧) {
  split validation: 0.1
  batch 16
}

train gpt on Rhymes {
  net    = Gpt(dim: 32⟦¦, dept: 2¦misspelt argument⟧)
  logits = net(⟦tokens¦tokens |> one_hot¦scores for indices⟧)
  minimize cross_entropy(logits, ⟦next¦next |> one_hot¦wrong loss target⟧) using adamw(lr: linear_warmup(0.003⟦, steps: 20¦¦missing argument⟧))
  report   accuracy(⟦logits, next¦next, logits¦swapped arguments⟧), perplexity(logits, next)
  clip     1
  epochs   2
}
`;

const heads = `const width = ⟦64¦62¦66¦heads that do not divide⟧

model Net(x: [B, 16, 8]) -> [B, 16, width] {
  h = x |> linear(width) |> self_attention(heads: ⟦8¦6¦heads that do not divide⟧)
  h |> self_attention(heads: ⟦4¦12¦heads that do not divide⟧)
}
`;

const recurrent = `model Reader(tokens: index(V)[B, T], size: int = 24) -> [B, ⟦V¦T¦declared result⟧] {
  e  = tokens |> embedding(⟦16¦"16"¦1.5¦wrong kind of argument⟧)
  hs = e ⟦¦|> transpose(0, 1) ¦time and batch confused⟧|> ⟦lstm¦lstmm¦misspelt⟧(size)
  hs⟦[:, -1]¦¦[-1]¦time and batch confused⟧ |> linear(V)
}

model Cell(x: [B, T, D], size: int = 12) -> [B, size] {
  hs = scan t in ⟦x¦x |> transpose(0, 1)¦time and batch confused⟧ from h = (x[:, ⟦0¦:¦time and batch confused⟧] |> linear(size)) {
    h = tanh((t |> linear(size)) + (h |> linear(⟦size¦size + 1¦D¦state of another size⟧)))
    h
  }
  hs[:, -1]
}

data Rhymes = sequences(length: 12) {
  batch 16
}

train reader on Rhymes {
  net    = Reader()
  logits = net(⟦tokens¦tokens |> transpose¦time and batch confused⟧)
  minimize cross_entropy(logits, next⟦[:, -1]¦¦[0]¦wrong loss target⟧) using rmsprop(lr: exponential_decay(0.01, ⟦gamma¦gama¦misspelt argument⟧: 0.9))
  epochs 2
}
`.replace('⟦tokens¦tokens |> transpose¦time and batch confused⟧', 'tokens');

const words = `data Digits = digits(samples: 500) {
  image = image |> flatten
}

model Colour(c: index(⟦10¦8¦12¦embedding range⟧)[B], x: [B, 784]) -> [B, 4] {
  (c |> embedding(⟦4¦5¦residual mismatch⟧)) + (x |> linear(⟦4¦6¦residual mismatch⟧))
}

train colour on Digits {
  net = Colour()
  y = net(⟦label, image¦image, label¦swapped arguments⟧)
  z = ⟦label¦image¦scores for indices⟧ |> embedding(⟦4¦3¦wrong loss target⟧)
  minimize mse(y, z) using adam()
  epochs 1
}
`;

const adversarial = `model Generator(z: [B, ⟦64¦32¦generator and discriminator⟧]) -> [B, ⟦784¦780¦generator and discriminator⟧] {
  z |> linear(128) |> relu |> linear(⟦784¦768¦generator and discriminator⟧) |> tanh
}

model Discriminator(x: [B, ⟦784¦796¦generator and discriminator⟧]) -> [B, 1] {
  x |> linear(128) |> leaky_relu(0.2) |> linear(⟦1¦2¦layer size⟧)
}

data Digits = digits() {
  image = image |> standardize(mean: 0.5, ⟦std: 0.5¦¦missing argument⟧) |> flatten
  batch 64
}

train gan on Digits {
  g    = Generator()
  d    = Discriminator()
  fake = normal([B, ⟦64¦63¦generator and discriminator⟧]) |> ⟦g¦d¦generator and discriminator⟧
  minimize bce(d(⟦image¦label¦label for an image⟧), 1) + bce(fake |> detach |> d, 0) over ⟦d¦dd¦misspelt⟧ using adam(lr: 2e-4, beta1: 0.5)
  minimize bce(d(fake), 1) over ⟦g¦fake¦wrong kind of argument⟧ using adam(lr: 2e-4, beta1: 0.5)
  epochs   20
}
`;

const critics = `model Generator(z: [B, 32]) -> [B, 784] {
  z |> linear(64) |> relu |> linear(784)
}

model Critic(x: [B, 784]) -> [B, 1] {
  x |> linear(64) |> relu |> linear(1)
}

data Digits = digits() {
  image = image |> flatten
  batch 64
}

train wasserstein on Digits {
  g    = Generator()
  d    = Critic()
  fake = normal([B, 32]) |> g
  minimize mean(d(fake)) - mean(d(image))⟦ over d¦¦ over g¦ over d, g¦opposing losses⟧ using rmsprop(lr: 5e-5)
  minimize -mean(d(fake⟦¦ |> detach¦misplaced detach⟧))⟦ over g¦¦ over d¦opposing losses⟧ using rmsprop(lr: 5e-5)
  epochs 20
}

train squares on Digits {
  g    = Generator()
  d    = Critic()
  fake = normal([B, 32]) |> g
  real = mse(d(image), 1)
  minimize real + mse(fake⟦ |> detach¦¦detach forgotten⟧ |> d, 0) using adam(lr: 2e-4)
  minimize mse(⟦d(fake)¦d(fake) |> detach¦d(image)¦misplaced detach⟧, 1) over ⟦g¦d¦opposing losses⟧ using adam(lr: 2e-4)
  epochs 20
}
`;

const normed = `model Net(x: [B, D], width: int = 16) -> [B, 2] {
  x |> linear(width) |> batch_norm |> relu |> linear(2)
}

data Points = moons(samples: 500) {
  split validation: 0.2
  batch ⟦32¦57¦133¦1¦batch of one⟧
}

train smooth on Points {
  net = Net()
  logits = net(point)
  minimize cross_entropy(logits, label) using adam(lr: 0.01)
  epochs 5
}
`;

const variational = `model Encoder(x: [B, 784], code: int = 16) -> ([B, code], [B, ⟦code¦2¦declared result⟧]) {
  h = x |> linear(128) |> relu
  (h |> linear(⟦code¦code + 1¦layer size⟧), h |> linear(code))
}

model Decoder(z: [B, code]) -> [B, 784] {
  z |> linear(128) |> relu |> linear(⟦784¦785¦layer size⟧)
}

data Digits = digits() {
  image = image⟦ |> flatten¦¦flatten forgotten⟧
  augment { image = ⟦image¦image |> one_hot¦scores for indices⟧ |> noise(0.1) }
  batch 64
}

train vae on Digits {
  encoder = Encoder()
  decoder = Decoder()
  center, spread = encoder(⟦image¦label¦label for an image⟧)
  z      = center + exp(spread / 2) * normal([B, ⟦16¦15¦residual mismatch⟧])
  pixels = bce(decoder(⟦z¦image¦generator and discriminator⟧), ⟦image¦label¦wrong loss target⟧)
  prior  = -0.5 * mean(sum(1 + spread - center ** 2 - exp(spread), ⟦-1¦5¦axis out of range⟧))
  minimize pixels + prior using adam(lr: 0.001)
  epochs   5
}
`;

const table = `model Score(x: [B, ⟦4¦5¦declared size⟧]) -> [B, ⟦3¦2¦declared result⟧] {
  x |> linear(16) |> relu |> linear(⟦3¦4¦layer size⟧)
}

data Flowers = csv("⟦iris.csv¦missing.csv¦missing file⟧", target: "species") {
  split validation: ⟦0.2¦300¦split out of range⟧
  batch ⟦16¦200¦batch too large⟧
}

train flowers on Flowers {
  net = Score()
  logits = net(⟦features¦species¦label for an image⟧)
  minimize cross_entropy(logits, ⟦species¦features¦sepal_length¦wrong loss target⟧) using adagrad(lr: 0.1)
  report accuracy(logits, ⟦species¦specie¦misspelt field⟧)
  epochs 10
}
`;

const photographs = `data Digits = idx(images: "⟦images.gz¦missing/images.gz¦missing file⟧", labels: "⟦labels.gz¦missing/labels.gz¦missing file⟧") {
  image = image |> scale(⟦1 / 255¦"1/255"¦wrong kind of argument⟧) |> flatten
  augment { image = image |> shift(⟦2¦¦missing argument⟧) |> rotate(10)⟦¦ |> flip(3)¦extra argument⟧ }
  split validation: 0.1
  test  idx(images: "⟦t10k-images.gz¦missing.gz¦missing file⟧", labels: "t10k-labels.gz")
  batch 64
}

train linear_model on Digits {
  logits = image |> linear(⟦10¦11¦logits against classes⟧)
  minimize cross_entropy(logits, label) using lion(lr: step_decay(0.001, ⟦every: 5¦¦missing argument⟧))
  epochs 3
}
`;

export const markedPrograms: readonly string[] = [
  mlp,
  regression,
  convolution,
  attention,
  heads,
  recurrent,
  words,
  adversarial,
  critics,
  normed,
  variational,
  table,
  photographs,
];
