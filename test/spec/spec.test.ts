/** Runs the pages of this folder: every `strata` block is a program whose comments say what the checker must find. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { renderFact } from '../../server/ide/diagnostics/registry.ts';
import { format } from '../../server/lang/format/format.ts';
import { lower } from '../../server/lang/lower/lower.ts';
import { fixture } from '../support/fixture.ts';

/**
 * `reveal_shape(x)  // revealed: [B, 10]`: the shape of an expression.
 * `// error: [code] message` (or `warning:`), at the end of the line it is about: a diagnostic whose message holds that text.
 * A block without such comments has no diagnostics. ```strata trains```: its train blocks also lower to programs.
 */
const revealLine = /^(\s*)reveal_shape\((.*)\)\s*\/\/ revealed: (.*)$/;
const diagnosticLine = /\/\/ (?:error|warning): \[([\w-]+)\]\s*(.*)$/;

interface Example {
  readonly name: string;
  readonly text: string;
  readonly trains: boolean;
}

function examplesOf(page: string): readonly Example[] {
  const found: Example[] = [];
  let heading = '';
  for (const part of page.matchAll(/^#+ (.*)$|^```strata( trains)?\n([\s\S]*?)^```$/gm)) {
    if (part[1] !== undefined) heading = part[1];
    else found.push({ name: `${heading} (${found.length + 1})`, text: part[3]!, trains: part[2] !== undefined });
  }
  return found;
}

/** The program, with each reveal as a binding; what is expected, by line. */
function prepare(text: string) {
  const reveals = new Map<number, string>();
  const diagnostics: string[] = [];
  const messages: string[] = [];
  const lines = text.split('\n').map((line, i) => {
    const reveal = revealLine.exec(line);
    if (reveal) {
      reveals.set(i, reveal[3]!.trim());
      return `${reveal[1]}_reveal_${i} = ${reveal[2]}`;
    }
    const diagnostic = diagnosticLine.exec(line);
    if (diagnostic) {
      diagnostics.push(`${i + 1} ${diagnostic[1]}`);
      messages.push(diagnostic[2]!);
    }
    return line;
  });
  return { program: lines.join('\n'), reveals, diagnostics, messages };
}

function run({ text, trains }: Example): void {
  const { program, reveals, diagnostics, messages } = prepare(text);
  const { analysis } = fixture(program);
  const lineOf = (offset: number) => analysis.lines.position(offset).line;
  expect(analysis.facts.map(f => `${lineOf(f.span.start) + 1} ${f.code}`)).toEqual(diagnostics);
  for (const [i, message] of messages.entries()) expect(renderFact(analysis.facts[i]!).message).toContain(message);
  for (const [line, shape] of reveals) {
    const last = analysis.inlays().findLast(h => h.kind === 'shape' && lineOf(h.offset) === line);
    expect(last?.text, `line ${line + 1}`).toBe(shape);
  }
  if (!trains) return;
  for (const t of analysis.trains) expect(lower(analysis, t.name).kind).toBe('program');
  expect(format(text)).toBe(text);
}

const folder = new URL('.', import.meta.url);
for (const file of readdirSync(folder).filter(name => name.endsWith('.md'))) {
  describe(file, () => {
    const examples = examplesOf(readFileSync(new URL(file, folder), 'utf8'));
    it('has examples', () => expect(examples.length).toBeGreaterThan(0));
    it.each(examples.map(e => [e.name, e] as const))('%s', (_, e) => run(e));
  });
}
