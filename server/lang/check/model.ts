/** Checking a model: its body once, with the header's variables rigid; and running it with known ones when a program is lowered. */
import { type Dim, dimVar, freeVariables, sameDim, showDim, substituteDim } from '../../../engine/dim/dim.ts';
import { type Requirement, substituteRequirement } from '../../../engine/dim/facts.ts';
import type { Expression, ModelDeclaration, Name, ShapeExpression, TypeExpression } from '../syntax/ast.ts';
import { walk } from '../syntax/ast.ts';
import { convert } from './arguments.ts';
import { anyLayer, type Callee } from './callee.ts';
import { batchVariable, bindName, type Context, localTarget, record, refer, report, sizeRelated } from './context.ts';
import { headerContext } from './header.ts';
import {
  failed,
  isError,
  kindOf,
  type Meaning,
  type Origin,
  showTensor,
  type TensorMeaning,
  wholeNumber,
} from './meaning.ts';
import type { Sheet } from './records.ts';
import type { Binding } from './scope.ts';
import {
  compileSignature,
  own,
  rigid,
  type Signature,
  type SignatureParameter,
  showPattern,
  type TensorPattern,
} from './signature.ts';
import { unused } from './statements.ts';
import { literalFix, shapesAgree } from './unify.ts';

/** The header compiled; problems in it go on the sheet. `label`: the header on one line. */
export function modelSignature(context: Context, node: ModelDeclaration, label: string): Signature {
  return compileSignature(node.header, headerContext(context, label));
}

/** Checks the body; the signature comes back with inferred results and with the requirements that the body gave rise to. */
export function checkModel(context: Context, node: ModelDeclaration, signature: Signature): Signature {
  const parameters: Binding[] = [];
  const rest = node.header.parameters.some(p => p.type?.shape?.restAt !== undefined);
  dimensionNames(context, node, signature);
  for (const p of signature.parameters) {
    if (p.node.fallback)
      convert(context, signature.name, p, context.rules.evaluate(context, p.node.fallback), p.node.fallback);
    const twice = parameters.find(b => b.name === p.name);
    if (twice) {
      const related = [{ target: localTarget(twice.span), role: 'first' as const, text: p.name }];
      report(context, 'duplicate-name', p.node.name, { name: p.name, what: 'parameter' }, { related });
    }
    const meaning = rigidParameter(p);
    record(context, p.node, meaning);
    parameters.push(bindName(context, p.node.name, 'parameter', meaning));
  }
  const assumed = signature.requirements.map(rigidRequirement);
  const inner: Context = { ...context, assumed, rigid: true, ...(batchFirst(signature) && { batchFirst: true }) };
  const body = context.rules.block(inner, node.body);
  for (const p of parameters) unused(context, p);
  const result = node.body.statements.length === 0 || body !== undefined ? (body ?? failed) : noResult(context, node);
  if (signature.results) for (const [i, r] of signature.results.entries()) checkResult(inner, node, r, i, result);
  const results = signature.results?.map((r, i) => withVia(r, result, i)) ?? inferredResults(result, rest);
  // What a damaged model seems to demand of callers is not said.
  const { requirements: demands, sizes: wishes } =
    node.body.damaged || node.header.damaged ? { requirements: [], sizes: [] } : context.sheet;
  const floated = demands.map(r => substituteRequirement(r.requirement, ownVariables(r.requirement)));
  const sizes = wishes.map(({ wants, size, callee, axis }) => ({
    wants,
    size: owned(size),
    callee,
    ...(axis && { axis }),
  }));
  const requirements = [...signature.requirements, ...floated];
  return { ...signature, ...(results && { results }), requirements, ...(sizes.length > 0 && { sizes }) };
}

/** By custom `B` is the batch: the first axis of what a train block hands to a model. */
function batchFirst({ parameters }: Signature): boolean {
  const batch = own(batchVariable);
  return parameters.some(
    ({ type: t }) => t.kind === 'tensor' && t.pattern.restAt !== 0 && sameDim(t.pattern.dims[0] ?? 0, batch),
  );
}

function withVia(pattern: TensorPattern, result: Meaning, i: number): TensorPattern {
  const item = result.kind === 'tuple' ? result.items[i] : result;
  return item?.kind === 'tensor' && item.via ? { ...pattern, via: item.via } : pattern;
}

function noResult(context: Context, node: ModelDeclaration): Meaning {
  if (node.body.damaged) return failed;
  report(context, 'model-without-result', node.name, { model: node.name.name });
  return failed;
}

function rigidRequirement(r: Requirement): Requirement {
  return { ...r, left: rigid(r.left), right: rigid(r.right) };
}

function ownVariables(r: Requirement): ReadonlyMap<string, Dim> {
  const names = freeVariables(r.left, freeVariables(r.right));
  return new Map([...names].map(name => [name, own(name)]));
}

/** What a parameter is within the body: sizes are its own variables, other hyperparameters are not known. */
function rigidParameter(p: SignatureParameter): Meaning {
  switch (p.type.kind) {
    case 'tensor':
      return rigidTensor(p.type.pattern, p.node.type?.shape);
    case 'int':
      return wholeNumber(dimVar(p.name));
    case 'float':
      return { kind: 'number', whole: false };
    case 'bool':
      return { kind: 'bool' };
    case 'string':
      return { kind: 'string' };
    case 'layer':
      return { kind: 'layer', callee: anyLayer(p.name), given: new Map(), path: '', state: { applied: 0 } };
    default:
      return failed;
  }
}

/** The opaque dimension that stands for `...` within a body. */
export const restVariable = '...';

function rigidTensor(
  { dtype, classes, dims, restAt }: TensorPattern,
  shape: ShapeExpression | undefined,
): TensorMeaning {
  const sizes = dims.map(rigid);
  const origins: (Origin | undefined)[] = (shape?.dims ?? []).map(d => ({ target: localTarget(d), literal: false }));
  if (restAt !== undefined) {
    sizes.splice(restAt, 0, dimVar(restVariable));
    origins.splice(restAt, 0, undefined);
  }
  return { kind: 'tensor', dtype, shape: sizes, origins, ...(classes !== undefined && { classes: rigid(classes) }) };
}

/** Dimension variables are names of the body; each use in the header refers to the first. */
function dimensionNames(context: Context, node: ModelDeclaration, signature: Signature): void {
  const first = new Map<string, Name>();
  const hyper = new Map(signature.parameters.filter(p => p.type.kind === 'int').map(p => [p.name, p.node.name]));
  const visit = (e: Expression): void =>
    walk(e, n => {
      if (n.kind !== 'name' || n.name === 'min' || n.name === 'max') return;
      const global = context.globals.lookup(n.name);
      if (global?.kind === 'const') return refer(context, n, n.name, 'const', global.target);
      const definition = hyper.get(n.name) ?? first.get(n.name);
      if (definition)
        return refer(context, n, n.name, hyper.has(n.name) ? 'parameter' : 'dimension', localTarget(definition));
      first.set(n.name, n);
      bindName(context, n, 'dimension', wholeNumber(dimVar(n.name))).used = true;
    });
  const visitType = (t: TypeExpression | undefined): void => {
    if (t?.classes) visit(t.classes);
    t?.shape?.dims.forEach(visit);
  };
  for (const p of node.header.parameters) visitType(p.type);
  for (const r of node.header.results) visitType(r);
  for (const w of node.header.where) visit(w);
}

function checkResult(
  context: Context,
  node: ModelDeclaration,
  pattern: TensorPattern,
  i: number,
  result: Meaning,
): void {
  if (isError(result)) return;
  const at = resultExpression(node);
  const found = result.kind === 'tuple' ? result.items[i] : i === 0 ? result : undefined;
  const expected = showPattern(pattern);
  const count = node.header.results.length;
  if (found === undefined || (result.kind === 'tuple') !== count > 1) {
    report(context, 'type-mismatch', at, {
      subject: node.name.name,
      expected: count > 1 ? `${count} results` : expected,
      found: kindOf(result),
    });
    return;
  }
  if (found.kind !== 'tensor') {
    report(context, 'type-mismatch', at, { subject: node.name.name, expected, found: kindOf(found) });
    return;
  }
  compareResult(context, node, pattern, found, at, node.header.results[i]!);
}

function compareResult(
  context: Context,
  node: ModelDeclaration,
  pattern: TensorPattern,
  found: TensorMeaning,
  at: Expression,
  declared: TypeExpression,
): void {
  const { shape: expected } = rigidTensor(pattern, undefined);
  const shown = { subject: node.name.name, expected: showPattern(pattern), found: showTensor(found) };
  const sameClasses =
    pattern.classes === undefined ||
    (found.classes !== undefined && shapesAgree(context, [rigid(pattern.classes)], [found.classes]));
  if (pattern.dtype !== found.dtype || !sameClasses) {
    report(context, 'type-mismatch', at, shown);
    return;
  }
  const known = { ...context, assumed: [...context.assumed, ...context.sheet.requirements.map(r => r.requirement)] };
  if (shapesAgree(known, expected, found.shape)) return;
  const declaration = { target: localTarget(declared), role: 'declaration' as const, text: showPattern(pattern) };
  const axis =
    expected.length === found.shape.length
      ? expected.findIndex((d, k) => !shapesAgree(known, [d], [found.shape[k]!]))
      : undefined;
  if (axis === undefined) {
    report(context, 'shape-mismatch', at, { role: 'result', ...shown }, { related: [declaration] });
    return;
  }
  const [expectedSize, foundSize] = [expected[axis]!, found.shape[axis]!];
  const origin = found.origins?.[axis];
  report(
    context,
    'shape-mismatch',
    at,
    { role: 'result', ...shown, axis, expectedSize: showDim(expectedSize), foundSize: showDim(foundSize) },
    { related: [declaration, ...sizeRelated(origin, showDim(foundSize))], ...literalFix(origin, expectedSize) },
  );
}

/** The last stage of the expression that is the result. */
function resultExpression(node: ModelDeclaration): Expression {
  const last = node.body.statements.findLast(s => s.kind === 'result');
  if (last?.kind !== 'result') return node.name;
  return last.value.kind === 'pipe' && last.value.stage.kind !== 'missing' ? last.value.stage : last.value;
}

/** The result's type over the model's own variables, for callers of a model that declares none. */
function inferredResults(result: Meaning, rest: boolean): readonly TensorPattern[] | undefined {
  const items = result.kind === 'tuple' ? result.items : [result];
  const patterns = items.flatMap(m => (m.kind === 'tensor' ? [inferredPattern(m, rest)] : []));
  return patterns.length === items.length ? patterns : undefined;
}

function owned(d: Dim): Dim {
  return substituteDim(d, new Map([...freeVariables(d)].map(n => [n, own(n)])));
}

function inferredPattern({ dtype, shape, classes }: TensorMeaning, rest: boolean): TensorPattern {
  const restAt = rest ? shape.findIndex(d => showDim(d) === restVariable) : -1;
  const dims = shape.filter((_, i) => i !== restAt).map(owned);
  return { dtype, dims, ...(restAt >= 0 && { restAt }), ...(classes !== undefined && { classes: owned(classes) }) };
}

/** Runs the body on values: the second half of lowering a call. `values` by parameter and dimension variable. */
export function runModel(
  context: Context,
  callee: Callee,
  values: ReadonlyMap<string, Meaning>,
  sheet: Sheet,
): Meaning {
  const inner: Context = { ...context, sheet, rigid: false, assumed: [] };
  for (const [name, meaning] of values) {
    const span = { start: 0, end: 0 };
    inner.scope.define({ name, kind: 'parameter', meaning, span, target: localTarget(span), used: true });
  }
  return context.rules.block(inner, callee.model!.node.body) ?? failed;
}
