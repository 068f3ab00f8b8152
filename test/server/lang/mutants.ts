/** A seeded generator of single mistakes: those marked in `mutationPrograms.ts`, and those that can be made in any program. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Call } from '../../../engine/ir/program.ts';
import { library } from '../../../engine/ops/library/library.ts';
import { runSchemaJob } from '../../../server/data/schemaJob.ts';
import { analyze } from '../../../server/lang/analyze.ts';
import type { SchemaResult, SemanticToken, Span } from '../../../server/lang/api.ts';
import { analyzeSettled, createLangHost, type DiskHost } from '../../../server/runs/langHost.ts';
import { markedPrograms, type Replacement, unmark } from './mutationPrograms.ts';

export interface Mutant {
  readonly kind: string;
  readonly program: string;
  readonly text: string;
  /** What was put in, in `text`. */
  readonly place: Span;
}

const examples = new URL('../../../examples/', import.meta.url);
const disk = createLangHost({ run: runSchemaJob, workspaceOf: () => fileURLToPath(examples) });
for (const name of exampleNames())
  await analyzeSettled(new URL(name, examples).href, readFileSync(new URL(name, examples), 'utf8'), disk);
/** As if it lay beside the examples. */
export const mutantUri = new URL('mutant.strata', examples).href;
const image = { name: 'image', dtype: 'u8', shape: [28, 28] } as const;
const label = { name: 'label', dtype: 'i32', shape: [], classes: 10 } as const;
const real = (name: string, shape: readonly number[] = []) => ({ name, dtype: 'f32', shape }) as const;
const species = { name: 'species', dtype: 'i32', shape: [], classes: 3 } as const;

/** Files that would be on a disk: digits of IDX, irises of CSV. */
function schemaOf({ name, args }: Call): SchemaResult | undefined {
  if (name === 'idx') return { kind: 'schema', columns: [image, label], samples: 60_000 };
  if (name !== 'csv' || args.path !== 'iris.csv') return undefined;
  return { kind: 'schema', columns: [real('features', [4]), real('sepal_length'), species], samples: 150 };
}

/** The data of the examples as they are; a path with "missing" in it isn't there. */
export const mutationHost: DiskHost = {
  schemas: disk.schemas,
  readText: () => undefined,
  readSchema: (source, from) => {
    const missing = Object.entries(source.args).find(([, v]) => typeof v === 'string' && v.includes('missing'));
    if (missing)
      return { kind: 'problem', code: 'data-missing', message: `no file at ${missing[1]}`, argument: missing[0] };
    return schemaOf(source) ?? disk.readSchema(source, from);
  },
  internalError: error => {
    throw error;
  },
};

function exampleNames(): readonly string[] {
  return readdirSync(examples).filter(name => name.endsWith('.strata'));
}

/** Name and text of every program that is mutated, and the mistakes marked in it. */
export function basePrograms(): readonly (readonly [name: string, text: string, marked: readonly Replacement[]])[] {
  const own = markedPrograms.map((marked, i) => {
    const { text, mutations } = unmark(marked);
    return [`marked ${i + 1}`, text, mutations] as const;
  });
  return [...own, ...exampleNames().map(name => [name, readFileSync(new URL(name, examples), 'utf8'), []] as const)];
}

export function mutants(seed = 1): readonly Mutant[] {
  const random = generator(seed);
  return basePrograms().flatMap(([program, text, marked]) => {
    const seen = new Set<string>();
    return [...marked, ...tokenMistakes(text, random), ...lineMistakes(text)].flatMap(({ kind, start, end, by }) => {
      const mutated = text.slice(0, start) + by + text.slice(end);
      if (mutated === text || seen.has(mutated)) return [];
      seen.add(mutated);
      return [{ kind, program, text: mutated, place: { start, end: start + by.length } }];
    });
  });
}

/** Numerical Recipes' linear congruential generator: whole numbers below n. */
function generator(seed: number): (n: number) => number {
  let state = seed >>> 0;
  return n => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
}

/** Names in reach of some lookup; no misspelling may hit another one. */
const libraryNames = new Set(Object.values(library).flatMap(place => Object.keys(place)));
const keywords = /^(?:minimize|report|stop|epochs|seed|split|batch|augment|clip|test)$/;
const optimizers = new Set(Object.keys(library.optimizer));

/** A letter doubled, dropped, or swapped with the next one. */
function misspell(word: string, taken: ReadonlySet<string>, random: (n: number) => number): string {
  for (let tries = 0; tries < 20; tries++) {
    const at = random(word.length);
    const way = random(3);
    const swapped = `${word.slice(0, at)}${word[at + 1] ?? ''}${word[at]}${word.slice(at + 2)}`;
    const dropped = word.slice(0, at) + word.slice(at + 1);
    const doubled = word.slice(0, at) + word[at] + word.slice(at);
    const result = [swapped, dropped, doubled][way]!;
    if (result.length > 0 && !taken.has(result) && /^[a-z_]/i.test(result)) return result;
  }
  return `${word}q`;
}

function tokenKind({ type, modifiers, span }: SemanticToken, text: string): string | undefined {
  const word = text.slice(span.start, span.end);
  if (modifiers.includes('declaration')) return undefined;
  if (type === 'function' && modifiers.includes('defaultLibrary'))
    return optimizers.has(word) ? 'misspelt optimiser' : 'misspelt library name';
  if (type === 'variable') return 'misspelt variable';
  if (type === 'property' && text[span.start - 1] !== '.') return 'misspelt field';
  if (type === 'parameter') return text[span.end] === ':' ? 'misspelt argument' : 'misspelt parameter';
  if (type === 'model') return 'misspelt model';
  if (type === 'dataset') return 'misspelt data set';
  return type === 'keyword' && keywords.test(word) ? 'misspelt setting' : undefined;
}

function tokenMistakes(text: string, random: (n: number) => number): readonly Replacement[] {
  const { tokens } = analyze(mutantUri, text, mutationHost);
  const words = new Set([...libraryNames, ...(text.match(/\w+/g) ?? [])]);
  return tokens.flatMap(token => {
    const kind = tokenKind(token, text);
    const { start, end } = token.span;
    return kind === undefined ? [] : [{ kind, start, end, by: misspell(text.slice(start, end), words, random) }];
  });
}

/** Mistakes by the look of the text, each wrong in any sound program. */
const patterns: readonly (readonly [kind: string, pattern: RegExp, by: string])[] = [
  ['missing bracket', /\)/g, ''],
  ['missing bracket', /[\]}]/g, ''],
  ['missing bracket', /[([](?=\w)/g, ''],
  ['bracket too many', /\)(?=\n)/g, '))'],
  ['damaged pipe', /\|>/g, '|'],
  ['missing comma', /, (?=\w)/g, ' '],
  ['missing colon', /(?<=\w): (?=\d)/g, ' '],
  ['missing equals', /(?<=\n {2}\w+ *)= /g, ''],
  [
    'missing argument',
    /(?<=\b(?:linear|embedding|lstm|gru|rnn|conv2d|self_attention|step_decay|linear_warmup)\()[^()]+(?=\))/g,
    '',
  ],
  ['extra argument', /(?<=\|> (?:relu|tanh|flatten|batch_norm|layer_norm|gelu))(?= |\n)/g, '(1, 2, 3, 4)'],
  [
    'wrong kind of argument',
    /(?<=(?:linear|epochs|seed|batch|kernel:|heads:|every:|lr:|dropout|clip)[ (])[\d.]+/g,
    '"many"',
  ],
  ['wrong kind of argument', /(?<=(?:linear|embedding|lstm)\()\d+(?=\))/g, '2.5'],
  ['missing minimize', /\n {2}minimize[^\n]*(?=\n)/g, ''],
  ['missing length', /\n {2}epochs[^\n]*(?=\n)/g, ''],
  ['missing optimiser', / using [^\n]*(?=\n)/g, ''],
  ['duplicate setting', /(?<=\n)( {2}(?:epochs|batch|seed) [^\n]*\n)/g, '$1$1'],
  ['duplicate declaration', /(?<=\n)(model (\w+))(?=\()/g, 'model $2(q: [B, 3]) -> [B, 3] {\n  q\n}\n\n$1'],
  ['duplicate parameter', /(?<=\nmodel \w+\()(\w+)(?=: )/g, '$1: int, $1'],
  ['unused layer', /(?<=\nmodel [^\n]*\{)\n/g, '\n  spare = linear(3)\n'],
  ['split out of range', /(?<=validation: )0\.\d+/g, '1.5'],
  ['batch too large', /(?<=\n {2}batch )\d+/g, '99999999'],
  ['missing file', /(?<=[(: ])"(?=[\w/.-]+\.(?:gz|csv|txt)")/g, '"missing/'],
  ['rate out of range', /(?<=dropout\()0\.\d+/g, '1.5'],
  ['declared result', /(?<=, )(\d+)(?=\] (?:where[^\n]*)?\{)/g, '1$1'],
  ['swapped arguments', /(?<=(?:cross_entropy|accuracy)\()(\w+), (\w+)(?=\))/g, '$2, $1'],
  ['softmax before cross_entropy', /(?<=cross_entropy\(\w+)(?=,)/g, ' |> softmax'],
  ['image for a label', /(?<=cross_entropy\(\w+, )label/g, 'image'],
  ['label for an image', /(?<=net\()image(?=\))/g, 'label'],
];

function lineMistakes(text: string): readonly Replacement[] {
  return patterns.flatMap(([kind, pattern, by]) =>
    [...text.matchAll(pattern)].flatMap(m => {
      if (inComment(text, m.index)) return [];
      const put = by.replace(/\$(\d)/g, (_, i: string) => m[Number(i)] ?? '');
      return [{ kind, start: m.index, end: m.index + m[0].length, by: put }];
    }),
  );
}

function inComment(text: string, at: number): boolean {
  return text.slice(text.lastIndexOf('\n', at - 1) + 1, at).includes('//');
}
