/** The `npy` and `npz` sources: arrays that NumPy saved (numpy.lib.format), whose first axis is the samples. */
import type { Call } from '../ir/program.ts';
import { EngineError } from '../util/errors.ts';
import { type ArraySet, arraySchema, arraySet, ELEMENTS, type StoredArray } from './elements.ts';
import { type DataFile, readRange } from './file.ts';
import { demandWithin, LIMITS } from './limits.ts';
import type { ResolvePath } from './paths.ts';
import { type DataSet, fileArgument, optionalText, type SourceReader } from './schema.ts';
import { readZipEntry, readZipHead, zipEntries } from './zip.ts';

/** Bytes in which a header ends; NumPy's own are a tenth of it. */
const HEAD = 4096;

/** `npy(path, labels)`: `values`, and `label` of a second file where there is one. */
export const npyReader: SourceReader = {
  schema: (args, resolvePath) => {
    const [first, ...others] = npySets(args, resolvePath).map(set => arraySchema(set));
    return { samples: first!.samples, columns: [first!, ...others].flatMap(({ columns }) => columns) };
  },
  load: async (args, { resolvePath, expected }) => {
    const [first, ...others] = npySets(args, resolvePath).map(set => arraySet(set, expected));
    return others.reduce(joined, first!);
  },
};

/** `npz(path, target)`: a column an array. */
export const npzReader: SourceReader = {
  schema: (args, resolvePath) => arraySchema(npzSet(args, resolvePath)),
  load: async (args, { resolvePath, expected }) => arraySet(npzSet(args, resolvePath), expected),
};

function joined(a: DataSet, b: DataSet): DataSet {
  return { ...a, ...b, columns: [...a.columns, ...b.columns] };
}

function npySets(args: Call['args'], resolvePath: ResolvePath): readonly ArraySet[] {
  const values = npyFile(fileArgument(args, 'path', resolvePath), 'values');
  if (optionalText(args, 'labels') === undefined) return [values];
  const labels = npyFile(fileArgument(args, 'labels', resolvePath), 'label');
  const [left, right] = [values, labels].map(({ arrays }) => arrays[0]?.shape[0]);
  if (left !== right)
    throw malformed(labels.file, `expected ${left} labels, one for each sample of ${values.file.name}, found ${right}`);
  return [values, { ...labels, target: 'label' }];
}

function npyFile(file: DataFile, name: string): ArraySet {
  const { start, ...header } = parseNpy(file, name, readRange(file, 0, HEAD));
  const contents = (limit: number = LIMITS.dataBytes): Uint8Array => readRange(file, start, limit);
  return { file, arrays: [{ name, ...header, contents }] };
}

function npzSet(args: Call['args'], resolvePath: ResolvePath): ArraySet {
  const file = fileArgument(args, 'path', resolvePath);
  const target = optionalText(args, 'target');
  const entries = zipEntries(file).filter(({ name }) => name.endsWith('.npy'));
  demandWithin(file.name, 'arrays', entries.length, LIMITS.columns);
  demandWithin(
    file.name,
    'bytes of arrays',
    entries.reduce((sum, { size }) => sum + size, 0),
    LIMITS.dataBytes,
  );
  const arrays = entries.map((entry): StoredArray => {
    const name = entry.name.slice(0, -'.npy'.length);
    const { start, ...header } = parseNpy(file, name, readZipHead(file, entry));
    return { name, ...header, contents: () => readZipEntry(file, entry).subarray(start) };
  });
  return { file, arrays, ...(target !== undefined && { target }) };
}

type NpyHeader = Pick<StoredArray, 'element' | 'little' | 'shape'> & { readonly start: number };

/** The magic string, a version, and a Python dictionary of type, order and shape. Throws `data-malformed`. */
function parseNpy(file: DataFile, name: string, head: Uint8Array): NpyHeader {
  const text = Buffer.from(head.buffer, head.byteOffset, head.byteLength).toString('latin1');
  if (!text.startsWith('\x93NUMPY'))
    throw malformed(file, `expected an array of NumPy in "${name}", found another format`);
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const from = head[6] === 1 ? 10 : 12;
  if (head.length < from) throw malformed(file, `expected a header in "${name}", found a part; the file is cut`);
  const start = from + (head[6] === 1 ? view.getUint16(8, true) : view.getUint32(8, true));
  const header = text.slice(from, start);
  const type = /'descr':\s*'([<>|=])(\w+)'/.exec(header);
  const order = /'fortran_order':\s*(True|False)/.exec(header)?.[1];
  const sizes = /'shape':\s*\(([\d,\s]*)\)/.exec(header)?.[1];
  const element = type?.[2] !== undefined && Object.hasOwn(ELEMENTS, type[2]) ? ELEMENTS[type[2]] : undefined;
  if (start > head.length || order === undefined || sizes === undefined)
    throw malformed(file, `expected a header with type, order and shape in "${name}", found none`);
  if (type === null || element === undefined) {
    const found = /'descr':\s*([^,]{0,40})/.exec(header)?.[1] ?? 'none';
    throw malformed(
      file,
      `expected an array of numbers in "${name}", found the type ${found}; save it as float32 or int32`,
    );
  }
  const shape = sizes.split(',').flatMap(size => (size.trim() === '' ? [] : Number(size)));
  if (order === 'True' && shape.filter(size => size > 1).length > 1)
    throw malformed(file, `expected "${name}" in C order, found Fortran order; save numpy.ascontiguousarray of it`);
  return { element, little: type[1] !== '>', shape, start };
}

function malformed(file: DataFile, what: string): EngineError {
  return new EngineError('data-malformed', `${file.name}: ${what}`);
}
