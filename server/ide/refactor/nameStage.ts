/** `x |> linear(4)` to `linear1 = linear(4)` and `x |> linear1`: its weights get a name, and can be shared. */
import { libraryCallee } from '../../lang/check/callee.ts';
import type { Expression, PipeExpression } from '../../lang/syntax/ast.ts';
import { freshName, indentAt, newlineOf, type Refactoring, type Site, statementAt, within } from './site.ts';

export const nameStage: Refactoring = site => {
  const pipe = site.path.findLast(n => n.kind === 'pipe' && within(site.selection, n.stage)) as
    | PipeExpression
    | undefined;
  const placed = statementAt(site.path);
  const callee = pipe && layerOf(site, pipe.stage);
  if (!pipe || !placed || callee === undefined) return undefined;
  const { statement } = placed;
  const name = freshName(site, callee.toLowerCase(), true);
  const call = site.text.slice(pipe.stage.start, pipe.stage.end);
  const made = `${name} = ${pipe.stage.kind === 'call' ? call : `${call}()`}`;
  const before = made + newlineOf(site.text) + indentAt(site.text, statement.start);
  return {
    title: `name this stage ${name}`,
    kind: 'refactor.extract',
    edits: [
      { span: { start: statement.start, end: statement.start }, text: before },
      { span: { start: pipe.stage.start, end: pipe.stage.end }, text: name },
    ],
  };
};

/** The name of the layer or model that a stage makes without a name, if it is given nothing but hyperparameters. */
function layerOf({ sheet }: Site, stage: Expression): string | undefined {
  const callee = stage.kind === 'call' ? stage.callee : stage;
  if (callee.kind !== 'name') return undefined;
  const reference = sheet.references.find(r => r.span.start === callee.start);
  const owns =
    reference?.kind === 'model' || (reference?.kind === 'library' && libraryCallee(callee.name, 'model')?.weights);
  if (!owns) return undefined;
  const args = stage.kind === 'call' ? stage.args : [];
  const plain = args.every(a => ['number', 'bool', 'string', 'list'].includes(sheet.types.get(a.value)?.kind ?? ''));
  return plain ? callee.name : undefined;
}
