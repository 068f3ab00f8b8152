/** The step graphs beside training and evaluation that make what people look at: values of a fixed batch, scores of the next token. */
import { bindGraph, concreteShape } from '../ir/bind.ts';
import type { Graph } from '../ir/graph.ts';
import type { Program, View, ViewFormat } from '../ir/program.ts';
import { GraphBuilder } from '../ops/builder.ts';
import { dce } from '../passes/dce.ts';
import { optimize } from '../passes/pipeline.ts';
import { never } from '../util/errors.ts';
import { BUFFERS, fieldsOf, type StepLayout, shownSplit } from './layout.ts';
import { gathered, type Steps, usedWeights, type Values } from './step.ts';

/** Items of a value that are shown. */
export const MOST_ITEMS = 16;

/** Name of the entry that computes all shown values. */
export const SHOW = 'show';

/** `steps` with entries for what `program` shows, which read the same weights; training does not notice them. */
export function withShown(program: Program, steps: Steps): Steps {
  const { layout } = steps;
  const { values, drawn } = viewsOf(program);
  const entries = [
    ...(values.length > 0 ? [valuesEntry(program, layout, values)] : []),
    ...drawn.map(({ output }) => {
      const b = new GraphBuilder();
      return scoresEntry(b, partOf(program, [output]), output, {
        ...usedWeights(b, layout),
        seed: b.input(BUFFERS.seed, { dtype: 'i32', shape: [] }),
        step: b.constant(0, { dtype: 'i32', shape: [] }),
      });
    }),
  ];
  return entries.length === 0 ? steps : { layout, entries: [...steps.entries, ...entries.map(optimize)] };
}

/** A text that is drawn token by token. */
export type DrawnView = View & { readonly as: Extract<ViewFormat, { readonly kind: 'generate' }> };
/** A value of the batch. */
export type ValueView = View & { readonly as: Exclude<ViewFormat, { readonly kind: 'generate' }> };

export function viewsOf({ views = [] }: Program): {
  readonly values: readonly ValueView[];
  readonly drawn: readonly DrawnView[];
} {
  const isDrawn = (view: View): view is DrawnView => view.as.kind === 'generate';
  const isValue = (view: View): view is ValueView => !isDrawn(view);
  return { values: views.filter(isValue), drawn: views.filter(isDrawn) };
}

/** The part of `program.infer` that leads to `outputs`. */
export function partOf({ infer }: Program, outputs: readonly string[]): Graph {
  if (infer === undefined) throw never('a program that shows something without a graph for it');
  return dce({ ...infer, outputs: infer.outputs.filter(({ name }) => outputs.includes(name)) });
}

/** The first samples of the validation split, the same noise every time. */
function valuesEntry(program: Program, layout: StepLayout, views: readonly View[]): Graph {
  const b = new GraphBuilder();
  const split = shownSplit(layout.counts);
  const size = Math.min(MOST_ITEMS, layout.counts[split]);
  const names = views.map(({ output }) => output);
  const graph = partOf(program, names);
  const outputs = b.inline(bindGraph(graph, { B: size }), {
    ...gathered(b, [graph], layout, split, b.iota([size])),
    ...usedWeights(b, layout),
    seed: b.input(BUFFERS.seed, { dtype: 'i32', shape: [] }),
    step: b.constant(0, { dtype: 'i32', shape: [] }),
  });
  return b.finish(
    SHOW,
    names.map(name => ({ name, value: outputs[name]! })),
  );
}

/** Buffers of the entry that scores the next token; the entry itself has the name of the output. */
export function scoreBuffers(output: string) {
  return { tokens: `${output}.tokens`, at: `${output}.at`, scores: `${output}.scores` } as const;
}

/**
 * The scores f32 [1, V] of what follows token `at` of one window of tokens i32 [1, T], from the `output` [B, T, V] of `graph`. `leaves`: weights
 * and scalars.
 */
export function scoresEntry(b: GraphBuilder, graph: Graph, output: string, leaves: Values): Graph {
  const { name: field, length } = tokenField(graph);
  const buffers = scoreBuffers(output);
  const tokens = b.input(buffers.tokens, { dtype: 'i32', shape: [1, length] });
  const at = b.input(buffers.at, { dtype: 'i32', shape: [1] });
  const scores = b.inline(bindGraph(graph, { B: 1 }), { ...leaves, [field]: tokens })[output]!;
  const [, , size] = concreteShape(scores.type);
  return b.finish(output, [{ name: buffers.scores, value: b.take(b.reshape(scores, [length, size!]), at) }]);
}

/** The one field that `graph` reads, and the length of its windows. */
export function tokenField(graph: Graph): { readonly name: string; readonly length: number } {
  const [field] = fieldsOf(graph);
  if (field?.shape[0] === undefined) throw never('text that is drawn from scores of no tokens');
  return { name: field.name, length: field.shape[0] };
}
