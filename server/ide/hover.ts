/** Hover: a line of Strata, then the documentation, then facts such as weights and requirements. */
import type { Analysis, HoverInfo, Span } from '../lang/api.ts';

export interface Hover {
  readonly span: Span;
  readonly markdown: string;
  /** The same for clients without Markdown. */
  readonly plain: string;
}

/** What stands at `offset`, or undefined over blank space. `manual`: uri of the manual's folder, to link there. */
export function hover(analysis: Analysis, offset: number, manual?: string): Hover | undefined {
  const found = analysis.hover(offset);
  if (found === undefined) return undefined;
  const info = asArgument(analysis, offset, found) ?? found;
  const notes = info.notes.map(note => `- ${note}`).join('\n');
  const link = manual !== undefined && info.topic !== undefined ? `[Manual](${manual}/${info.topic}.md)` : '';
  const parts = [`\`\`\`strata\n${info.code}\n\`\`\``, info.doc, notes, link].filter(part => part !== '');
  const plain = [info.code, info.doc, info.notes.join('\n')].filter(part => part !== '');
  return { span: info.span, markdown: parts.join('\n\n'), plain: plain.join('\n\n') };
}

/** The name of an argument is told by the signature it belongs to: `lr: schedule = 0.001`, of `adam`. */
function asArgument(analysis: Analysis, offset: number, { span, code, doc }: HoverInfo): HoverInfo | undefined {
  if (doc !== '' || !/^\w+$/.test(code)) return undefined;
  const call = analysis.signature(offset);
  const parameter = call?.parameters.find(p => p.name === code);
  if (call === undefined || parameter === undefined) return undefined;
  return {
    span,
    code: call.label.slice(parameter.span.start, parameter.span.end),
    doc: `Of \`${call.name}\`.`,
    notes: [],
  };
}
