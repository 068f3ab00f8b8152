/** Samples that are files: a folder per class, a folder whose file names say the classes, or a CSV of paths; sources of images and audio share it. */
import { lstatSync, readdirSync, statSync } from 'node:fs';
import { basename, dirname, extname } from 'node:path/posix';
import type { Call, ColumnSchema } from '../ir/program.ts';
import { EngineError } from '../util/errors.ts';
import { parseTable } from './csvTable.ts';
import { type DataFile, decodeText, readHead } from './file.ts';
import { demandWithin, LIMITS } from './limits.ts';
import type { ResolvePath } from './paths.ts';
import { type DataColumn, fileArgument, optionalText } from './schema.ts';
import type { Table } from './table.ts';
import { columnSchema, fillColumn } from './tableColumn.ts';

/** What the samples of a source are. */
export interface FileKind {
  /** `images`, for messages. */
  readonly noun: string;
  /** Endings of the files that are read, in lower case, with their dot. */
  readonly endings: readonly string[];
  /** Endings of files of the same kind that can not be read: to pass over them in silence would lose samples. */
  readonly unreadable: readonly string[];
}

export interface FileSet {
  readonly samples: number;
  /** File of sample `at`; throws what `resolvePath` does. */
  readonly file: (at: number) => DataFile;
  /** What is known of each file besides its contents: `label`, the parts of its name, or the other columns of the table. */
  readonly columns: readonly DataColumn[];
  /** The column that splits are stratified by. */
  readonly target?: string;
}

/**
 * The files of `path`: with `names` the parts of their names, `{label}_{speaker}_{take}.wav`; else a folder per class, a flat folder (no labels), or a
 * CSV whose first column holds paths from its own folder. Classes are those of `expected`, where it has them.
 * Throws `data-missing`, `data-empty`, `data-malformed`, `data-out-of-range`.
 */
export function fileSet(
  kind: FileKind,
  args: Call['args'],
  resolvePath: ResolvePath,
  expected: readonly ColumnSchema[] = [],
): FileSet {
  const root = fileArgument(args, 'path', resolvePath);
  const names = optionalText(args, 'names');
  if (!statSync(root.path).isDirectory()) return tableOf(root, names, resolvePath, expected);
  const found = names === undefined ? filesByClass(kind, root, resolvePath) : filesOf(kind, root);
  const files = found.map(({ name }) => name);
  if (files.length === 0) {
    throw new EngineError('data-empty', `${root.name}: expected ${kind.noun} (${kind.endings.join(', ')}), found none`);
  }
  const parts = names === undefined ? labelsOf(found) : partsOf(names, files);
  const columns = [...parts].map(([name, values]) => category(root, name, values, files, expected));
  return {
    samples: files.length,
    file: at => fileAt(files[at]!, resolvePath),
    columns,
    ...(parts.has('label') && { target: 'label' }),
  };
}

/** Samples of a set whose headers the checker reads: all of a small set, else some spread over it. Training looks at every one. */
export function probes(samples: number): readonly number[] {
  const count = Math.min(samples, LIMITS.probes);
  return Array.from({ length: count }, (_, at) => Math.floor((at * samples) / count));
}

/** Name, as the user would spell it, of an entry of a folder. */
function member(folder: string, entry: string): string {
  const end = folder.replace(/[\\/]+$/, '');
  return `${end}/${/^file:/i.test(folder) ? encodeURIComponent(entry) : entry}`;
}

function fileAt(name: string, resolvePath: ResolvePath): DataFile {
  return { name, path: resolvePath(name) };
}

interface Found {
  readonly name: string;
  readonly label?: string;
}

/** The files of the folders in `root`, one a class, in alphabetical order; of `root` itself where it has no folders. */
function filesByClass(kind: FileKind, root: DataFile, resolvePath: ResolvePath): readonly Found[] {
  const folders = entriesOf(root).filter(({ folder }) => folder);
  const flat = filesOf(kind, root);
  if (folders.length === 0) return flat;
  if (flat[0] !== undefined) {
    throw malformed(
      flat[0].name,
      'expected files in a folder per class, found one beside the folders; move it into one',
    );
  }
  demandWithin(root.name, 'folders', folders.length, LIMITS.categories);
  return folders.flatMap(({ name: label }) => {
    const name = member(root.name, label);
    const files = filesOf(kind, { name, path: resolvePath(name) });
    if (files.length > 0) return files.map(file => ({ ...file, label }));
    throw new EngineError(
      'data-empty',
      `${name}: expected ${kind.noun} (${kind.endings.join(', ')}) of a class, found none; add some or remove the folder`,
    );
  });
}

function filesOf(kind: FileKind, folder: DataFile): readonly Found[] {
  const files = entriesOf(folder).filter(entry => !entry.folder);
  const strange = files.find(({ name }) => kind.unreadable.includes(extname(name).toLowerCase()));
  if (strange !== undefined) {
    const wanted = kind.endings.map(ending => ending.slice(1)).join(', ');
    throw malformed(member(folder.name, strange.name), `expected one of the formats ${wanted}; convert or remove it`);
  }
  return files
    .filter(({ name }) => kind.endings.includes(extname(name).toLowerCase()))
    .map(({ name }) => ({ name: member(folder.name, name) }));
}

/** The visible entries of a folder in the order of their code units, the same on every machine. */
function entriesOf(folder: DataFile): readonly { readonly name: string; readonly folder: boolean }[] {
  const entries = readdirSync(folder.path, { withFileTypes: true }).filter(({ name }) => !name.startsWith('.'));
  demandWithin(folder.name, 'files', entries.length, LIMITS.files);
  return entries
    .map(entry => ({ name: entry.name, folder: entry.isDirectory() || leadsToFolder(folder, entry) }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

function leadsToFolder(folder: DataFile, entry: { readonly name: string; isSymbolicLink(): boolean }): boolean {
  return (
    entry.isSymbolicLink() &&
    (statSync(`${folder.path}/${entry.name}`, { throwIfNoEntry: false })?.isDirectory() ?? false)
  );
}

function labelsOf(found: readonly Found[]): ReadonlyMap<string, readonly string[]> {
  const labels = found.flatMap(({ label }) => label ?? []);
  return labels.length === 0 ? new Map() : new Map([['label', labels]]);
}

/** The parts of each file's name that stand for `{…}` in the pattern, by part. Throws `data-malformed` with the file that doesn't fit. */
function partsOf(pattern: string, files: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const parts = [...pattern.matchAll(/\{(\w+)\}/g)].map(match => match[1]!);
  const twice = parts.find((part, at) => parts.indexOf(part) !== at);
  if (parts.length === 0 || twice !== undefined || /\}\{/.test(pattern)) {
    throw malformed(
      `"${pattern}"`,
      'expected a pattern of file names with different parts in braces and text between them, such as "{label}_{speaker}.wav"',
    );
  }
  const escaped = pattern.split(/\{\w+\}/).map(text => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  const shape = new RegExp(`^${escaped.join('(.+?)')}$`);
  const rows = files.map(file => {
    const match = shape.exec(basename(file));
    if (match !== null) return match.slice(1);
    throw malformed(file, `expected a name like ${pattern}, found ${basename(file)}; rename or remove the file`);
  });
  return new Map(parts.map((part, at) => [part, rows.map(row => row[at]!)]));
}

/** Texts as a column of categories: numbers in their own order, others in alphabetical order. */
function category(
  root: DataFile,
  name: string,
  values: readonly string[],
  files: readonly string[],
  expected: readonly ColumnSchema[],
): DataColumn {
  const known = expected.find(column => column.name === name)?.classNames;
  const classNames = known ?? sorted([...new Set(values)]);
  demandWithin(root.name, `different values of "${name}"`, classNames.length, LIMITS.categories);
  const codes = new Map(classNames.map((text, code) => [text, code]));
  const data = Int32Array.from(values, (value, at) => {
    const code = codes.get(value);
    if (code !== undefined) return code;
    const names = `${classNames.slice(0, 6).join(', ')}${classNames.length > 6 ? ' …' : ''}`;
    throw new EngineError(
      'data-out-of-range',
      `${files[at]}: expected "${name}" to be one of ${names}, found ${value}`,
    );
  });
  return { name, dtype: 'i32', shape: [], classes: classNames.length, classNames, data };
}

function sorted(texts: string[]): string[] {
  return texts.every(text => /^\d{1,15}$/.test(text)) ? texts.sort((a, b) => Number(a) - Number(b)) : texts.sort();
}

/** A CSV whose first column holds paths, which count from its folder; the other columns are fields of their own. */
function tableOf(
  file: DataFile,
  names: string | undefined,
  resolvePath: ResolvePath,
  expected: readonly ColumnSchema[],
): FileSet {
  if (names !== undefined) throw malformed(file.name, 'expected a folder beside "names", found a file');
  if (lstatSync(file.path).size > LIMITS.schemaBytes)
    throw malformed(
      file.name,
      `expected a folder or a CSV of paths of at most ${LIMITS.schemaBytes} bytes, found more`,
    );
  const table = parseTable(file, decodeText(file, readHead(file, LIMITS.schemaBytes), true));
  const folder = dirname(file.name.replaceAll('\\', '/'));
  const [paths, ...rest] = table.columns;
  const others = rest.map(column => {
    const schema = expected.find(({ name }) => name === column.name) ?? columnSchema(file, table, column);
    return fillColumn(file, table, column, schema);
  });
  const target = others.find(column => column.name === 'label');
  return {
    samples: table.rows,
    file: at => listed(file, String(paths?.cells[at] ?? ''), folder, table.placeOf, at, resolvePath),
    columns: others,
    ...(target && { target: 'label' }),
  };
}

/** The file that row `at` of a table names. */
function listed(
  table: DataFile,
  path: string,
  folder: string,
  placeOf: Table['placeOf'],
  at: number,
  resolvePath: ResolvePath,
): DataFile {
  try {
    return fileAt(folder === '.' ? path : `${folder}/${path}`, resolvePath);
  } catch (cause) {
    if (!(cause instanceof EngineError)) throw cause;
    throw new EngineError(cause.code, `${table.name}, ${placeOf(at)}: ${cause.message}`, { cause });
  }
}

function malformed(place: string, what: string): EngineError {
  return new EngineError('data-malformed', `${place}: ${what}`);
}
