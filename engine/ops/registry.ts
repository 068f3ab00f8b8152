/** The registry of primitives: the one list from which the checker, autodiff, the schedulers, the tests and the manual derive. */
import type { Attributes, TensorType } from '../ir/graph.ts';
import { never } from '../util/errors.ts';
import type { Primitive } from './primitive.ts';
import { after } from './primitives/after.ts';
import { attention, attentionStatistics } from './primitives/attention.ts';
import * as binary from './primitives/binary.ts';
import { concat } from './primitives/concat.ts';
import { conv } from './primitives/conv.ts';
import { scatterAdd, take } from './primitives/gather.ts';
import { iota, randomBits } from './primitives/generate.ts';
import { toF16, toF32 } from './primitives/half.ts';
import * as leaves from './primitives/leaves.ts';
import { matmul } from './primitives/matmul.ts';
import { normalize } from './primitives/normalize.ts';
import { argsort, cumsum } from './primitives/order.ts';
import * as reduce from './primitives/reduce.ts';
import { scan } from './primitives/scan.ts';
import { softmax } from './primitives/softmax.ts';
import * as unary from './primitives/unary.ts';
import * as views from './primitives/views.ts';
import { unwindow, window } from './primitives/windows.ts';

export const primitives = {
  input: leaves.input,
  state: leaves.state,
  constant: leaves.constant,
  iota,
  neg: unary.neg,
  abs: unary.abs,
  sign: unary.sign,
  floor: unary.floor,
  ceil: unary.ceil,
  round: unary.round,
  sqrt: unary.sqrt,
  exp: unary.exp,
  log: unary.log,
  tanh: unary.tanh,
  sigmoid: unary.sigmoid,
  erf: unary.erf,
  sin: unary.sin,
  cos: unary.cos,
  logical_not: unary.logicalNot,
  cast: unary.cast,
  to_f16: toF16,
  to_f32: toF32,
  isfinite: unary.isfinite,
  detach: unary.detach,
  after,
  add: binary.add,
  sub: binary.sub,
  mul: binary.mul,
  div: binary.div,
  mod: binary.mod,
  pow: binary.pow,
  minimum: binary.minimum,
  maximum: binary.maximum,
  less: binary.less,
  less_equal: binary.lessEqual,
  equal: binary.equal,
  not_equal: binary.notEqual,
  logical_and: binary.logicalAnd,
  logical_or: binary.logicalOr,
  select: binary.select,
  broadcast: views.broadcast,
  reshape: views.reshape,
  transpose: views.transpose,
  slice: views.slice,
  pad: views.pad,
  flip: views.flip,
  window,
  unwindow,
  concat,
  sum: reduce.sum,
  max: reduce.max,
  min: reduce.min,
  argmax: reduce.argmax,
  cumsum,
  softmax,
  normalize,
  argsort,
  matmul,
  conv,
  attention,
  attention_statistics: attentionStatistics,
  take,
  scatter_add: scatterAdd,
  random_bits: randomBits,
  scan,
} as const;

export type PrimitiveName = keyof typeof primitives;

export function isPrimitive(name: string): name is PrimitiveName {
  return Object.hasOwn(primitives, name);
}

/** The declaration, its attributes' type erased: the type rule has accepted them. */
export function primitive(name: string): Primitive {
  if (!isPrimitive(name)) throw never('no such primitive', name);
  return primitives[name] as unknown as Primitive;
}

/** The type of a node by its rule; leaves have none, they carry theirs. The validator's view of the registry. */
export function typeOf(name: string, inputs: readonly TensorType[], attributes: Attributes): TensorType {
  return primitive(name).type(inputs, attributes);
}
