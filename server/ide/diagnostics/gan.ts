/** The program of the pages about adversarial losses: a generator and a discriminator, and what each of them minimises. */
export function gan(...statements: readonly string[]): string {
  return [
    'model Generator(z: [B, 64]) -> [B, 784] {',
    '  z |> linear(128) |> relu |> linear(784) |> tanh',
    '}',
    '',
    'model Discriminator(x: [B, 784]) -> [B, 1] {',
    '  x |> linear(128) |> relu |> linear(1)',
    '}',
    '',
    'data Digits = digits() {',
    '  image = image |> flatten',
    '  batch 64',
    '}',
    '',
    'train gan on Digits {',
    '  g    = Generator()',
    '  d    = Discriminator()',
    '  fake = normal([B, 64]) |> g',
    ...statements.map(s => `  ${s} using adam(lr: 2e-4, beta1: 0.5)`),
    '  epochs 5',
    '}',
    '',
  ].join('\n');
}
