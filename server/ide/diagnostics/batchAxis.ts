/** `batch-axis`: the batch where a layer counts on a size, such as time. */
import type { Rule } from './rule.ts';

export const batchAxis: Rule<'batch-axis'> = {
  message: ({ callee, axis, size }) =>
    `expected a size known before training for ${axis} of ${callee}, found ${size}, which the batch decides`,
  help: ({ at }) => (at === undefined ? 'let the batch be the first axis' : `put the batch first: transpose(0, ${at})`),
  fixes: ({ at, piped }, { start, end }) => {
    if (at === undefined) return [];
    const swap = `transpose(0, ${at})`;
    const edit = piped
      ? { span: { start, end: start }, text: `${swap} |> ` }
      : { span: { start: end, end }, text: ` |> ${swap}` };
    return [{ title: `insert ${swap}`, edits: [edit], certain: false }];
  },
  page: {
    title: 'the batch along another axis',
    about:
      "Data comes as `[B, ...]`, and layers look for the batch in the first axis: `lstm` walks along the second one, `conv2d` has weights for each entry of it, `linear` for each entry of the last. After a `transpose` the batch may stand there instead (recurrent layers of PyTorch take `[T, B, D]` unless told otherwise, those here don't). The number of steps or of weights can't depend on the batch.",
    example: {
      wrong: 'model Reader(x: [B, T, D]) {\n  x |> transpose(0, 1) |> lstm(16)\n}\n',
      right: 'model Reader(x: [B, T, D]) {\n  x |> lstm(16)\n}\n',
    },
  },
};
