/** The result type that was inferred for a model, written into its header: a promise to callers that the body must keep. */
import { showPattern } from '../../lang/check/signature.ts';
import type { Refactoring } from './site.ts';

export const annotateResult: Refactoring = ({ part, text, selection }) => {
  const { node } = part.entry;
  const results = part.checked.signature?.results;
  if (node.kind !== 'model' || node.header.results.length > 0 || !results?.length) return undefined;
  if (selection.start > node.body.start) return undefined;
  const close = text.indexOf(')', node.header.parameters.at(-1)?.end ?? node.name.end);
  if (close < 0 || close > node.body.start) return undefined;
  const shown = results.map(showPattern).join(', ');
  const type = results.length === 1 ? shown : `(${shown})`;
  const span = { start: close + 1, end: close + 1 };
  return { title: `add the result type ${type}`, kind: 'refactor.rewrite', edits: [{ span, text: ` -> ${type}` }] };
};
