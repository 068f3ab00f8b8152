/** What a rewrite rule is, and how it looks at a node. */
import type { Attributes, GraphNode, TensorType } from '../../ir/graph.ts';
import type { GraphBuilder, Value } from '../../ops/builder.ts';

export interface Rule {
  /** For readers and for tests: `x + 0 = x`. */
  readonly equation: string;
  /** The ops at the root of the pattern. */
  readonly ops: readonly string[] | 'all';
  /** The simpler value, of the same type, or undefined where the pattern doesn't fit. */
  readonly rewrite: (b: GraphBuilder, match: Match) => Value | undefined;
}

/** A node seen by a rule: inputs are values of the graph being built. */
export interface Match {
  readonly op: string;
  readonly attributes: Attributes;
  readonly type: TensorType;
  readonly inputs: readonly Value[];
  /** The node that made input `i`. */
  readonly from: (i: number) => GraphNode;
  /** The number that fills input `i`, if it is a constant. */
  readonly literal: (i: number) => number | undefined;
}

export function view(b: GraphBuilder, node: GraphNode, inputs: readonly Value[]): Match {
  const from = (i: number): GraphNode => b.node(inputs[i]!.id);
  return { op: node.op, attributes: node.attributes, type: node.type, inputs, from, literal: i => literalOf(from(i)) };
}

export function literalOf(node: GraphNode): number | undefined {
  return node.op === 'constant' ? (node.attributes.value as number) : undefined;
}

/** A rule for `op` whose operands may stand in either order: `other` gets the operand and the literal beside it. */
export function beside(
  equation: string,
  ops: readonly string[],
  rewrite: (b: GraphBuilder, x: Value, literal: number, match: Match) => Value | undefined,
): Rule {
  return {
    equation,
    ops,
    rewrite: (b, match) => {
      for (const [i, j] of [
        [0, 1],
        [1, 0],
      ] as const) {
        const literal = match.literal(j);
        const value = literal === undefined ? undefined : rewrite(b, match.inputs[i]!, literal, match);
        if (value !== undefined) return value;
      }
      return undefined;
    },
  };
}
