/** Names the operation that first gave NaN or infinity: the failed step again, node by node, on the reference evaluator. */
import { evaluateGraph } from '../backend/reference/evaluateGraph.ts';
import { concreteShape } from '../ir/bind.ts';
import type { Graph } from '../ir/graph.ts';
import type { Tensor } from '../ops/primitive.ts';
import { scanSteps } from '../ops/primitives/scan.ts';
import type { ScanAttributes } from '../ops/primitives/scanParts.ts';
import type { Session } from './session.ts';
import { trainEntry } from './step.ts';

/** Beyond this many elements over all nodes the step is not done again: every value would be kept as a double. */
const LARGEST = 2 ** 27;

/** `exp of net.fc1 gave Infinity`, or undefined where the step is too large or comes out finite in double precision. */
export async function findNonFinite(
  session: Session,
  entries: readonly Graph[],
  badStep: number,
): Promise<string | undefined> {
  const graph = entries.find(entry => entry.name === trainEntry(session.layout, badStep - 1));
  if (graph === undefined || elements(graph) > LARGEST) return undefined;
  const leaves: Record<string, Tensor> = {};
  for (const { op, attributes, type } of graph.nodes) {
    if (op !== 'input' && op !== 'state') continue;
    const name = String(attributes.name);
    const data = Float64Array.from(await session.executable.read(name));
    leaves[name] = { dtype: type.dtype, shape: concreteShape(type), data };
  }
  return firstNonFinite(graph, leaves);
}

/** The first node that is not finite in single precision though its inputs are. */
export function firstNonFinite(graph: Graph, leaves: Readonly<Record<string, Tensor>>): string | undefined {
  const outputs = graph.nodes.map((_, id) => ({ name: String(id), value: id, kind: 'result' as const }));
  const values = evaluateGraph({ ...graph, outputs }, leaves);
  const broken = graph.nodes.map((node, id) =>
    node.type.dtype === 'f32' || node.type.dtype === 'f16'
      ? values[id]!.data.find(value => !Number.isFinite(Math.fround(value)))
      : undefined,
  );
  const id = graph.nodes.findIndex(
    ({ op, inputs }, at) => broken[at] !== undefined && op !== 'constant' && inputs.every(i => broken[i] === undefined),
  );
  const node = graph.nodes[id];
  if (node === undefined) return undefined;
  if (node.op === 'scan')
    return nonFiniteStep(
      node.attributes as ScanAttributes,
      node.inputs.map(i => values[i]!),
    );
  const place = node.label ?? node.attributes.name;
  const where = place === undefined ? '' : ` of ${String(place)}`;
  return `${node.op}${where} gave ${Math.fround(broken[id] ?? Number.NaN)}`;
}

/** The first within the body of a loop, in the first step that has one. */
function nonFiniteStep(attributes: ScanAttributes, inputs: readonly Tensor[]): string | undefined {
  for (const { t, leaves } of scanSteps(inputs, attributes, evaluateGraph)) {
    const found = firstNonFinite(attributes.body, leaves);
    if (found !== undefined) return `${found} in step ${t} of ${attributes.length}`;
  }
  return undefined;
}

function elements(graph: Graph): number {
  return graph.nodes.reduce((sum, node) => sum + concreteShape(node.type).reduce((n, size) => n * size, 1), 0);
}
