/** `shape-mismatch`: a tensor of another shape than the place takes. */
import type { FactData, Rule } from './rule.ts';

type Data = FactData['shape-mismatch'];
const flatten = 'flatten the axes after the first';

export const shapeMismatch: Rule<'shape-mismatch'> = {
  message: data => {
    const { expected, found } = data;
    return `expected ${expected}${place(data)}, found ${found}${axis(data)}`;
  },
  help: ({ expected, found }) =>
    flattens(expected, found) ? 'flatten the axes after the first: |> flatten' : undefined,
  fixTitle: ({ expectedSize, foundSize, expected, found }) =>
    flattens(expected, found)
      ? flatten
      : expectedSize === undefined
        ? `make it ${expected}`
        : `change ${foundSize} to ${expectedSize}`,
  // The pipe binds loosest, so this holds behind any argument.
  fixes: ({ role, expected, found }, { end }) =>
    role === 'argument' && flattens(expected, found)
      ? [{ title: flatten, edits: [{ span: { start: end, end }, text: ' |> flatten' }], certain: false }]
      : [],
  page: {
    title: 'shapes that do not fit',
    about:
      'A parameter, a declared result or the other operand asks for one shape and gets another. The message gives the axis (counted from 0) that differs; the related places show where each size comes from. Upper-case names such as `B` are dimension variables: they take any size, the same one throughout a call.',
    example: {
      wrong: 'model Net(x: [B, 784]) -> [B, 10] {\n  x |> linear(128) |> relu |> linear(12)\n}\n',
      right: 'model Net(x: [B, 784]) -> [B, 10] {\n  x |> linear(128) |> relu |> linear(10)\n}\n',
    },
  },
};

function place({ role, subject, callee }: Data): string {
  switch (role) {
    case 'argument':
      return callee === undefined ? ` for ${subject}` : ` for ${subject} of ${callee}`;
    case 'result':
      return ` as the result of ${subject}`;
    case 'operands':
      return ` on both sides of ${subject}`;
    case 'annotation':
      return ' as annotated';
  }
}

function axis({ axis, expectedSize, foundSize }: Data): string {
  if (axis === undefined || expectedSize === undefined || foundSize === undefined) return '';
  return `: axis ${axis} is ${foundSize}, not ${expectedSize}`;
}

/** `[B, 784]` against `[B, 28, 28]`: the product of the sizes after the first agrees. */
function flattens(expected: string, found: string): boolean {
  const want = sizes(expected);
  const have = sizes(found);
  if (want.length !== 2 || have.length < 3 || want[0] !== have[0]) return false;
  const product = have.slice(1).reduce((total, size) => total * Number(size), 1);
  return product === Number(want[1]);
}

function sizes(shape: string): readonly string[] {
  const inside = /\[(.*)\]$/.exec(shape)?.[1] ?? '';
  return inside.split(',').map(size => size.trim());
}
