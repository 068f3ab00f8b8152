/** The shapes that the checker reveals beside those of the arrays that the reference backend computes, for every expression of a train block and of the models in it. */
import { evaluateGraph } from '../../engine/backend/reference/evaluateGraph.ts';
import { type Dim, freeVariables, showDim, substituteDim } from '../../engine/dim/dim.ts';
import { bindGraph, concreteShape } from '../../engine/ir/bind.ts';
import type { Graph } from '../../engine/ir/graph.ts';
import type { Tensor } from '../../engine/ops/primitive.ts';
import { snapshotOf } from '../../server/lang/analyze.ts';
import type { Analysis } from '../../server/lang/api.ts';
import { batchVariable, type Context } from '../../server/lang/check/context.ts';
import type { TensorMeaning } from '../../server/lang/check/meaning.ts';
import type { Builder } from '../../server/lang/lower/emission.ts';
import { loweringRules } from '../../server/lang/lower/rules.ts';
import { trainGraphs } from '../../server/lang/lower/train.ts';
import { parts } from '../../server/lang/snapshot/snapshot.ts';
import type { AnyNode } from '../../server/lang/syntax/ast.ts';
import { randomTensor } from './samples.ts';

export interface Revealed {
  /** The expression, from its place on. */
  readonly place: string;
  /** By the checker, with the sizes of this run. */
  readonly shown: string;
  /** Of the array. */
  readonly real: string;
}

/** Loops whose turns can't be built once are unrolled. */
const unrolling: Pick<Builder, 'turn'> = { turn: () => undefined };

/** Lowers the block and runs all of it on a batch of that size. */
export function runtimeShapes(analysis: Analysis, train: string, batch: number): readonly Revealed[] {
  const known = checkedTypes(analysis);
  const seen = watched(analysis, train).flatMap(({ context, node, meaning }) => {
    const checked = known.get(node);
    return checked ? [{ context, node, meaning, ...checked }] : [];
  });
  const { b } = seen[0]!.context.emission as Builder;
  const outputs = seen.map(({ meaning }, i) => ({ name: `v${i}`, value: meaning.node! }));
  const graph = bindGraph(b.finish('watched', outputs), { [batchVariable]: batch });
  const arrays = evaluateGraph(graph, leaves(graph));
  return seen.map(({ context, node, offset, checked }, i) => {
    const { shape, data } = arrays[`v${i}`]!;
    const place = analysis.text.slice(node.start + offset, node.end + offset).replace(/\s+/g, ' ');
    const real = data.length === shape.reduce((n, d) => n * d, 1) ? show(shape) : `${data.length} numbers`;
    return { place, shown: show(checked.shape.map(d => sized(d, context, batch))), real };
  });
}

interface Watched {
  readonly context: Context;
  readonly node: AnyNode;
  readonly meaning: TensorMeaning;
}

/** The tensors of all expressions as lowering walks the block for training, its models once for each time they are applied. */
function watched(analysis: Analysis, train: string): readonly Watched[] {
  const snapshot = snapshotOf(analysis)!;
  const { world } = snapshot;
  const entry = parts(snapshot).find(p => p.entry.node.kind === 'train' && p.entry.node.name.name === train)?.entry;
  if (entry?.node.kind !== 'train') throw new Error(`no train block ${train}`);
  const rules = loweringRules(world);
  const bodies = new Map<Context['sheet'], Context>();
  trainGraphs(world, entry, entry.node, world.dataOf(entry.node.on.name)!.fields!, undefined, {
    rules: {
      ...rules,
      evaluate: (context, expression) => {
        // What the body of a loop computes has arrays of its own only where the loop is unrolled.
        if (context.emission) Object.assign(context.emission, unrolling);
        if (context.emission?.training && !bodies.has(context.sheet)) bodies.set(context.sheet, context);
        return rules.evaluate(context, expression);
      },
    },
  });
  return [...bodies].flatMap(([sheet, context]) =>
    [...sheet.types].flatMap(([node, meaning]) =>
      meaning.kind === 'tensor' && meaning.node ? [{ context, node, meaning }] : [],
    ),
  );
}

/** What the checker says of each tensor, and where its declaration begins. */
function checkedTypes(analysis: Analysis) {
  const all = parts(snapshotOf(analysis)!).flatMap(({ checked, offset }) =>
    [...checked.sheet.types].flatMap(([node, meaning]) =>
      meaning.kind === 'tensor' ? [[node, { checked: meaning, offset }] as const] : [],
    ),
  );
  return new Map(all);
}

/** A size with the numbers that its variables have where the body runs. */
function sized(d: Dim, { scope }: Context, batch: number): Dim {
  const values = [...freeVariables(d)].flatMap(name => {
    const meaning = scope.find(name)?.meaning;
    return meaning?.kind === 'number' && meaning.dim !== undefined ? [[name, meaning.dim] as const] : [];
  });
  return substituteDim(substituteDim(d, new Map(values)), new Map([[batchVariable, batch]]));
}

function show(shape: readonly Dim[]): string {
  return `[${shape.map(showDim).join(', ')}]`;
}

/** Random values for inputs and weights; integers are 0 or 1, which are classes of anything. */
function leaves(graph: Graph): Readonly<Record<string, Tensor>> {
  const found = graph.nodes.filter(({ op }) => op === 'input' || op === 'state');
  return Object.fromEntries(
    found.map(({ type, attributes }, i) => {
      const bound = { dtype: type.dtype, shape: concreteShape(type) };
      return [String(attributes.name), randomTensor(bound, type.dtype === 'f32' ? [-1, 1] : [0, 1], i)] as const;
    }),
  );
}
