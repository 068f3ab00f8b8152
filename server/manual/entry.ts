/** What the manual says of one name: a function of the library or a setting of a block. */
import type { LibraryFunction } from '../../engine/ops/library/function.ts';
import { library } from '../../engine/ops/library/library.ts';
import { never } from '../../engine/util/errors.ts';
import { type Callee, type CallPlace, libraryCallee, libraryNames } from '../lang/check/callee.ts';
import { type HyperKind, type SignatureParameter, showOwn, showPattern } from '../lang/check/signature.ts';
import { dataSettings, type SettingDeclaration, trainSettings } from '../lang/syntax/settings.ts';

/** A page of the manual that is about one name. */
export interface Entry {
  readonly name: string;
  /** Path without `.md`; hovers link there. */
  readonly topic: string;
  /** Noun, lower case: `layer`, `setting of a train block`. */
  readonly kind: string;
  /** The signature, or a line that uses the setting. */
  readonly head: string;
  readonly doc: string;
  /** Markdown below the head line. */
  readonly body: string;
}

/** Every place where functions are called, in the order of the manual. */
export const places = ['model', 'metric', 'transform', 'source', 'optimizer', 'schedule', 'stop'] as const;

const kinds: Readonly<Record<LibraryFunction['kind'], string>> = {
  function: 'function',
  layer: 'layer',
  loss: 'loss',
  metric: 'metric',
  transform: 'transform',
  optimizer: 'optimiser',
  schedule: 'schedule',
  source: 'data source',
};

/** What a parameter takes, in words. */
const takes: Readonly<Record<HyperKind, string>> = {
  int: 'a whole number',
  float: 'a number',
  bool: '`true` or `false`',
  string: 'a text',
  path: 'a path, from the folder of the file',
  shape: 'a shape such as `[B, 64]`',
  numbers: 'numbers such as `[18, 65]`',
  sizes: 'a whole number, or one for each axis',
  padding: 'a whole number, one for each axis, or `"same"`',
  schedule: 'a number or a [schedule](../schedule.md)',
  optimizer: 'an [optimiser](../optimizer.md)',
  source: 'a [data source](../source.md)',
  metric: 'a metric of the run such as `validation.loss`',
  stop: 'a [rule](../stop.md)',
  layer: 'a function or layer of one tensor, such as `relu`',
};

/** The functions of a place, by name. */
export function libraryEntries(place: CallPlace): readonly Entry[] {
  return libraryNames([place])
    .toSorted()
    .map(name => libraryEntry(place, name));
}

function libraryEntry(place: CallPlace, name: string): Entry {
  const callee = libraryCallee(name, place);
  if (callee === undefined) throw never('a name without a function', name);
  const { signature, doc, library: found } = callee;
  const { parameters, results, requirements } = signature;
  const parts = [
    fence(signature.label),
    doc,
    parameters.length === 0 ? '' : parameterTable(callee),
    facts(
      [
        results && place !== 'metric' ? `Result: ${results.map(r => code(showPattern(r))).join(', ')}.` : '',
        requirements.length > 0 ? `Requires ${requirements.map(r => code(showOwn(r))).join(' and ')}.` : '',
        ...(found ? remarks(found.fn) : []),
      ].filter(Boolean),
    ),
    `## Example\n\n${fence(found?.fn.example ?? plainExample(place, callee))}`,
    elsewhere(place, name),
  ];
  const kind = found ? kinds[found.fn.kind] : 'rule that ends a run';
  return { name, topic: `library/${place}/${name}`, kind, head: signature.label, doc, body: join(parts) };
}

function parameterTable({ signature }: Callee): string {
  const rows = signature.parameters.map(p => {
    const fallback = p.fallback ? code(signature.label.slice(p.fallback.start, p.fallback.end)) : '';
    return `| ${code(p.name)} | ${taken(p)} | ${fallback || (p.optional ? 'may be left out' : '')} |`;
  });
  return ['| parameter | takes | default |', '| --- | --- | --- |', ...rows].join('\n');
}

function taken({ type }: SignatureParameter): string {
  switch (type.kind) {
    case 'tensor':
      return `a tensor ${code(showPattern(type.pattern))}`;
    case 'choice':
      return type.options.map(word => (word === 'float' ? 'a number' : code(word))).join(' or ');
    case 'error':
      throw never('a signature of the library with an unknown type');
    default:
      return takes[type.kind];
  }
}

/** What a declaration says beside its signature. */
function remarks(fn: LibraryFunction): readonly string[] {
  const learns = fn.fitted ? ['Learns numbers from the training samples, which are kept with the weights.'] : [];
  switch (fn.kind) {
    case 'layer':
      return ['Owns weights: a value that is made once and applied twice shares them.', ...learns];
    case 'metric':
      return [`The ${fn.better} the better.`];
    case 'transform': {
      const drawn = fn.once ? 'Random: drawn anew each step in `augment`, or once a sample among the fields.' : '';
      return [fn.random ? drawn || 'Random: stands in `augment`, where it is drawn anew each step.' : '', ...learns];
    }
    case 'schedule':
      return fn.observed ? ['Follows its `monitor`, a metric of the epochs.'] : [];
    default:
      return learns;
  }
}

/** Where a declaration has no example of its own, its signature gives one: there is nothing to choose in it. */
function plainExample(place: CallPlace, { signature: { name, parameters } }: Callee): string {
  const given = parameters.filter(p => !p.optional && p.fallback === undefined);
  const tensors = given.filter(p => p.type.kind === 'tensor').map(p => p.name);
  if (place === 'optimizer') return `minimize cross_entropy(logits, label) using ${name}(lr: 0.001)`;
  if (place === 'stop') return `stop ${name}(patience: 5)`;
  if (tensors.length < given.length) throw never('a function with hyperparameters needs an example', name);
  if (place === 'metric') return `report ${name}(${tensors.join(', ')})`;
  return tensors.length === 1 ? `${tensors[0]} |> ${name}` : `${name}(${tensors.join(', ')})`;
}

/** The same name at other places. */
function elsewhere(place: CallPlace, name: string): string {
  const others = (Object.keys(library) as (keyof typeof library)[]).filter(
    other => other !== place && libraryCallee(name, other) !== undefined,
  );
  const links = others.map(other => `[${name}](../${other}/${name}.md), a ${kinds[library[other][name]!.kind]}`);
  return links.length === 0 ? '' : `See also ${links.join('; ')}.`;
}

/** The settings of data or train blocks. */
export function settingEntries(block: 'data' | 'train'): readonly Entry[] {
  const table: Readonly<Record<string, SettingDeclaration>> = block === 'data' ? dataSettings : trainSettings;
  return Object.entries(table).map(([name, { doc, example, several, words, named }]) => {
    const notes = [
      ...(several ? [`A block may have several.`] : []),
      ...(words ? [`Takes ${words.map(code).join(', ')}.`] : []),
      ...Object.entries(named ?? {}).map(([argument, meaning]) => `${code(`${argument}:`)} ${meaning}`),
    ];
    const body = join([doc, facts(notes), `## Example\n\n${fence(example)}`]);
    return { name, topic: `settings/${block}/${name}`, kind: `setting of a ${block} block`, head: example, doc, body };
  });
}

export const code = (text: string): string => `\`${text.replaceAll('|', '\\|')}\``;
export const fence = (text: string): string => `\`\`\`strata\n${text.trimEnd()}\n\`\`\``;
export const join = (parts: readonly string[]): string => parts.filter(part => part !== '').join('\n\n');
const facts = (lines: readonly string[]): string =>
  lines
    .filter(line => line !== '')
    .map(line => `- ${line}`)
    .join('\n');
