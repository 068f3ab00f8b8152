/** Every text of the manifest and of the client exists in every language, with the same placeholders and links. */
import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

type Texts = Readonly<Record<string, string>>;
const readTexts = (path: string) => JSON.parse(readFileSync(path, 'utf8')) as Texts;
const files = (folder: string, pattern: RegExp) => readdirSync(folder).filter(name => pattern.test(name));
const english = readTexts('package.nls.json');
const translated = files('.', /^package\.nls\..+\.json$/);
const bundles = files('l10n', /^bundle\.l10n\..+\.json$/);
const sorted = (names: Iterable<string>) => [...new Set(names)].sort();

/** What a translation keeps: `{0}`, `$(icon)`, `(command:…)`, code, settings. */
const fixed = (text: string) =>
  sorted([...text.matchAll(/\{\d\}|\$\([\w-]+\)|\(command:[^)]*\)|`[^`]*`/g)].map(m => m[0]));

const clientCode = readdirSync('client', { recursive: true, encoding: 'utf8' })
  .filter(name => name.endsWith('.ts'))
  .map(name => readFileSync(`client/${name}`, 'utf8'))
  .join('\n');
/** The literal texts given to `vscode.l10n.t` and, in the panel's page, to `t`. */
const literals = [...clientCode.matchAll(/[^\w]t\(\s*'((?:[^'\\]|\\.)*)'/g)].map(m => m[1]!);

it('the manifest uses every key, and no other', () => {
  const used = [...readFileSync('package.json', 'utf8').matchAll(/"%([\w.]+)%"/g)].map(m => m[1]!);
  expect(sorted(used)).toEqual(sorted(Object.keys(english)));
});

it('the manifest has no text of its own for people', () => {
  const { contributes } = JSON.parse(readFileSync('package.json', 'utf8')) as { contributes: object };
  const plain = [
    ...JSON.stringify(contributes).matchAll(
      /"(title|contents|description|markdownDescription|altText|name)":"([^%][^"]*)"/g,
    ),
  ];
  // Proper names.
  expect(plain.map(m => m[2]).filter(text => text?.toLowerCase() !== 'strata')).toEqual([]);
});

it.each(translated)('%s has all texts', name => {
  const texts = readTexts(name);
  expect(Object.keys(texts)).toEqual(Object.keys(english));
  for (const [key, text] of Object.entries(english)) expect(fixed(texts[key]!), key).toEqual(fixed(text));
});

it('the client asks for literal texts alone', () => {
  const calls = clientCode.replace('function t(', '').match(/[^\w]t\(/g);
  expect(calls).toHaveLength(literals.length);
});

it.each(bundles)('%s has all texts of the client, and no other', name => {
  const texts = readTexts(`l10n/${name}`);
  expect(sorted(Object.keys(texts))).toEqual(sorted(literals));
  for (const [text, translation] of Object.entries(texts)) expect(fixed(translation), text).toEqual(fixed(text));
});

it('manifest and client speak the same languages', () => {
  const language = (name: string) => name.split('.').at(-2);
  expect(translated.map(language)).toEqual(bundles.map(language));
  expect(translated.length).toBeGreaterThan(0);
});
