/** The order of the passes, and the validator behind them. */
import type { Graph } from '../ir/graph.ts';
import { graphProblems, validateGraph } from '../ir/validate.ts';
import { typeOf } from '../ops/registry.ts';
import { never } from '../util/errors.ts';
import { cse } from './cse.ts';
import { dce } from './dce.ts';
import { expand } from './expand.ts';
import { lookups } from './lookups.ts';
import { loops } from './loops.ts';
import { simplify } from './simplify.ts';

interface Pass {
  readonly name: string;
  readonly run: (graph: Graph) => Graph;
}

const passes: readonly Pass[] = [
  { name: 'expand', run: expand },
  { name: 'simplify', run: simplify },
  { name: 'lookups', run: lookups },
  { name: 'loops', run: graph => loops(graph, optimizeBody) },
  { name: 'cse', run: cse },
  { name: 'dce', run: dce },
];

/** Every rule makes a graph smaller or simpler, so that a handful of rounds is enough; more is our bug. */
const roundLimit = 50;

/**
 * The graph with nothing left to simplify, share or remove: what the scheduler takes. Gradients must have been taken before, for
 * `detach` goes. What comes out is validated; if it is malformed, the passes run again, validated one by one, and the one that breaks the graph
 * throws with the graph printed.
 */
export function optimize(graph: Graph): Graph {
  const optimized = fixedPoint(graph, () => {});
  if (graphProblems(optimized, typeOf).length === 0) return optimized;
  const validate = (current: Graph, after: string) => validateGraph(current, typeOf, after);
  validate(graph, 'the builder');
  return fixedPoint(graph, validate);
}

function fixedPoint(graph: Graph, check: (graph: Graph, after: string) => void): Graph {
  let current = graph;
  /** Passes that have nothing left to do until another one changes the graph. */
  const idle = new Set<Pass>();
  for (let round = 0; round < roundLimit; round++) {
    for (const pass of passes) {
      if (idle.has(pass)) continue;
      const next = pass.run(current);
      if (sameGraph(current, next)) idle.add(pass);
      else {
        check(next, pass.name);
        current = next;
        idle.clear();
      }
    }
    if (idle.size === passes.length) return current;
  }
  throw never('the passes reach no fixed point', graph.name);
}

/** Bodies as they have come out, those that have come out included: loops are looked at in each round. */
const bodies = new WeakMap<Graph, Graph>();

function optimizeBody(body: Graph): Graph {
  const known = bodies.get(body) ?? optimize(body);
  bodies.set(body, known);
  bodies.set(known, known);
  return known;
}

/** Node by node the same op on the same inputs with equal attributes, and the same outputs: attributes of untouched nodes are the same objects. */
function sameGraph(a: Graph, b: Graph): boolean {
  if (a === b) return true;
  return (
    a.nodes.length === b.nodes.length &&
    a.outputs.every(({ value, at }, n) => value === b.outputs[n]!.value && at === b.outputs[n]!.at) &&
    a.nodes.every((node, id) => {
      const other = b.nodes[id]!;
      return (
        node.op === other.op &&
        node.attributes === other.attributes &&
        node.inputs.every((i, n) => i === other.inputs[n])
      );
    })
  );
}
