/** `requirement-failed`: a condition on sizes that doesn't hold in this call. */
import type { FactData, Rule } from './rule.ts';

export const requirementFailed: Rule<'requirement-failed'> = {
  message: data => `${data.callee} requires ${data.requirement}, but ${failure(data)}`,
  page: {
    title: 'a requirement that does not hold',
    about:
      'A model or layer states what its sizes must fulfil, in a `where` clause or through the operations of its body. The call binds the names to numbers, and with those the condition is false.',
    example: { wrong: program(130), right: program(128) },
  },
};

function program(size: number): string {
  return [
    'model Block(x: [B, D], heads: int) -> [B, D] where D % heads == 0 {',
    '  x |> linear(D / heads) |> linear(D)',
    '}',
    '',
    `model Net(x: [B, ${size}]) -> [B, ${size}] {`,
    '  x |> Block(heads: 4)',
    '}',
    '',
  ].join('\n');
}

function failure({ kind, left, right, remainder }: FactData['requirement-failed']): string {
  if (kind === 'divides')
    return `${left} is not divisible by ${right}${remainder === undefined ? '' : ` (remainder ${remainder})`}`;
  return kind === 'equal' ? `${left} is not ${right}` : `${left} is less than ${right}`;
}
