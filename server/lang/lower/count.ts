/** What a model costs by itself: weights and operations, of all of it and of each layer, with its dimension variables left symbolic. */
import { addDim, type Dim, showDim, substituteDim } from '../../../engine/dim/dim.ts';
import { workOf } from '../../../engine/ops/flops.ts';
import type { Analysis } from '../api.ts';
import { type Context, maxTurns } from '../check/context.ts';
import type { Meaning } from '../check/meaning.ts';
import { runModel } from '../check/model.ts';
import { elementCount } from '../check/operators.ts';
import { emptySheet, type LayerSite } from '../check/records.ts';
import { Naming } from '../check/scope.ts';
import type { Signature } from '../check/signature.ts';
import type { Checked, Entry, World } from '../check/world.ts';
import { type Builder, builder } from './emission.ts';
import { loweringRules } from './rules.ts';

export interface Cost {
  /** Trainable ones. */
  readonly weights: number;
  /** Forward, a sample: the leading dimension of the first tensor, where it is a variable, counts as 1. */
  readonly flops: Dim;
}

export interface ModelCost extends Cost {
  /**
   * Of the layers that a place of the model's own body makes, each with all that is within: one, or one a turn of a loop. The place
   * is the offset, within the chunk, of its name or, without one, of the call.
   */
  readonly layers: ReadonlyMap<number, readonly Cost[]>;
}

const known = new WeakMap<World, Map<string, ModelCost | undefined>>();

/** Undefined where a size depends on the call, or the model has errors. */
export function modelCost(world: World, name: string): ModelCost | undefined {
  const costs = known.get(world) ?? new Map<string, ModelCost | undefined>();
  known.set(world, costs);
  if (!costs.has(name)) costs.set(name, compute(world, name));
  return costs.get(name);
}

/** Number of weights of a model by itself. */
export function countParameters(world: World, name: string): ReturnType<Analysis['parameterCount']> {
  return modelCost(world, name)?.weights;
}

function compute(world: World, name: string): ModelCost | undefined {
  const entry = world.find(name);
  if (entry?.node.kind !== 'model') return undefined;
  const checked = world.check(entry);
  if (checked.sheet.facts.some(f => f.code !== 'unused-binding')) return undefined;
  const emission = run(world, name, entry, checked);
  return emission && costOf(emission, batchOf(checked.signature), { uri: world.uri, declaration: name });
}

/** The model's graph on inputs of its own declared shapes. */
function run(world: World, name: string, entry: Entry, checked: Checked): Builder | undefined {
  const emission = builder(true);
  const sheet = emptySheet();
  const context: Context = {
    ...world.context(entry, sheet, new Map()),
    rules: loweringRules(world),
    budget: { turns: maxTurns },
    emission,
    naming: new Naming(''),
  };
  const values = new Map<string, Meaning>();
  for (const { node, name: parameter } of checked.signature?.parameters ?? []) {
    const meaning = node.fallback ? context.rules.evaluate(context, node.fallback) : checked.sheet.types.get(node);
    if (meaning === undefined) return undefined;
    const { b } = emission;
    const filled =
      meaning.kind === 'tensor'
        ? { ...meaning, node: b.input(parameter, { dtype: meaning.dtype, shape: meaning.shape }) }
        : meaning;
    values.set(parameter, filled);
  }
  for (const binding of checked.sheet.bindings)
    if (binding.kind === 'dimension' && !values.has(binding.name)) values.set(binding.name, binding.meaning);
  const callee = world.lookup(name);
  if (callee?.kind !== 'model') return undefined;
  const result = runModel(context, callee.callee, values, sheet);
  return result.kind === 'error' || sheet.facts.length > 0 ? undefined : emission;
}

function batchOf(signature: Signature | undefined): string | undefined {
  const first = signature?.parameters.find(p => p.type.kind === 'tensor')?.node.type?.shape;
  const [lead] = first?.restAt === 0 ? [] : (first?.dims ?? []);
  return lead?.kind === 'name' ? lead.name : undefined;
}

function costOf(
  { b, parameters, layers: made }: Builder,
  batch: string | undefined,
  own: Pick<LayerSite, 'uri' | 'declaration'>,
): ModelCost {
  const layers = new Map<string, { weights: number; flops: Dim }>();
  const all = { weights: 0, flops: 0 as Dim };
  const one = new Map<string, Dim>(batch === undefined ? [] : [[batch, 1]]);
  const around = (path: string) => {
    const names = path === '' ? [] : path.split('.');
    return names.map((_, i) => {
      const prefix = names.slice(0, i + 1).join('.');
      const cost = layers.get(prefix) ?? { weights: 0, flops: 0 };
      layers.set(prefix, cost);
      return cost;
    });
  };
  for (const p of parameters.values()) {
    if (!p.trainable) continue;
    const count = elementCount(p.shape) ?? 0;
    for (const cost of [all, ...around(p.name.slice(0, Math.max(0, p.name.lastIndexOf('.'))))]) cost.weights += count;
  }
  for (const { node, flops: symbolic } of workOf(b.finish('cost', []))) {
    const flops = substituteDim(symbolic, one);
    if (flops === 0) continue;
    for (const cost of [all, ...around(node.label ?? '')]) cost.flops = addDim(cost.flops, flops);
  }
  return { ...all, layers: bySite(made, layers, own) };
}

function bySite(
  made: Builder['layers'],
  costs: ReadonlyMap<string, Cost>,
  own: Pick<LayerSite, 'uri' | 'declaration'>,
): ReadonlyMap<number, readonly Cost[]> {
  const found = new Map<number, Cost[]>();
  for (const [path, [site, ...others]] of made) {
    const cost = costs.get(path);
    // What several places share (a function without weights) can't be told apart.
    if (!cost || !site || others.length > 0 || site.uri !== own.uri || site.declaration !== own.declaration) continue;
    found.set(site.span.start, [...(found.get(site.span.start) ?? []), cost]);
  }
  return found;
}

/** Longer formulas say less than none. */
const longestFormula = 60;

/** `100,480 weights`, `200,832 FLOPs a sample`, for people; what is nothing or unreadable is left out. */
export function showCost({ weights, flops }: Cost): readonly string[] {
  const work = typeof flops === 'number' ? flops.toLocaleString('en-US') : showDim(flops);
  return [
    ...(weights > 0 ? [`${weights.toLocaleString('en-US')} weights`] : []),
    ...(flops !== 0 && work.length <= longestFormula ? [`${work} FLOPs a sample`] : []),
  ];
}

/** Of the layers that one place makes: those of each turn of a loop, where they are alike; else of all turns together. */
export function showCosts(costs: readonly Cost[]): readonly string[] {
  const [first, ...others] = costs;
  if (first === undefined || others.length === 0) return first ? showCost(first) : [];
  const alike = others.every(c => c.weights === first.weights && showDim(c.flops) === showDim(first.flops));
  const shown = alike
    ? first
    : others.reduce((sum, c) => ({ weights: sum.weights + c.weights, flops: addDim(sum.flops, c.flops) }), first);
  return [
    ...showCost(shown),
    `${alike ? 'made' : 'in all, made'} ${costs.length} times, with weights of its own each time`,
  ];
}
