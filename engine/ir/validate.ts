/** The graph's own rules, checked around every pass: order, types that the registry agrees with, outputs that exist. */
import { sameShape } from '../dim/dim.ts';
import { never } from '../util/errors.ts';
import { type Attributes, type Graph, isGraph, type TensorType } from './graph.ts';
import { printGraph, printType } from './print.ts';

/** What the registry says of an op's result; throws where the inputs don't fit. */
export type TypeOf = (op: string, inputs: readonly TensorType[], attributes: Attributes) => TensorType;

/** The ops whose type is declared, not derived. */
const leaves = new Set(['input', 'state', 'constant']);

/** Problems of a graph, each with the node that has it; none if it is well formed. */
export function graphProblems(graph: Graph, typeOf: TypeOf): readonly string[] {
  const problems: string[] = [];
  graph.nodes.forEach((node, id) => {
    const late = node.inputs.find(input => !(input >= 0 && input < id));
    if (late !== undefined) problems.push(`%${id} reads %${late}, which is not an earlier node`);
    else if (!leaves.has(node.op)) problems.push(...typeProblem(graph, id, typeOf));
    for (const body of Object.values(node.attributes).filter(isGraph))
      problems.push(...graphProblems(body, typeOf).map(problem => `in the body of %${id}: ${problem}`));
  });
  for (const output of graph.outputs) {
    for (const id of output.at === undefined ? [output.value] : [output.value, output.at]) {
      if (graph.nodes[id] === undefined) problems.push(`output ${output.name} reads %${id}, which does not exist`);
    }
  }
  return [...problems, ...stateProblems(graph)];
}

/** Throws with the printed graph if it is malformed: `after` names the pass to blame. */
export function validateGraph(graph: Graph, typeOf: TypeOf, after: string): void {
  const problems = graphProblems(graph, typeOf);
  if (problems.length > 0) throw never(`malformed graph after ${after}: ${problems.join('; ')}\n${printGraph(graph)}`);
}

function typeProblem(graph: Graph, id: number, typeOf: TypeOf): string[] {
  const node = graph.nodes[id]!;
  try {
    const derived = typeOf(
      node.op,
      node.inputs.map(input => graph.nodes[input]!.type),
      node.attributes,
    );
    const agrees = derived.dtype === node.type.dtype && sameShape(derived.shape, node.type.shape);
    return agrees ? [] : [`%${id} = ${node.op} is declared ${printType(node.type)} but has ${printType(derived)}`];
  } catch (error) {
    return [`%${id} = ${node.op}: ${error instanceof Error ? error.message : String(error)}`];
  }
}

/** A state is assigned at most once, and with its own type. */
function stateProblems(graph: Graph): string[] {
  const problems: string[] = [];
  const assigned = new Set<string>();
  for (const output of graph.outputs) {
    if (output.kind !== 'assign') continue;
    if (assigned.has(output.name)) problems.push(`state ${output.name} is assigned twice`);
    assigned.add(output.name);
    const state = graph.nodes.find(node => node.op === 'state' && node.attributes.name === output.name);
    const value = graph.nodes[output.value];
    if (state === undefined || value === undefined) continue;
    const fits = state.type.dtype === value.type.dtype && sameShape(state.type.shape, value.type.shape);
    if (!fits)
      problems.push(`state ${output.name} is ${printType(state.type)} but is assigned ${printType(value.type)}`);
  }
  return problems;
}
