/** Number of weights of a model by itself, with its dimension variables left symbolic. */

import { type Context, maxTurns } from '../check/context.ts';
import type { Meaning } from '../check/meaning.ts';
import { runModel } from '../check/model.ts';
import { elementCount } from '../check/operators.ts';
import { emptySheet } from '../check/records.ts';
import { Naming } from '../check/scope.ts';
import type { World } from '../check/world.ts';
import { builder } from './emission.ts';
import { loweringRules } from './rules.ts';

/** Undefined where a size depends on the call, or the model has errors. */
export function countParameters(world: World, name: string): number | undefined {
  const entry = world.find(name);
  if (entry?.node.kind !== 'model') return undefined;
  const checked = world.check(entry);
  if (checked.sheet.facts.some(f => f.code !== 'unused-binding')) return undefined;
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
  if (result.kind === 'error' || sheet.facts.length > 0) return undefined;
  const counts = [...emission.parameters.values()].filter(p => p.trainable).map(p => elementCount(p.shape) ?? 0);
  return counts.reduce((sum, c) => sum + c, 0);
}
