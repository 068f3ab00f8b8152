/** The words of each diagnostic: facts in, sentences out. */
import { describe, expect, it } from 'vitest';
import { diagnosticPages } from '../../../server/ide/diagnostics/pages.ts';
import { renderFact, rules } from '../../../server/ide/diagnostics/registry.ts';
import type { DiagnosticFact, FactCode, FactData, Related } from '../../../server/lang/api.ts';

const span = { start: 3, end: 7 };
function fact<C extends FactCode>(code: C, data: FactData[C], extra: Partial<DiagnosticFact> = {}): DiagnosticFact {
  return { code, span, data, related: [], ...extra } as DiagnosticFact;
}

const shape = { role: 'argument', subject: 'x', callee: 'Net', expected: '[B, 784]', found: '[B, 100]' } as const;

const samples: readonly (readonly [fact: DiagnosticFact, message: string, help?: string])[] = [
  [fact('syntax-error', { expected: ')', found: '' }), 'expected ), found nothing'],
  [
    fact('syntax-error', { expected: 'an expression', found: '\n' }),
    'expected an expression, found the end of the line',
  ],
  [
    fact('limit-exceeded', { what: 'tokens', limit: 200000 }),
    'expected at most 200,000 tokens, so the rest is not checked',
    'split the file and import its parts',
  ],
  [
    fact('unknown-name', { name: 'rellu', kind: 'function', candidates: ['relu', 'elu'] }),
    'no function or layer is called rellu',
    'did you mean relu or elu?',
  ],
  [
    fact('type-mismatch', { subject: 'target', callee: 'auc', expected: '[B]', found: 'index(2)[B]' }),
    'expected [B] for target of auc, found index(2)[B]',
    '1.0 * x makes real numbers of a whole x, such as a target of the classes 0 and 1',
  ],
  [fact('unknown-name', { name: 'Dgits', kind: 'data', candidates: [] }), 'no data block is called Dgits'],
  [
    fact('duplicate-name', { name: 'x', what: 'parameter' }),
    'expected each parameter once, found x again',
    'rename or remove one of them',
  ],
  [fact('shape-mismatch', shape), 'expected [B, 784] for x of Net, found [B, 100]'],
  [
    fact('shape-mismatch', { ...shape, axis: 1, expectedSize: '784', foundSize: '100' }),
    'expected [B, 784] for x of Net, found [B, 100]: axis 1 is 100, not 784',
  ],
  [
    fact('shape-mismatch', { ...shape, found: '[B, 28, 28]' }),
    'expected [B, 784] for x of Net, found [B, 28, 28]',
    'flatten the axes after the first: |> flatten',
  ],
  [
    fact('shape-mismatch', { role: 'result', subject: 'Net', expected: '[B, 10]', found: '[B, 12]' }),
    'expected [B, 10] as the result of Net, found [B, 12]',
  ],
  [
    fact('shape-mismatch', { role: 'operands', subject: '+', expected: '[B, 3]', found: '[B, 4]' }),
    'expected [B, 3] on both sides of +, found [B, 4]',
  ],
  [
    fact('class-mismatch', { classes: '10', logits: '12', callee: 'cross_entropy' }),
    'expected 10 logits for labels of 10 classes in cross_entropy, found 12',
    'let the last layer give 10 outputs',
  ],
  [
    fact('type-mismatch', { subject: 'rate', callee: 'dropout', expected: 'float', found: 'string' }),
    'expected float for rate of dropout, found string',
  ],
  [
    fact('missing-argument', { callee: 'linear', parameter: 'out', type: 'int', signature: 'linear(x, out: int)' }),
    'expected out: int in the call of linear',
    'linear(x, out: int)',
  ],
  [
    fact('unknown-argument', { callee: 'adam', name: 'lt', candidates: ['lr'], parameters: ['lr', 'beta1'] }),
    'adam has no parameter lt',
    'did you mean lr?',
  ],
  [
    fact('unknown-argument', { callee: 'adam', name: 'at', candidates: [], parameters: ['lr', 'beta1'] }),
    'adam has no parameter at',
    'adam takes lr, beta1',
  ],
  [fact('too-many-arguments', { callee: 'relu', most: 1, found: 3 }), 'expected at most 1 argument for relu, found 3'],
  [
    fact('value-out-of-range', { subject: 'rate', expected: 'a number from 0 to 1', found: '2' }),
    'expected a number from 0 to 1 for rate, found 2',
  ],
  [
    fact('requirement-failed', {
      callee: 'Block',
      requirement: 'D % heads == 0',
      left: '130',
      right: 'heads = 4',
      remainder: '2',
      kind: 'divides',
    }),
    'Block requires D % heads == 0, but 130 is not divisible by heads = 4 (remainder 2)',
  ],
  [
    fact('batch-too-large', { batch: 5000, samples: 4000 }),
    'expected a batch of at most 4,000, the training samples there are, found 5,000',
  ],
  [fact('unused-binding', { name: 'fc1', what: 'layer' }), 'layer fc1 is never applied'],
  [
    fact('data-missing', { source: 'idx', path: 'a.gz', message: 'a.gz: no such file' }),
    'a.gz: no such file',
    'paths count from the folder of this file, and data lies inside the workspace',
  ],
];

describe('messages', () => {
  it.each(samples.map(([sample, message, help]) => ({ sample, message, help })))(
    '$sample.code $#',
    ({ sample, message, help }) => {
      const rendered = renderFact(sample);
      expect(rendered.message).toBe(message);
      expect(rendered.help).toBe(help);
    },
  );

  it('are one lower-case sentence without a full stop', () => {
    for (const [sample] of samples) {
      const { message } = renderFact(sample);
      expect(message).not.toMatch(/\.$|\n/);
      if (!message.startsWith(String((sample.data as { callee?: string }).callee))) expect(message).toMatch(/^[a-z]/);
    }
  });
});

describe('fixes', () => {
  it('offer up to three names, the first one certain only if the checker says so', () => {
    const rendered = renderFact(
      fact('unknown-name', { name: 'rellu', kind: 'value', candidates: ['relu', 'elu', 'selu', 'gelu'] }),
    );
    expect(rendered.fixes.map(f => [f.title, f.certain])).toEqual([
      ['change to relu', false],
      ['change to elu', false],
      ['change to selu', false],
    ]);
    expect(rendered.fixes[0]?.edits).toEqual([{ span, text: 'relu' }]);
  });

  it('put the certain one first and never twice', () => {
    const fix = [{ span, text: 'relu' }];
    const rendered = renderFact(
      fact('unknown-name', { name: 'rellu', kind: 'value', candidates: ['relu', 'elu'] }, { fix }),
    );
    expect(rendered.fixes.map(f => [f.title, f.certain])).toEqual([
      ['change to relu', true],
      ['change to elu', false],
    ]);
  });
});

it('related places say what they are', () => {
  const location = { uri: 'file:///a', start: 0, end: 1 };
  const related: Related[] = (['first', 'declaration', 'size', 'requirement', 'value'] as const).map(role => ({
    location,
    role,
    text: '784',
  }));
  expect(renderFact(fact('shape-mismatch', shape, { related })).related.map(r => r.message)).toEqual([
    '784 is here for the first time',
    '784 is declared here',
    '784 comes from here',
    '784 is required here',
    'this is 784',
  ]);
});

it('each code has a page, and the index lists all', () => {
  const pages = diagnosticPages();
  for (const code of Object.keys(rules)) {
    expect(pages.get(`${code}.md`)).toContain(`strata(${code})`);
    expect(pages.get('README.md')).toContain(`](${code}.md)`);
  }
});
