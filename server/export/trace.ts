/** What a program computes, as people wrote it: library calls and operators in nested models, gathered while it is lowered. */

import type { Arguments } from '../../engine/ops/library/function.ts';
import type { EmissionListener } from '../lang/check/context.ts';
import { fieldOf, type Meaning, type TensorMeaning } from '../lang/check/meaning.ts';
import type { AnyNode, IndexExpression } from '../lang/syntax/ast.ts';

/** A tensor and where it comes from. */
export interface Step {
  readonly from:
    | { readonly kind: 'input'; readonly name: string }
    | { readonly kind: 'call'; readonly fn: string; readonly path: string; readonly args: Arguments }
    | { readonly kind: 'operator'; readonly op: string; readonly operands: readonly (Step | number)[] }
    | { readonly kind: 'index'; readonly items: readonly IndexItem[] }
    | { readonly kind: 'constant'; readonly value: number | readonly number[] }
    | { readonly kind: 'model'; readonly frame: Frame }
    /** One of several results. */
    | { readonly kind: 'item'; readonly index: number };
  readonly tensor: TensorMeaning;
  /** Tensors that it is made of, by parameter. */
  readonly inputs: ReadonlyMap<string, Step>;
  /** What it is bound to, where it is. */
  name?: string;
}

export type IndexItem =
  | { readonly kind: 'at'; readonly at: number }
  | { readonly kind: 'range'; readonly from?: number; readonly to?: number }
  | { readonly kind: 'ellipsis' };

/** The body of a model that was applied, or of the train block. */
export interface Frame {
  readonly model: string;
  /** Prefix of its weights' names. */
  readonly path: string;
  readonly inputs: Step[];
  results: readonly Step[];
}

export interface Trace {
  readonly listener: EmissionListener;
  /** The train block; its results are what the losses compared with fields, by field. */
  readonly top: Frame;
  readonly targets: ReadonlyMap<string, Step>;
}

/** A frame while it is heard, and the steps that its tensors came from. */
interface Scene {
  readonly frame: Frame;
  readonly steps: Map<TensorMeaning, Step>;
  /** By graph node: a meaning may be copied on its way. */
  readonly nodes: Map<number, Step>;
  /** Steps of the scene around that the model was given. */
  readonly given: ReadonlyMap<string, Step>;
}

/** What has been heard so far. */
interface Hearing {
  /** From the train block to the model that is being built. */
  readonly scenes: Scene[];
  /** What expressions meant when they were last met. */
  readonly met: Map<AnyNode, Meaning>;
  readonly targets: Map<string, Step>;
}

/** An empty trace of train block `name`, to be heard while it is lowered. */
export function createTrace(name: string): Trace {
  const top: Frame = { model: name, path: '', inputs: [], results: [] };
  const hearing: Hearing = { scenes: [sceneOf(top)], met: new Map(), targets: new Map() };
  const listener: EmissionListener = {
    called(fn, path, args, tensors, result) {
      const inputs = inputsOf(hearing, tensors);
      keepCall(now(hearing), result, tensor => ({ from: { kind: 'call', fn, path, args }, tensor, inputs }));
    },
    met: (node, meaning) => meet(hearing, node, meaning),
    filled: (tensor, value) =>
      keep(now(hearing), tensor, { from: { kind: 'constant', value }, tensor, inputs: new Map() }),
    entered: (model, path, values) => enter(hearing, model, path, values),
    left: result => leave(hearing, result),
    compared(said, target) {
      const step = find(hearing, said);
      const { scenes, targets } = hearing;
      const field = fieldOf(target);
      if (scenes.length === 1 && step && field !== undefined && !targets.has(field)) targets.set(field, step);
    },
  };
  return { listener, top, targets: hearing.targets };
}

function now({ scenes }: Hearing): Scene {
  return scenes.at(-1)!;
}

function find(hearing: Hearing, m: TensorMeaning): Step | undefined {
  const { steps, nodes } = now(hearing);
  return steps.get(m) ?? (m.node && nodes.get(m.node.id)) ?? fieldStep(hearing.scenes, m);
}

function inputsOf(hearing: Hearing, tensors: ReadonlyMap<string, TensorMeaning>): ReadonlyMap<string, Step> {
  return new Map([...tensors].map(([parameter, m]) => [parameter, find(hearing, m) ?? unheard(m)] as const));
}

function meet(hearing: Hearing, node: AnyNode, meaning: Meaning): void {
  const { met } = hearing;
  met.set(node, meaning);
  if (meaning.kind !== 'tensor') return;
  if (node.kind === 'name') {
    const step = find(hearing, meaning);
    if (step && !isStage(step, node.name)) step.name ??= node.name;
  } else if (!now(hearing).steps.has(meaning)) {
    const step = expressionStep(node, meaning, met, m => find(hearing, m));
    if (step) keep(now(hearing), meaning, step);
  }
}

function enter(hearing: Hearing, model: string, path: string, values: ReadonlyMap<string, Meaning>): void {
  const tensors = new Map([...values].flatMap(([name, m]) => (m.kind === 'tensor' ? [[name, m] as const] : [])));
  const frame: Frame = { model, path, inputs: [], results: [] };
  const scene = sceneOf(frame, inputsOf(hearing, tensors));
  for (const [name, tensor] of tensors) {
    const step: Step = { from: { kind: 'input', name }, tensor, inputs: new Map(), name };
    frame.inputs.push(step);
    keep(scene, tensor, step);
  }
  hearing.scenes.push(scene);
}

function leave(hearing: Hearing, result: Meaning): void {
  const { frame, given } = now(hearing);
  const items = result.kind === 'tuple' ? result.items : [result];
  frame.results = items.flatMap(m => (m.kind === 'tensor' ? [find(hearing, m) ?? unheard(m)] : []));
  hearing.scenes.pop();
  const [first] = items;
  if (first?.kind !== 'tensor') return;
  const step: Step = { from: { kind: 'model', frame }, tensor: first, inputs: given };
  if (items.length === 1) keep(now(hearing), first, step);
  else keepItems(now(hearing), items, step);
}

/** The stage of a pipeline means what comes out of it, by the name of the function or the layer. */
function isStage({ from }: Step, name: string): boolean {
  const [what, path] =
    from.kind === 'call' ? [from.fn, from.path] : from.kind === 'model' ? [from.frame.model, from.frame.path] : [];
  return what === name || path?.split('.').at(-1) === name;
}

function sceneOf(frame: Frame, given: ReadonlyMap<string, Step> = new Map()): Scene {
  return { frame, steps: new Map(), nodes: new Map(), given };
}

function keep({ steps, nodes }: Scene, tensor: TensorMeaning, step: Step): void {
  steps.set(tensor, step);
  if (tensor.node) nodes.set(tensor.node.id, step);
}

/** One step for the call, and one for each of several results. */
function keepCall(scene: Scene, result: Meaning, make: (tensor: TensorMeaning) => Step): void {
  if (result.kind === 'tensor') keep(scene, result, make(result));
  if (result.kind !== 'tuple') return;
  const [first] = result.items;
  if (first?.kind === 'tensor') keepItems(scene, result.items, make(first));
}

function keepItems(scene: Scene, items: readonly Meaning[], of: Step): void {
  for (const [index, tensor] of items.entries()) {
    if (tensor.kind === 'tensor')
      keep(scene, tensor, { from: { kind: 'item', index }, tensor, inputs: new Map([['of', of]]) });
  }
}

/** A field of the data, met for the first time. */
function fieldStep(scenes: readonly Scene[], m: TensorMeaning): Step | undefined {
  const scene = scenes[0]!;
  if (m.field === undefined || scenes.length > 1) return undefined;
  const step: Step = { from: { kind: 'input', name: m.field }, tensor: m, inputs: new Map(), name: m.field };
  scene.frame.inputs.push(step);
  keep(scene, m, step);
  return step;
}

/** A tensor of which nothing was heard: what makes it has no name to complain about but its own. */
function unheard(tensor: TensorMeaning): Step {
  return {
    from: { kind: 'call', fn: tensor.via ?? 'a part of the program', path: '', args: {} },
    tensor,
    inputs: new Map(),
  };
}

function expressionStep(
  node: AnyNode,
  tensor: TensorMeaning,
  met: ReadonlyMap<AnyNode, Meaning>,
  find: (m: TensorMeaning) => Step | undefined,
): Step | undefined {
  const operand = (e: AnyNode): Step | number | undefined => {
    const m = met.get(e);
    return m?.kind === 'tensor' ? find(m) : m?.kind === 'number' ? m.real : undefined;
  };
  const operator = (op: string, ...operands: readonly (Step | number | undefined)[]): Step => {
    const known = operands.map(o => o ?? unheard(tensor));
    const steps = known.flatMap((o, at) => (typeof o === 'number' ? [] : [[String(at), o] as const]));
    return { from: { kind: 'operator', op, operands: known }, tensor, inputs: new Map(steps) };
  };
  if (node.kind === 'binary') return operator(node.op, operand(node.left), operand(node.right));
  if (node.kind === 'unary') return operator(node.op, operand(node.operand));
  if (node.kind === 'index') return indexStep(node, tensor, met, find);
  // No library call stands for what its turns do together.
  return node.kind === 'scan' ? unheard({ ...tensor, via: 'scan' }) : undefined;
}

function indexStep(
  node: IndexExpression,
  tensor: TensorMeaning,
  met: ReadonlyMap<AnyNode, Meaning>,
  find: (m: TensorMeaning) => Step | undefined,
): Step | undefined {
  const object = met.get(node.object);
  // An index into several results picks one of them, which is known already.
  if (object?.kind !== 'tensor') return undefined;
  const number = (e: AnyNode | undefined): number | undefined => {
    const m = e && met.get(e);
    return m?.kind === 'number' && typeof m.dim === 'number' ? m.dim : undefined;
  };
  const items = node.items.map((item): IndexItem => {
    const [from, to] = [number(item.from), number(item.to)];
    if (item.mode === 'ellipsis') return { kind: 'ellipsis' };
    if (item.mode === 'at') return { kind: 'at', at: from ?? 0 };
    return { kind: 'range', ...(from !== undefined && { from }), ...(to !== undefined && { to }) };
  });
  return { from: { kind: 'index', items }, tensor, inputs: new Map([['x', find(object) ?? unheard(object)]]) };
}
