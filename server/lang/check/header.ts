/** What compiling a header or a type needs of the checker: constants by name, and where problems go. */
import { type Context, report } from './context.ts';
import type { HeaderContext } from './signature.ts';
import { maxTerms } from './signature.ts';

const typeWords = ['int', 'float', 'bool', 'string', 'index', 'layer'];

const expected = { dimension: 'a size', where: 'a condition such as D % heads == 0' } as const;

/** `label`: the header on one line. */
export function headerContext(context: Context, label: string): HeaderContext {
  return {
    label,
    words: false,
    constant: name => {
      const global = context.globals.lookup(name);
      return global?.kind === 'const' && global.meaning.kind === 'number' ? global.meaning.dim : undefined;
    },
    problem: (span, what, text) => {
      if (what === 'terms') report(context, 'limit-exceeded', span, { what, limit: maxTerms });
      else if (what !== 'type')
        report(context, 'type-mismatch', span, { subject: what, expected: expected[what], found: 'something else' });
      else
        report(context, 'unknown-name', span, {
          name: text,
          kind: 'value',
          candidates: typeWords.filter(w => w !== text),
        });
    },
  };
}
