/** The literate spec as people read it: what its tests look for becomes plain comments and links. */

const reveal = /^(\s*)reveal_shape\((.*)\)(\s*)\/\/ revealed: (.*)$/;
const mistake = /\/\/ (error|warning): \[([\w-]+)\].*$/;

/** A page of `test/spec` for readers. Links lead from `language/` to `diagnostics/`. */
export function readable(page: string): string {
  return page.replace(/^<!--[\s\S]*?-->\n+/gm, '').replace(/^```strata.*\n([\s\S]*?)^```$/gm, (_, text: string) => {
    const codes = new Set<string>();
    const lines = text.split('\n').map(line => {
      const [, indent, expression, space, shape] = reveal.exec(line) ?? [];
      if (shape !== undefined) return `${indent}${expression}${' '.repeat('reveal_shape()'.length)}${space}// ${shape}`;
      return line.replace(mistake, (_, severity: string, code: string) => {
        codes.add(code);
        return `// ${severity}: ${code}`;
      });
    });
    const links = [...codes].map(code => `[${code}](../diagnostics/${code}.md)`);
    return `\`\`\`strata\n${lines.join('\n')}\`\`\`${links.length === 0 ? '' : `\n\nSee ${links.join(', ')}.`}`;
  });
}

/** The heading of a page. */
export function titleOf(page: string): string {
  return /^# (.*)$/m.exec(page)?.[1] ?? '';
}
