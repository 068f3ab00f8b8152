/** The manual has a page for every name of the registries, its links lead somewhere, and its examples check. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path/posix';
import { describe, expect, it } from 'vitest';
import type { LibraryFunction } from '../../../engine/ops/library/function.ts';
import { library } from '../../../engine/ops/library/library.ts';
import { primitives } from '../../../engine/ops/registry.ts';
import { rules } from '../../../server/ide/diagnostics/registry.ts';
import { hover } from '../../../server/ide/hover.ts';
import type { DiagnosticFact } from '../../../server/lang/api.ts';
import type { CallPlace } from '../../../server/lang/check/callee.ts';
import { dataSettings, trainSettings } from '../../../server/lang/syntax/settings.ts';
import { type Entry, libraryEntries, places } from '../../../server/manual/entry.ts';
import { makeManual } from '../../../server/manual/manual.ts';
import { fixture } from '../../support/fixture.ts';

const spec = new URL('../../spec/', import.meta.url);
const read = (name: string) => readFileSync(new URL(name, spec), 'utf8');
const topics = readdirSync(spec).filter(name => name.endsWith('.md'));
const { pages, names } = makeManual(new Map(topics.map(name => [name, read(name)])), read('grammar.ebnf'));

describe('pages', () => {
  it.each(Object.entries(library))('each %s of the library has one, with signature and example', (place, functions) => {
    for (const { name, signature } of Object.values<LibraryFunction>(functions)) {
      const page = pages.get(`library/${place}/${name}.md`);
      expect(page).toContain(`\`\`\`strata\n${signature}\n\`\`\``);
      expect(page).toMatch(new RegExp(`## Example\n\n\`\`\`strata\n.*\\b${name}\\b`));
      expect(pages.get(`library/${place}.md`)).toContain(`](${place}/${name}.md)`);
    }
  });
  it('so has each setting, diagnostic, primitive and topic', () => {
    for (const name of Object.keys(dataSettings)) expect(pages.has(`settings/data/${name}.md`), name).toBe(true);
    for (const name of Object.keys(trainSettings)) expect(pages.has(`settings/train/${name}.md`), name).toBe(true);
    for (const code of Object.keys(rules)) expect(pages.has(`diagnostics/${code}.md`), code).toBe(true);
    for (const name of Object.keys(primitives)) expect(pages.get('primitives.md')).toContain(`| \`${name}\` |`);
    for (const topic of topics) expect(pages.get('README.md')).toContain(`](language/${topic})`);
  });
  it('all are reached from the first one, and no link is dead', () => {
    const reached = new Set(['README.md']);
    for (const path of reached) {
      for (const [, target] of (pages.get(path) ?? '').matchAll(/\]\(([^)\s]+)\)/g)) {
        const to = join(dirname(path), target!);
        expect(pages.has(to), `${path} links to ${to}`).toBe(true);
        reached.add(to);
      }
    }
    expect([...pages.keys()].filter(path => !reached.has(path))).toEqual([]);
  });
  it('the index finds every name', () => {
    for (const { path } of names) expect(pages.has(path), path).toBe(true);
    expect(names.filter(n => n.name === 'flatten').map(n => n.kind)).toEqual(['function', 'transform']);
  });
  it('shows what the tests of the topics look for as plain comments', () => {
    expect([...pages.values()].join('\n')).not.toMatch(/reveal_shape|revealed:|```strata trains|<!--/);
    expect(pages.get('language/models.md')).toContain('// error: layer-reuse');
    expect(pages.get('language/models.md')).toContain('See [layer-reuse](../diagnostics/layer-reuse.md).');
  });
});

describe('hovers link to them', () => {
  const link = (text: string) => {
    const { analysis, cursor } = fixture(text);
    return /\[Manual\]\(file:\/\/\/manual\/(.*)\)/.exec(hover(analysis, cursor, 'file:///manual')?.markdown ?? '')?.[1];
  };
  it('of functions, settings and transforms', () => {
    expect(link('model Net(x: [B, 4]) -> [B, 2] {\n  x |> lin$0ear(2)\n}\n')).toBe('library/model/linear.md');
    const train = 'minimize cross_entropy(image |> flatten |> linear(10), label) using adam()';
    const of = (field: string, epochs: string) =>
      `data D = digits() {\n  image = image |> ${field}\n}\n\ntrain t on D {\n  ${train}\n  ${epochs} 1\n}\n`;
    expect(link(of('flat$0ten', 'epochs'))).toBe('library/transform/flatten.md');
    expect(link(of('scale(2)', 'epo$0chs'))).toBe('settings/train/epochs.md');
    expect(link(of('scale(2)', 'stop early()\n  epochs').replace('early', 'ea$0rly'))).toBe('library/stop/early.md');
  });
  it('and all their topics are pages', () => {
    const topicsOf = places.flatMap(place => libraryEntries(place).map(entry => entry.topic));
    expect(topicsOf.filter(topic => !pages.has(`${topic}.md`))).toEqual([]);
  });
});

/** Examples that ask for more of `x` than the signature says. */
const special: Readonly<Record<string, string>> = {
  einsum: '[B, 8]',
  rearrange: '[B, 8]',
  squeeze: '[B, 1]',
  zeros: '[B, 8]',
  ones: '[B, 8]',
};

/** The type of `x` in a signature; any axes are four. */
function typeOfX({ name, head }: Entry): string {
  const written = /\bx: ((?:index\(\w+\)|int|bool)?\[[^\]]*\])/.exec(head)?.[1] ?? '[...]';
  return special[name] ?? written.replace('[...]', '[B, 8, 16, 16]');
}

/** An example as the part of a program that it is; what it names beyond that is unknown here. */
function program(place: CallPlace, entry: Entry): string {
  const example = /## Example\n\n```strata\n([\s\S]*?)\n```/.exec(entry.body)?.[1] ?? '';
  const field = example.includes(' = ') ? example : `${/^\w+/.exec(example)?.[0]} = ${example}`;
  const train = (line: string) => `data D = digits()\n\ntrain t on D {\n  ${line}\n}\n`;
  if (place === 'source') return `data D = ${example}\n`;
  if (place === 'transform') {
    const random = entry.body.includes('- Random: stands in');
    return `data D = digits() {\n  ${random ? `augment {\n    ${field}\n  }` : field}\n}\n`;
  }
  if (place === 'model' && !example.startsWith('minimize')) return `model M(x: ${typeOfX(entry)}) {\n  ${example}\n}\n`;
  if (/^(minimize|report|stop) /.test(example)) return train(example);
  return train(`minimize cross_entropy(image |> flatten |> linear(10), label) using ${example}`);
}

/** What examples leave out, being lines of programs: the values they work on, not what they call. */
function leftOut({ code, span }: DiagnosticFact, text: string): boolean {
  const called = text.slice(0, span.start).endsWith('|> ') || text.startsWith('(', span.end);
  if (code === 'unknown-name') return !called;
  return ['data-missing', 'missing-statement', 'unused-binding', 'model-without-result'].includes(code);
}

describe('examples', () => {
  const cases = places.flatMap(place =>
    libraryEntries(place).map(entry => [entry.topic, program(place, entry)] as const),
  );
  it.each(cases)('%s', (_, text) => {
    const mistakes = fixture(text).analysis.facts.filter(fact => !leftOut(fact, text));
    expect(mistakes.map(fact => [fact.code, fact.data])).toEqual([]);
  });
});
