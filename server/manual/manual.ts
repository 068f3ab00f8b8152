/** The reference manual: Markdown pages derived from the registries and the literate spec, with an index of all names. */
import { primitives } from '../../engine/ops/registry.ts';
import { diagnosticPages } from '../ide/diagnostics/pages.ts';
import { rules } from '../ide/diagnostics/registry.ts';
import type { CallPlace } from '../lang/check/callee.ts';
import { code, type Entry, join, libraryEntries, places, settingEntries } from './entry.ts';
import { readable, titleOf } from './language.ts';

/** A name that the manual explains, for those who search. */
export interface ManualName {
  readonly name: string;
  /** Noun, lower case. */
  readonly kind: string;
  /** Of its page, from the manual's folder. */
  readonly path: string;
}

export interface Manual {
  /** Path to text; `README.md` is the first page. */
  readonly pages: ReadonlyMap<string, string>;
  /** By name. */
  readonly names: readonly ManualName[];
}

const titles: Readonly<Record<CallPlace, string>> = {
  model: 'Functions, layers and losses',
  metric: 'Metrics',
  transform: 'Transforms',
  source: 'Data sources',
  optimizer: 'Optimisers',
  schedule: 'Schedules',
  stop: 'Rules that end a run',
};
const blocks = ['data', 'train'] as const;
const topics = ['models', 'dimensions', 'axes', 'data', 'training'];

/** `spec`: file name to text of the pages of `test/spec`; `grammar`: its EBNF. */
export function makeManual(spec: ReadonlyMap<string, string>, grammar: string): Manual {
  const language = languagePages(spec, grammar);
  const library = places.map(place => [place, libraryEntries(place)] as const);
  const settings = blocks.map(block => [block, settingEntries(block)] as const);
  const entries = [...library, ...settings].flatMap(([, list]) => list);
  const names = namesOf(entries, language);
  const pages = new Map([
    ['README.md', contents(language, library)],
    ['names.md', nameIndex(names)],
    ...language,
    ...library.map(([place, list]) => [`library/${place}.md`, overview(titles[place], `${place}/`, list)] as const),
    ...settings.map(
      ([block, list]) => [`settings/${block}.md`, overview(`Settings of ${block} blocks`, `${block}/`, list)] as const,
    ),
    ...entries.map(entry => [`${entry.topic}.md`, entryPage(entry)] as const),
    ...[...diagnosticPages()].map(([file, text]) => [`diagnostics/${file}`, text] as const),
    ['primitives.md', primitivePage()],
  ]);
  return { pages, names };
}

function languagePages(spec: ReadonlyMap<string, string>, grammar: string): readonly (readonly [string, string])[] {
  const order = (file: string) =>
    topics.indexOf(file.replace('.md', '')) + (topics.includes(file.replace('.md', '')) ? 0 : 100);
  const pages = [...spec].toSorted(([a], [b]) => order(a) - order(b));
  const ebnf = `# Grammar\n\n\`\`\`ebnf\n${grammar.trimEnd()}\n\`\`\`\n`;
  return [...pages.map(([file, text]) => [`language/${file}`, readable(text)] as const), ['language/grammar.md', ebnf]];
}

function namesOf(entries: readonly Entry[], language: readonly (readonly [string, string])[]): readonly ManualName[] {
  const all = [
    ...language.map(([path, text]) => ({ name: titleOf(text), kind: 'language', path })),
    ...entries.map(({ name, kind, topic }) => ({ name, kind, path: `${topic}.md` })),
    ...Object.keys(rules).map(name => ({ name, kind: 'diagnostic', path: `diagnostics/${name}.md` })),
    ...Object.keys(primitives).map(name => ({ name, kind: 'primitive', path: 'primitives.md' })),
  ];
  return all.toSorted((a, b) => (a.name.toLowerCase() < b.name.toLowerCase() ? -1 : 1));
}

function contents(
  language: readonly (readonly [string, string])[],
  library: readonly (readonly [CallPlace, readonly Entry[]])[],
): string {
  return `${join([
    '# The Strata manual',
    '[All names, from A to Z](names.md)',
    `## Language\n\n${language.map(([path, text]) => `- [${titleOf(text)}](${path})`).join('\n')}`,
    `## Library\n\n${library.map(([place, { length }]) => `- [${titles[place]}](library/${place}.md) (${length})`).join('\n')}`,
    `## Settings\n\n${blocks.map(block => `- [Of ${block} blocks](settings/${block}.md)`).join('\n')}`,
    `## Diagnostics\n\n- [All codes](diagnostics/README.md), each with an example and its remedy`,
    `## Inside\n\n- [Primitives](primitives.md), of which *Show Graph* speaks`,
  ])}\n`;
}

function nameIndex(names: readonly ManualName[]): string {
  const lines = names.map(({ name, kind, path }) => `- [${name}](${path}), ${kind}`);
  return `# All names\n\n${lines.join('\n')}\n`;
}

/** A list by kind with the first sentence of each. */
function overview(title: string, folder: string, entries: readonly Entry[]): string {
  const kinds = [...new Set(entries.map(entry => entry.kind))];
  const sections = kinds.map(kind => {
    const lines = entries
      .filter(entry => entry.kind === kind)
      .map(({ name, doc }) => `- [${code(name)}](${folder}${name}.md): ${firstSentence(doc)}`);
    return kinds.length === 1 ? lines.join('\n') : `## ${plural(kind)}\n\n${lines.join('\n')}`;
  });
  return `${join([`# ${title}`, '[Contents](../README.md)', ...sections])}\n`;
}

function entryPage({ name, topic, kind, body }: Entry): string {
  const above = `${topic.split('/')[1]}.md`;
  return `${join([`# ${name}`, `${capital(kind)} · [overview](../${above}) · [contents](../../README.md)`, body])}\n`;
}

function primitivePage(): string {
  const rows = Object.entries(primitives).map(([name, { doc, lowering }]) => {
    return `| ${code(name)} | ${doc.replaceAll('|', '\\|')} | ${lowering.kind} |`;
  });
  const about =
    'All functions, losses and optimisers are made of these, and gradients are taken of these alone. *Show Graph* prints them; the last column says how they become kernels.';
  const table = ['| primitive | what it computes | lowering |', '| --- | --- | --- |', ...rows].join('\n');
  return `${join(['# Primitives', '[Contents](README.md)', about, table])}\n`;
}

/** Up to the first full stop that ends a sentence: not the one of `0.1`. */
function firstSentence(doc: string): string {
  return /^[\s\S]*?[.;](?=\s|$)/.exec(doc)?.[0].replace(/;$/, '.') ?? doc;
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
const plural = (kind: string): string => capital(kind === 'loss' ? 'losses' : `${kind}s`);
