/** The documentation page of each diagnostic code, as Markdown; `codeDescription` links there. */
import type { FactCode } from '../../lang/api.ts';
import { severityOf } from '../../lang/facts.ts';
import { rules } from './registry.ts';
import type { Page } from './rule.ts';

/** File name (`shape-mismatch.md`) to text. */
export function diagnosticPages(): ReadonlyMap<string, string> {
  const codes = Object.keys(rules).sort() as FactCode[];
  const pages = codes.map(code => [`${code}.md`, page(code, rules[code].page)] as const);
  const index = codes.map(code => `- [\`${code}\`](${code}.md): ${rules[code].page.title}`);
  return new Map([...pages, ['README.md', `# Diagnostics\n\n${index.join('\n')}\n`]]);
}

function page(code: FactCode, { title, about, example }: Page): string {
  const parts = [`# ${title}`, `\`strata(${code})\`, ${article(severityOf(code))}`, about];
  if (example) parts.push('## Example', fence(example.wrong), 'Mended:', fence(example.right));
  return `${parts.join('\n\n')}\n`;
}

const fence = (code: string): string => `\`\`\`strata\n${code.trimEnd()}\n\`\`\``;
const article = (severity: string): string => `${/^[aeio]/.test(severity) ? 'an' : 'a'} ${severity}`;
