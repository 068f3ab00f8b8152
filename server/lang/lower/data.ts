/** The data plan: the source, the splits, and the transforms as graphs over batches of samples. */
import { dimVar } from '../../../engine/dim/dim.ts';
import type { Graph } from '../../../engine/ir/graph.ts';
import type { ColumnSchema, DataPlan } from '../../../engine/ir/program.ts';
import { dce } from '../../../engine/passes/dce.ts';
import { never } from '../../../engine/util/errors.ts';
import type { Context } from '../check/context.ts';
import { type DataFace, emitAugment, emitFields, fieldOf } from '../check/data.ts';
import type { Meaning, TensorMeaning } from '../check/meaning.ts';
import { emptySheet } from '../check/records.ts';
import { Scope } from '../check/scope.ts';
import { batchVariable } from '../check/train.ts';
import type { World } from '../check/world.ts';
import type { DataDeclaration } from '../syntax/ast.ts';
import { type Builder, builder } from './emission.ts';
import { loweringRules } from './rules.ts';

/** Far from the streams of dropout, which count from 0. */
const augmentStreams = 1_000_000;

/** `used`: the fields that training reads; others are not prepared. */
export function dataPlan(world: World, name: string, data: DataFace, used: ReadonlySet<string>): DataPlan {
  const home = homeOf(world, name);
  const node = home?.find(name)?.node;
  if (!home || node?.kind !== 'data' || !data.source || !data.fields)
    throw never('lowering of a data block with errors', name);
  const augment = augmentGraph(home, node, data.fields, used);
  const read = new Set([...used, ...inputNames(augment)].filter(field => data.fields?.has(field)));
  return {
    name,
    source: data.source,
    ...(data.test && { test: data.test }),
    split: data.split,
    batch: data.batch,
    shuffle: data.shuffle,
    columns: data.columns.map(({ name, dtype, shape, classes, classNames }) => ({
      name,
      dtype,
      shape,
      ...(classes !== undefined && { classes }),
      ...(classNames && { classNames }),
    })),
    prepare: prepareGraph(home, node, data.columns, read),
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

function prepareGraph(
  world: World,
  node: DataDeclaration,
  columns: readonly ColumnSchema[],
  used: ReadonlySet<string>,
): Graph {
  const emission = builder(false);
  const context = dataContext(world, node, emission);
  const fields = new Map<string, Meaning>(columns.map(c => [c.name, columnField(emission, c)]));
  emitFields(context, node, fields);
  return emission.b.finish(
    'prepare',
    results(fields, name => used.has(name)),
  );
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
  const emission = builder(true, augmentStreams);
  const context = dataContext(world, node, emission);
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
