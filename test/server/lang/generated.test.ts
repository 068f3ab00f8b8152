/** Generated programs: the checker takes the well-typed ones and shows the shapes that the arrays have; with one size broken it refuses. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { renderFact } from '../../../server/ide/diagnostics/registry.ts';
import { analyze } from '../../../server/lang/analyze.ts';
import type { LangHost } from '../../../server/lang/api.ts';
import { isError } from '../../../server/lang/facts.ts';
import { format } from '../../../server/lang/format/format.ts';
import { lower } from '../../../server/lang/lower/lower.ts';
import { rounds, seconds } from '../../support/fuzz.ts';
import { runtimeShapes } from '../../support/runtimeShapes.ts';
import { batch, broken, columns, sound, wellTyped } from '../../support/wellTyped.ts';

const host: LangHost = {
  readText: () => undefined,
  readSchema: () => ({ kind: 'schema', columns, samples: 60 }),
  internalError: error => {
    throw error;
  },
};
const tape = fc.noBias(fc.array(fc.nat(5039), { maxLength: 120, size: 'max' }));
const errors = (text: string) =>
  analyze('file:///project/generated.strata', text, host)
    .facts.filter(isError)
    .map(f => `${text.slice(f.span.start, f.span.end)}: ${renderFact(f).message}`);

describe('generated programs', () => {
  it('are right, and their arrays have the shapes that are shown', seconds(60), () => {
    fc.assert(
      fc.property(tape, numbers => {
        const text = sound(wellTyped(numbers));
        expect(errors(text), text).toEqual([]);
        const analysis = analyze('file:///project/generated.strata', text, host);
        const lowered = lower(analysis);
        expect(lowered.kind === 'program' ? [] : lowered, text).toEqual([]);
        const found = runtimeShapes(analysis, 't', batch);
        expect(
          found.filter(({ shown, real }) => shown !== real),
          text,
        ).toEqual([]);
      }),
      rounds(40),
    );
  });

  it('with one size that is one too large are refused', seconds(60), () => {
    let tried = 0;
    fc.assert(
      fc.property(tape, fc.nat(), (numbers, choice) => {
        const text = broken(wellTyped(numbers), choice);
        if (text === undefined) return;
        tried++;
        expect(errors(text), text).not.toEqual([]);
      }),
      rounds(120),
    );
    expect(tried).toBeGreaterThan(100);
  });

  it('mean the same when formatted', seconds(30), () => {
    fc.assert(
      fc.property(tape, numbers => {
        const text = sound(wellTyped(numbers));
        const [before, after] = [text, format(text)].map(t =>
          lower(analyze('file:///project/generated.strata', t, host)),
        );
        expect({ ...after, layers: undefined }).toEqual({ ...before, layers: undefined });
      }),
      rounds(40),
    );
  });
});
