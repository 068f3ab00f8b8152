/** Functions that want sizes to agree take open ones and leave the rest to their callers: what is refused fits for no sizes, what is taken fits for those that the caller is let through with. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { analyze } from '../../../server/lang/analyze.ts';
import { isError } from '../../../server/lang/facts.ts';
import { lower } from '../../../server/lang/lower/lower.ts';
import { expectMarked, fixture, testHost } from '../../support/fixture.ts';
import { rounds, seconds } from '../../support/fuzz.ts';

const host = testHost();
const refuses = (text: string) => analyze('file:///project/a.strata', text, host).facts.some(isError);

/** Expressions over x and y. */
const expressions = [
  'x + y',
  'x @ transpose(y)',
  'maximum(x, y)',
  'minimum(y, x)',
  'select(x > 0, x, y)',
  'select(x > y, 1, 0)',
  'concat(x, y)',
  'concat(x, y, axis: 0)',
  'stack(x, y)',
  'stack(x, y, x, axis: 1)',
  'squeeze(x) + squeeze(y)',
  'x |> reshape([-1, 2]) |> reshape([6])',
  'maximum(x, y) |> reshape([2, -1])',
  'mse(x, y)',
];
/** A named size is what it is for all axes of that name; a size of 1 that is repeated has to be written. */
const size = fc.constantFrom('D', 'E', 'D', '1', '2', '3');
const shape = fc.array(size, { minLength: 1, maxLength: 3 });
const values = [2, 3, 4];

const model = (name: string, x: readonly string[], y: readonly string[], body: string) =>
  `model ${name}(x: [${x.join(', ')}], y: [${y.join(', ')}]) {\n  ${body}\n}\n`;

describe('open sizes', () => {
  it('are refused and accepted as those that they stand for', seconds(60), () => {
    let [taken, refused] = [0, 0];
    fc.assert(
      fc.property(fc.constantFrom(...expressions), shape, shape, (body, x, y) => {
        const open = model('Open', x, y, body);
        const openIsWrong = refuses(open);
        for (const d of values)
          for (const e of values) {
            const bound = (sizes: readonly string[]) => sizes.map(s => (s === 'D' ? `${d}` : s === 'E' ? `${e}` : s));
            const fits = !refuses(model('Bound', bound(x), bound(y), body));
            const caller = model('Caller', bound(x), bound(y), 'Open(x, y)');
            if (openIsWrong) expect(fits, `${open} with D = ${d}, E = ${e}`).toBe(false);
            else expect(!refuses(`${open}\n${caller}`), `${open}\n${caller}`).toBe(fits);
            if (fits) taken++;
            else refused++;
          }
      }),
      rounds(150),
    );
    expect(Math.min(taken, refused)).toBeGreaterThan(200);
  });

  it.each([
    ['maximum(x, y)', 'D == E'],
    ['select(x > 0, x, y)', 'D == E'],
    ['concat(x, y, axis: 0)', 'D == E'],
    ['x |> squeeze', 'D == 1'],
    ['x |> reshape([B, 4, 8])', 'D == 32'],
    ['x |> reshape([B, 4, -1])', 'D % 4 == 0'],
  ])('%s tells its callers that %s', (body, requirement) => {
    const { analysis } = fixture(`model $0M(x: [B, D], y: [B, E]) {\n  y + 0\n  ${body}\n}\n`);
    expect(analysis.hover(6)?.notes).toContain(`requires ${requirement}`);
  });

  it('that are stated to agree demand nothing', () => {
    const { analysis } = fixture(
      'model $0M(x: [B, D], y: [B, E]) where D == E, D % 4 == 0 {\n  maximum(x, y) |> reshape([B, 4, -1])\n}\n',
    );
    expect(analysis.facts).toEqual([]);
    expect(analysis.hover(6)?.notes.filter(n => n.startsWith('requires'))).toEqual([]);
  });

  it('that turn out not to fit are told of at the call, with the place that wants them', () => {
    const [fact] = expectMarked(`model Mix(x: [B, D], y: [B, E]) {
  select(x > y, x, y)
}

model Net(x: [B, 4], y: [B, 5]) {
  Mix(x, y)
//^^^ error[requirement-failed]: D == E
}
`);
    expect(fact!.related.length).toBeGreaterThan(0);
  });

  it('are trained once they are known', () => {
    const { analysis } = fixture(`model Mix(x: [B, D], y: [B, E]) {
  select(x > y, x, y) |> reshape([B, 2, -1]) |> flatten
}

data Points = moons() {
  batch 50
}

train t on Points {
  minimize cross_entropy(Mix(point, point |> linear(2)), label) using adam(lr: 0.01)
  epochs 1
}
`);
    expect(analysis.facts.filter(isError)).toEqual([]);
    expect(lower(analysis).kind).toBe('program');
  });
});
