/** The checker's rules with models run in place: what turns a check into lowering. */
import type { Callee } from '../check/callee.ts';
import { type Context, type Rules, report, takeTurn } from '../check/context.ts';
import { evaluate } from '../check/expression.ts';
import { failed, type Meaning } from '../check/meaning.ts';
import { runModel } from '../check/model.ts';
import { emptySheet } from '../check/records.ts';
import { Naming, Scope } from '../check/scope.ts';
import { block } from '../check/statements.ts';
import type { World } from '../check/world.ts';
import type { Span } from '../text.ts';

/** Models within models beyond this are taken for endless. */
const maxDepth = 64;

export function loweringRules(world: World): Rules {
  let depth = 0;
  const instantiate = (
    context: Context,
    callee: Callee,
    values: ReadonlyMap<string, Meaning>,
    path: string,
    span: Span,
  ): Meaning => {
    const home = world.worldOf(callee.model!.uri);
    const entry = home?.find(callee.signature.name);
    if (!home || !entry || depth >= maxDepth) {
      report(context, 'recursive-model', span, { model: callee.signature.name, through: [] });
      return failed;
    }
    if (!takeTurn(context, span)) return failed;
    depth++;
    const sheet = emptySheet();
    const inner: Context = {
      ...home.context(entry, sheet, new Map()),
      rules: context.rules,
      scope: new Scope(),
      naming: new Naming(`${path}.`),
      budget: context.budget,
      ...(context.emission && { emission: context.emission }),
    };
    context.emission?.listener?.entered(callee.signature.name, path, values);
    const result = runModel(inner, callee, values, sheet);
    context.emission?.listener?.left(result);
    depth--;
    // What only shows with the sizes of this call is said of the call.
    for (const f of sheet.facts) if (f.code !== 'unused-binding') report(context, f.code, span, f.data);
    return result;
  };
  return { evaluate, block, instantiate };
}
