/** The `csv` source: a table with a header, one column a field; types, categories and missing values are found in the file. */
import { parseTable } from './csvTable.ts';
import { decodeText, readHead, readWhole } from './file.ts';
import { LIMITS } from './limits.ts';
import { fileArgument, type SourceReader, schemaOf } from './schema.ts';
import { tableSet, wishesOf } from './table.ts';

/**
 * `csv(path, target, categories, texts, …)`: a column a field, as `tableSet` makes them: f32, i32, category (i32 with classes), and for those
 * named in `texts` rows of tokens, cut as the rest of the arguments say. The schema is inferred from the first 16 MiB.
 */
export const csvReader: SourceReader = {
  schema(args, resolvePath) {
    const file = fileArgument(args, 'path', resolvePath);
    const bytes = readHead(file, LIMITS.schemaBytes);
    const whole = bytes.length < LIMITS.schemaBytes;
    const table = parseTable(file, decodeText(file, bytes, whole), whole);
    const { samples, columns } = schemaOf(tableSet(file, table, wishesOf(args)));
    return whole ? { samples, columns } : { columns };
  },
  async load(args, { resolvePath, expected }) {
    const file = fileArgument(args, 'path', resolvePath);
    const table = parseTable(file, decodeText(file, await readWhole(file, 2 ** 29), true));
    return tableSet(file, table, wishesOf(args), expected);
  },
};
