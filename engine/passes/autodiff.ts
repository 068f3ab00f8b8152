/** Reverse-mode differentiation on the graph: appends to a builder the nodes that compute the gradient of a loss. */
import type { TensorType } from '../ir/graph.ts';
import type { GraphBuilder, Value } from '../ops/builder.ts';
import type { Backpropagate } from '../ops/primitive.ts';
import { primitive } from '../ops/registry.ts';
import { never } from '../util/errors.ts';

/**
 * The gradient of the f32 scalar `loss` with respect to each of `wrt`, in their order and of their types; zeros where the loss
 * doesn't depend on one. Only nodes on a path from `wrt` to `loss` are visited. What a rule makes beside the path is dead code,
 * which `dce` removes.
 */
export function gradients(b: GraphBuilder, loss: Value, wrt: readonly Value[]): readonly Value[] {
  if (loss.type.dtype !== 'f32' || loss.type.shape.length > 0)
    throw never('the loss is not an f32 scalar', loss.type.dtype);
  return backpropagate(b, [{ value: loss, adjoint: b.constant(1) }], wrt);
}

/** As `gradients` of several values whose adjoints are given, which the body of a loop has. */
export const backpropagate: Backpropagate = (b, seeds, wrt) => {
  const last = Math.max(...seeds.map(({ value }) => value.id));
  const active = dependents(b, last, wrt);
  const adjoints = new Map<number, Value>();
  const receive = ({ id }: Value, part: Value): void => {
    const sum = adjoints.get(id);
    adjoints.set(id, sum === undefined ? part : added(b, sum, part));
  };
  for (const { value, adjoint } of seeds) receive(value, adjoint);
  for (let id = last; id >= 0; id--) {
    const adjoint = adjoints.get(id);
    if (adjoint === undefined || !active.has(id)) continue;
    const node = b.node(id);
    const inputs = node.inputs.map(i => b.value(i));
    const label = node.label === undefined ? undefined : `grad(${node.label})`;
    const from = { inputs, output: b.value(id), attributes: node.attributes };
    const rule = () => primitive(node.op).vjp(b, from, adjoint, backpropagate);
    const parts = label === undefined ? rule() : b.scoped(label, rule);
    for (const [i, part] of parts.entries()) {
      if (part !== undefined && active.has(inputs[i]!.id)) receive(inputs[i]!, part);
    }
  }
  return wrt.map(v => adjoints.get(v.id) ?? b.fill(0, v));
};

/** The nodes of floats up to `last` whose value depends on one of `wrt`, those themselves included. */
function dependents(b: GraphBuilder, last: number, wrt: readonly Value[]): ReadonlySet<number> {
  const active = new Set(wrt.map(v => v.id));
  for (let id = 0; id <= last; id++) {
    const node = b.node(id);
    if (isFloat(node.type) && node.inputs.some(i => active.has(i))) active.add(id);
  }
  return active;
}

/** Sums are of f32, whatever they are kept in. */
function added(b: GraphBuilder, x: Value, y: Value): Value {
  if (x.type.dtype !== 'f16') return b.add(x, y);
  return b.op('to_f16', [b.add(b.op('to_f32', [x]), b.op('to_f32', [y]))]);
}

function isFloat({ dtype }: TensorType): boolean {
  return dtype === 'f32' || dtype === 'f16';
}
