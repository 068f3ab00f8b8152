/** What is shown of a model and what it predicts: the graph that computes it, and how each value looks. */
import { isConstant } from '../../../engine/dim/dim.ts';
import type { Graph } from '../../../engine/ir/graph.ts';
import type { Call, ColumnSchema, Drawing, Prediction, Program, View, ViewFormat } from '../../../engine/ir/program.ts';
import type { OutputSpec } from '../../../engine/ops/builder.ts';
import { dce } from '../../../engine/passes/dce.ts';
import { type Context, report } from '../check/context.ts';
import { fieldOf, type TensorMeaning } from '../check/meaning.ts';
import type { Shown } from '../check/show.ts';
import type { TrainFace } from '../check/train.ts';
import type { Builder } from './emission.ts';

const shownOutput = (at: number) => `show.${at + 1}`;

/** The values shown, and what the losses compare with fields; of several losses over one field the first counts. */
export function inferGraph(
  { b, comparisons }: Builder,
  { shown }: TrainFace,
): { readonly infer: Graph; readonly predictions: readonly Prediction[] } {
  const first = new Map<string, { readonly prediction: Prediction; readonly spec: OutputSpec }>();
  for (const { reading, said, target } of comparisons) {
    const field = fieldOf(target);
    if (field === undefined || !said.node || first.has(field)) continue;
    const output = `predict.${field}`;
    const spec = { name: output, value: said.node };
    first.set(field, { prediction: { output, target: field, as: reading }, spec });
  }
  const views = shown.flatMap(({ meaning }, at) =>
    meaning.node ? [{ name: shownOutput(at), value: meaning.node }] : [],
  );
  const infer = dce(b.finish('infer', [...views, ...[...first.values()].map(each => each.spec)]));
  return { infer, predictions: [...first.values()].map(each => each.prediction) };
}

/** The parts of a Program beyond training. Reports text that can't be drawn. */
export function viewsOf(
  { shown, infer, predictions, context }: ViewSources,
  source: Call,
  columns: readonly ColumnSchema[],
): Pick<Program, 'infer' | 'views' | 'predictions'> {
  const views = shown.map(({ name, meaning, drawing, span }, at): View => {
    const output = shownOutput(at);
    if (drawing === undefined) return { name, output, as: formatOf(meaning, columns) };
    demandDrawable(context, infer, output, span);
    demandKnownPrompt(context, drawing, source, tokenColumn(meaning, columns), span);
    return { name, output, as: { kind: 'generate', ...drawing } };
  });
  return {
    ...(infer.outputs.length > 0 && { infer }),
    ...(views.length > 0 && { views }),
    ...(predictions.length > 0 && { predictions }),
  };
}

interface ViewSources {
  readonly shown: readonly Shown[];
  readonly infer: Graph;
  readonly predictions: readonly Prediction[];
  readonly context: Context;
}

/**
 * Images are [C, H, W], [H, W, C] or [H, W] an item, or rows as long as an image of the source; sound is as long as the recordings of the source;
 * text is classes or tokens that have names.
 */
function formatOf(meaning: TensorMeaning, columns: readonly ColumnSchema[]): ViewFormat {
  const item = meaning.shape.slice(1).filter(isConstant);
  if (meaning.dtype === 'i32') {
    const column = namedColumn(meaning, columns);
    return column === undefined ? { kind: 'numbers' } : { kind: 'text', column: column.name };
  }
  if (meaning.dtype !== 'f32' || item.length !== meaning.shape.length - 1) return { kind: 'numbers' };
  return imageOf(item) ?? flatOf(item, columns) ?? { kind: 'numbers' };
}

function imageOf(item: readonly number[]): ViewFormat | undefined {
  const [first, second, third] = item as [number, number, number];
  const colours = (n: number): n is 1 | 3 => n === 1 || n === 3;
  if (item.length === 2 && first > 1 && second > 1)
    return { kind: 'image', channels: 1, height: first, width: second, order: 'planes' };
  if (item.length !== 3) return undefined;
  if (colours(first)) return { kind: 'image', channels: first, height: second, width: third, order: 'planes' };
  if (colours(third)) return { kind: 'image', channels: third, height: first, width: second, order: 'pixels' };
  return undefined;
}

/** A row that is as long as an image or a recording of the data source is shown as one. */
function flatOf(item: readonly number[], columns: readonly ColumnSchema[]): ViewFormat | undefined {
  const length = item.reduce((product, size) => product * size, 1);
  if (item.length > 2 || item.length === 0) return undefined;
  for (const { shape, rate } of columns) {
    if (shape.reduce((product, size) => product * size, 1) !== length) continue;
    if (rate !== undefined) return { kind: 'audio', rate };
    const image = imageOf(shape);
    if (image) return image;
  }
  return undefined;
}

/** The column of the field itself, or the first with as many classes, where they have names. */
function namedColumn({ field, classes }: TensorMeaning, columns: readonly ColumnSchema[]): ColumnSchema | undefined {
  const fitting = columns.filter(column => column.classNames && column.classes === classes);
  return fitting.find(column => column.name === field) ?? fitting[0];
}

function tokenColumn({ shape }: TensorMeaning, columns: readonly ColumnSchema[]): ColumnSchema | undefined {
  return columns.find(column => column.classNames && column.classes === shape[2]);
}

/** Text is drawn by putting tokens in the place of one field. */
function demandDrawable(context: Context, infer: Graph, output: string, span: Shown['span']): void {
  const alone = dce({ ...infer, outputs: infer.outputs.filter(o => o.name === output) });
  const fields = [...inputNames(alone)].filter(name => name !== 'seed' && name !== 'step');
  const value = alone.nodes[alone.outputs[0]!.value]!;
  const tokens = alone.nodes.find(node => node.op === 'input' && node.attributes.name === fields[0]);
  const fits = tokens?.type.dtype === 'i32' && String(tokens.type.shape[1]) === String(value.type.shape[1]);
  if (fields.length === 1 && fits) return;
  const names = fields.length === 0 ? 'no field' : fields.join(', ');
  const expected = 'scores that depend on one field, the tokens';
  report(context, 'type-mismatch', span, { subject: 'generate', expected, found: `scores that depend on ${names}` });
}

/** Tokens of characters and byte pairs cover the characters of the training text alone; words have a token for all others. */
function demandKnownPrompt(
  context: Context,
  { prompt }: Drawing,
  source: Call,
  column: ColumnSchema | undefined,
  span: Shown['span'],
): void {
  if (column?.classNames === undefined || source.args.tokens === 'words') return;
  const known = new Set(column.classNames);
  const strange = [...prompt].find(character => !known.has(character));
  if (strange === undefined) return;
  const expected = `characters of the training text`;
  report(context, 'value-out-of-range', span, { subject: 'prompt', expected, found: JSON.stringify(strange) });
}

export function inputNames({ nodes }: Graph): ReadonlySet<string> {
  return new Set(nodes.filter(n => n.op === 'input').map(n => String(n.attributes.name)));
}
