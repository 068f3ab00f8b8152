/** Hover: a line of Strata, then the documentation, then facts such as weights and requirements. */
import type { Analysis, Span } from '../lang/api.ts';

export interface Hover {
  readonly span: Span;
  readonly markdown: string;
  /** The same for clients without Markdown. */
  readonly plain: string;
}

/** What stands at `offset`, or undefined over blank space. */
export function hover(analysis: Analysis, offset: number): Hover | undefined {
  const info = analysis.hover(offset);
  if (info === undefined) return undefined;
  const notes = info.notes.map(note => `- ${note}`).join('\n');
  const parts = [`\`\`\`strata\n${info.code}\n\`\`\``, info.doc, notes].filter(part => part !== '');
  const plain = [info.code, info.doc, info.notes.join('\n')].filter(part => part !== '');
  return { span: info.span, markdown: parts.join('\n\n'), plain: plain.join('\n\n') };
}
