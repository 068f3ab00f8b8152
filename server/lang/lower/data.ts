/** The data plan: the source, the splits, and the transforms as graphs over batches of samples. */
import { dimVar } from '../../../engine/dim/dim.ts';
import type { Graph } from '../../../engine/ir/graph.ts';
import type { ColumnSchema, DataPlan, Fit } from '../../../engine/ir/program.ts';
import type { OutputSpec, Value } from '../../../engine/ops/builder.ts';
import { dce } from '../../../engine/passes/dce.ts';
import { never } from '../../../engine/util/errors.ts';
import { batchVariable, type Context } from '../check/context.ts';
import { type DataFace, emitAugment, emitFields, fieldOf } from '../check/data.ts';
import type { Meaning, TensorMeaning } from '../check/meaning.ts';
import { emptySheet } from '../check/records.ts';
import { Scope } from '../check/scope.ts';
import type { World } from '../check/world.ts';
import type { DataDeclaration } from '../syntax/ast.ts';
import { type Builder, builder, type FitSpec } from './emission.ts';
import { loweringRules } from './rules.ts';

/** Far from the streams of dropout, which count from 0. */
const augmentStreams = 1_000_000;
const prepareStreams = 2_000_000;

/** What training takes from the data. */
export interface DataUse {
  /** The fields that it reads; others are not prepared. */
  readonly fields: ReadonlySet<string>;
  /** What it learns from fields as they are. */
  readonly fits: readonly (Fit & { readonly field: string })[];
}

export function dataPlan(world: World, name: string, data: DataFace, { fields: used, fits }: DataUse): DataPlan {
  const home = homeOf(world, name);
  const node = home?.find(name)?.node;
  if (!home || node?.kind !== 'data' || !data.source || !data.fields)
    throw never('lowering of a data block with errors', name);
  const augment = augmentGraph(home, node, data.fields, used);
  const balanced = data.balance === undefined ? [] : [data.balance];
  const read = new Set([...used, ...balanced, ...inputNames(augment)].filter(field => data.fields?.has(field)));
  return {
    name,
    source: data.source,
    ...(data.test && { test: data.test }),
    split: data.split,
    batch: data.batch,
    shuffle: data.shuffle,
    ...(data.balance !== undefined && { balance: data.balance }),
    columns: data.columns.map(({ name, dtype, shape, classes, classNames, rate }) => ({
      name,
      dtype,
      shape,
      ...(classes !== undefined && { classes }),
      ...(classNames && { classNames }),
      ...(rate !== undefined && { rate }),
    })),
    ...preparation(home, node, data.columns, read, fits),
    ...(augment && { augment }),
  };
}

/** The file that declares the block: this one, or one it imports from. */
function homeOf(world: World, name: string): World | undefined {
  if (world.find(name)?.node.kind !== 'import') return world;
  const target = world.lookup(name)?.target;
  return target?.kind === 'global' ? world.worldOf(target.uri) : undefined;
}

function dataContext(world: World, node: DataDeclaration, emission: Builder): Context {
  const entry = world.find(node.name.name);
  if (!entry) throw never('a data block that is gone', node.name.name);
  return {
    ...world.context(entry, emptySheet(), new Map()),
    rules: loweringRules(world),
    scope: new Scope(),
    places: ['transform'],
    perSample: true,
    emission,
  };
}

/** The transforms of the fields in use, what they and the training learn from the data, and the classes to hold fields to. */
function preparation(
  world: World,
  node: DataDeclaration,
  columns: readonly ColumnSchema[],
  used: ReadonlySet<string>,
  wanted: DataUse['fits'],
): Pick<DataPlan, 'prepare' | 'fits' | 'classes'> {
  const emission = builder(false, { firstStream: prepareStreams, fittedAs: 'input' });
  const context = dataContext(world, node, emission);
  const fields = new Map<string, Meaning>(columns.map(c => [c.name, columnField(emission, c)]));
  emitFields(context, node, fields);
  const outputs = results(fields, name => used.has(name));
  const needed = neededFits(emission, outputs);
  const fits = [...needed, ...wanted.map(fit => ({ ...fit, values: nodeOf(fields, fit.field) }))];
  const prepare = emission.b.finish('prepare', [
    ...outputs,
    ...fits.map(({ name, values }) => ({ name, value: values })),
  ]);
  const classes = outputs.flatMap(({ name }) => {
    const m = fields.get(name);
    return m?.kind === 'tensor' && typeof m.classes === 'number' ? [[name, m.classes] as const] : [];
  });
  return {
    prepare: dce(prepare),
    ...(fits.length > 0 && { fits: fits.map(({ name, statistic }) => ({ name, statistic })) }),
    ...(classes.length > 0 && { classes: Object.fromEntries(classes) }),
  };
}

/** Those that the fields in use depend on, directly or by way of others. */
function neededFits({ b, fits }: Builder, outputs: readonly OutputSpec[]): readonly FitSpec[] {
  let needed: readonly FitSpec[] = [];
  for (;;) {
    const specs = needed.map(({ name, values }) => ({ name, value: values }));
    const read = new Set(inputNames(dce(b.finish('prepare', [...outputs, ...specs]))));
    const found = fits.filter(fit => read.has(fit.name));
    if (found.length === needed.length) return needed;
    needed = found;
  }
}

function nodeOf(fields: ReadonlyMap<string, Meaning>, name: string): Value {
  const m = fields.get(name);
  if (m?.kind === 'tensor' && m.node) return m.node;
  throw never('a fit of a field that is not there', name);
}

/** Bytes become f32, labels i32. */
function columnField({ b }: Builder, column: ColumnSchema): TensorMeaning {
  const meaning = fieldOf(column);
  const input = b.input(column.name, { dtype: column.dtype, shape: [dimVar(batchVariable), ...column.shape] });
  return { ...meaning, node: b.cast(input, meaning.dtype) };
}

function augmentGraph(
  world: World,
  node: DataDeclaration,
  fields: ReadonlyMap<string, Meaning>,
  used: ReadonlySet<string>,
): Graph | undefined {
  const block = node.body?.statements.find(s => s.kind === 'setting' && s.keyword.name === 'augment');
  if (block?.kind !== 'setting') return undefined;
  const emission = builder(true, { firstStream: augmentStreams });
  const context: Context = { ...dataContext(world, node, emission), augmenting: true };
  const inputs = new Map<string, Meaning>();
  for (const [name, m] of fields) {
    if (m.kind !== 'tensor') continue;
    inputs.set(name, {
      ...m,
      node: emission.b.input(name, { dtype: m.dtype, shape: [dimVar(batchVariable), ...m.shape] }),
    });
  }
  const changed = emitAugment(context, block, inputs);
  if (changed.size === 0) return undefined;
  const outputs = results(changed, name => used.has(name));
  // Fields that nothing here reads must not be asked for.
  return outputs.length === 0 ? undefined : dce(emission.b.finish('augment', outputs));
}

function inputNames(graph: Graph | undefined): readonly string[] {
  return graph?.nodes.filter(n => n.op === 'input').map(n => String(n.attributes.name)) ?? [];
}

function results(fields: ReadonlyMap<string, Meaning>, wanted: (name: string) => boolean) {
  return [...fields].flatMap(([name, m]) =>
    m.kind === 'tensor' && m.node && wanted(name) ? [{ name, value: m.node }] : [],
  );
}
