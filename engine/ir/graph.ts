/** The tensor graph: a list of typed nodes in topological order, plain data, op-agnostic. */
import type { Dim } from '../dim/dim.ts';

/**
 * Element types of tensors. Two are for storage only, compute happens in the others: `u8` for data sets, and `f16` (IEEE binary16) for what
 * a step keeps in half the bytes of f32, which it is computed in.
 */
export type DType = 'f32' | 'i32' | 'u32' | 'bool' | 'u8' | 'f16';

/** A shape may hold symbolic dimensions (the batch `B`) until `bindGraph` replaces them; the passes and kernels see numbers alone. */
export type Shape = readonly Dim[];

export interface TensorType {
  readonly dtype: DType;
  readonly shape: Shape;
}

/** A graph is the body of a loop: it names its leaves itself and knows nothing of the graph around it. */
export type Attribute = string | number | boolean | readonly number[] | Shape | readonly string[] | Graph;
export type Attributes = Readonly<Record<string, Attribute>>;

/** Identifies a node within its graph: its position in `nodes`. */
export type NodeId = number;

export interface GraphNode {
  /** Name of a primitive of the registry, `matmul`. */
  readonly op: string;
  readonly inputs: readonly NodeId[];
  readonly attributes: Attributes;
  readonly type: TensorType;
  /** Where it came from in the source (`net.fc1`), for error messages, profiles and `--emit`. */
  readonly label?: string;
}

/** What a graph hands out: a named value, or the new contents of a state buffer. */
export interface GraphOutput {
  readonly name: string;
  readonly value: NodeId;
  /**
   * `result`: read by the host under `name`. `assign`: replaces the whole state `name` after the graph has run.
   * `write`: stores `value` into the state `name` at the element offset given by the i32 scalar node `at`.
   */
  readonly kind: 'result' | 'assign' | 'write';
  readonly at?: NodeId;
}

/**
 * Leaves are ordinary nodes with the ops
 * `input` {name}: a buffer the host fills or keeps (batch fields, data set, index permutation, scalars);
 * `state` {name}: a persistent buffer the graph may also assign (parameters, moments, counters, metric ring);
 * `constant` {value}: a filled tensor.
 */
export interface Graph {
  readonly name: string;
  readonly nodes: readonly GraphNode[];
  readonly outputs: readonly GraphOutput[];
}

export function isGraph(value: Attribute): value is Graph {
  return typeof value === 'object' && 'nodes' in value;
}
