/** Statistics over a batch of which one sample is all there is: in every batch, or in the last one of an epoch. */
import { type Dim, substituteDim } from '../../../engine/dim/dim.ts';
import type { TrainDeclaration } from '../syntax/ast.ts';
import { batchVariable, type Context, report } from './context.ts';

/** Says so of the first function in a train block that is left with one value. */
export function checkBatchOfOne(context: Context, node: TrainDeclaration): void {
  if (context.batches === undefined) return;
  const { batch, samples } = context.batches;
  const found = context.sheet.sizes.flatMap(s => {
    if (s.wants !== 'several') return [];
    const small = [batch, samples % batch].find(size => size > 0 && valuesOf(s.size, size) === 1);
    return small === undefined ? [] : [{ ...s, batch: small }];
  });
  const [first] = found;
  if (first === undefined) return;
  const related = [
    {
      target: { kind: 'global' as const, uri: context.uri, name: node.on.name, parameter: 'batch' },
      role: 'value' as const,
      text: `the batch of ${node.on.name}`,
    },
    ...(first.within ? [{ target: first.within, role: 'value' as const, text: first.callee }] : []),
  ];
  const fits = (size: number) =>
    found.every(s => valuesOf(s.size, size) !== 1 && valuesOf(s.size, samples % size) !== 1);
  const better = betterThan(batch, samples, fits);
  const data = { callee: first.callee, batch, ...(first.batch !== batch && { samples }), ...(better && { better }) };
  report(context, 'batch-of-one', first.span, data, { related });
}

function valuesOf(count: Dim, batch: number): Dim {
  return substituteDim(count, new Map([[batchVariable, batch]]));
}

/** The nearest size of a batch that leaves no single sample, the larger of two. */
function betterThan(batch: number, most: number, fits: (size: number) => boolean): number | undefined {
  for (let by = 1; by <= batch + 1; by++)
    for (const size of [batch + by, batch - by]) if (size >= 1 && size <= most && fits(size)) return size;
  return undefined;
}
