/** `syntax-error`: text that the grammar doesn't take. */
import type { Rule } from './rule.ts';

export const syntaxError: Rule<'syntax-error'> = {
  message: ({ expected, found }) => `expected ${expected}, found ${found === '' ? 'nothing' : name(found)}`,
  fixTitle: ({ expected }) => `insert ${expected}`,
  page: {
    title: 'damaged text',
    about:
      'The text does not follow the grammar here. The parser skips to the next statement, so everything else keeps its shapes. A newline ends a statement; a line that starts with `|>` continues the one above.',
    example: {
      wrong: 'model Net(x: [B, 4]) -> [B, 2] {\n  x |> linear(2\n}\n',
      right: 'model Net(x: [B, 4]) -> [B, 2] {\n  x |> linear(2)\n}\n',
    },
  },
};

function name(token: string): string {
  return /^[\r\n]/.test(token) ? 'the end of the line' : token;
}
