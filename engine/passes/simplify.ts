/** Algebraic simplification: a table of rewrite rules, the equation beside each. */
import type { Graph } from '../ir/graph.ts';
import type { GraphBuilder, Value } from '../ops/builder.ts';
import { type Candidate, rewriteGraph } from './rewrite.ts';
import { arithmeticRules } from './rules/arithmetic.ts';
import { constantRules } from './rules/constants.ts';
import { pieceRules } from './rules/pieces.ts';
import { type Rule, view } from './rules/rule.ts';
import { transposeRules } from './rules/transposes.ts';
import { viewRules } from './rules/views.ts';

/**
 * Rules are exact in floating point (nothing is reassociated) and right for NaN and infinities; at most the sign of a zero may differ.
 * The first that fits is taken.
 */
export const rules: readonly Rule[] = [
  ...constantRules,
  ...arithmeticRules,
  ...viewRules,
  ...pieceRules,
  ...transposeRules,
];

const rulesOf = new Map<string, readonly Rule[]>();

function candidatesFor(op: string): readonly Rule[] {
  let known = rulesOf.get(op);
  if (known === undefined) {
    known = rules.filter(rule => rule.ops === 'all' || rule.ops.includes(op));
    rulesOf.set(op, known);
  }
  return known;
}

/** One sweep over the graph. */
export function simplify(graph: Graph): Graph {
  return rewriteGraph(graph, simplifyNode);
}

function simplifyNode(b: GraphBuilder, { node, inputs }: Candidate): Value | undefined {
  const match = view(b, node, inputs);
  for (const rule of candidatesFor(node.op)) {
    const value = rule.rewrite(b, match);
    if (value !== undefined) return value;
  }
  return undefined;
}
