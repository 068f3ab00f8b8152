/** One token deleted, inserted or replaced, in every program at hand: all other statements keep their shapes. A sample in `npm test`, all in the long mode. */
import { describe, expect, it } from 'vitest';
import { philoxUniform } from '../../../engine/util/philox.ts';
import { long, seconds, seed } from '../../support/fuzz.ts';
import { basePrograms, mutantUri, mutationHost } from './mutants.ts';
import { type Damage, lostShapes, subject } from './recovery.ts';

const scraps = '( ) { } [ ] |> -> = , : . ... - 1 x " // model train where over repeat if'.split(' ');
/** Statements that don't depend on each other, and all forms that the examples lack. */
const forms = `const width = 4 * 2

model Half(x: [B, D]) -> [B, D / 2] where D % 2 == 0 {
  x |> linear(D / 2)
}

model Wide(x: [B, 784], deep: bool = false) -> [B, 10] {
  _a = x |> linear(1, bias: false) |> relu
  _b = linear(2)(x) + 1
  repeat 2 {
    _c = x |> linear(3)
  }
  _d = (x @ transpose(x))[:, 0:1]
    |> relu
  if deep { _e = x |> linear(width) } else { _f = x |> Half }
  _g, _h = Two(x)
  x |> linear(10)
}

model Two(x: [B, 784]) -> ([B, 2], [B, width]) {
  (x |> linear(2), x |> linear(width))
}

model Turn(x: [B, T, 3]) -> [B, T, 8] {
  scan t in x from h = (x[:, 0] |> linear(8)) {
    h = tanh((t |> linear(8)) + (h |> linear(8)))
    h
  }
}

data Digits = digits() {
  image = image |> flatten
  augment { image = image |> noise(0.1) }
  split validation: 0.1
  batch 64
}

train wide on Digits {
  sweep rate: [0.1, 0.01]
  net = Wide(deep: true)
  logits = net(image)
  minimize cross_entropy(logits, label) over net using adam(lr: rate)
  stop early(patience: 5, monitor: validation.loss)
  epochs 10
}
`;

/** One of so many cases. */
const share = long ? 1 : 1 / 60;

function damages(of: ReturnType<typeof subject>, stream: number): readonly Damage[] {
  const all = of.tokens.flatMap((token): readonly Damage[] => [
    { kind: 'delete', token, scrap: '' },
    ...scraps.flatMap(scrap => [{ kind: 'insert', token, scrap } as const, { kind: 'replace', token, scrap } as const]),
  ]);
  return all.filter((_, i) => share === 1 || philoxUniform(seed, stream, 0, i) < share);
}

describe('damage to one token', () => {
  const programs = [['all forms', forms] as const, ...basePrograms()];
  it.each(programs.map(([name, text], i) => [name, text, i] as const))(
    'of %s costs the shapes of no other statement',
    seconds(30),
    (_, text, i) => {
      const of = subject(mutantUri, text, mutationHost);
      expect(of.whole.facts).toEqual([]);
      const tried = damages(of, i);
      expect(tried.length).toBeGreaterThan(20);
      const lost = tried.flatMap(damage => {
        const { kind, token, scrap } = damage;
        const { line } = of.whole.lines.position(token.start);
        return lostShapes(of, damage).map(what => `line ${line + 1}, ${kind} ${token.text} ${scrap}: ${what}`);
      });
      expect(lost).toEqual([]);
    },
  );
});
