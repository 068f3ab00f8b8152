/** Unification of a parameter's declared tensor with an argument: binds variables, reports what differs and where the sizes came from. */
import {
  type Dim,
  dimVar,
  freeVariables,
  isConstant,
  sameDim,
  showDim,
  substituteDim,
} from '../../../engine/dim/dim.ts';
import { decide } from '../../../engine/dim/facts.ts';
import { unifyDim } from '../../../engine/dim/unify.ts';
import type { Span } from '../text.ts';
import { type Context, declaredRelated, demand, type RelatedRecord, report, sizeRelated } from './context.ts';
import { type Meaning, type Origin, showTensor, type TensorMeaning } from './meaning.ts';
import { type Signature, type SignatureParameter, showPattern, type TensorPattern, unmarked } from './signature.ts';

/** What the variables of a signature stand for at one call. */
export interface Unifier {
  readonly signature: Signature;
  /** Uri of the file that declares it; undefined for the library's own. */
  readonly home: string | undefined;
  readonly bindings: Map<string, Dim>;
  readonly origins: Map<string, Origin>;
  /** What `...` stands for. */
  rest: readonly Dim[] | undefined;
  restOrigins: readonly (Origin | undefined)[];
  /** Parameter whose shape bound a variable last, for "expected since". */
  readonly boundBy: Map<string, Bound>;
}

interface Bound {
  readonly span: Span;
  readonly shape: string;
}

export function unifier(signature: Signature, home?: string): Unifier {
  return {
    signature,
    home,
    bindings: new Map(),
    origins: new Map(),
    rest: undefined,
    restOrigins: [],
    boundBy: new Map(),
  };
}

/** False if it doesn't fit; that has been reported at `span`. `anyElement`: the function takes every dtype. */
export function unifyTensor(
  context: Context,
  u: Unifier,
  parameter: SignatureParameter,
  pattern: TensorPattern,
  argument: TensorMeaning,
  span: Span,
  anyElement: boolean,
): boolean {
  if (!elementFits(pattern, argument, anyElement)) {
    const data = {
      subject: parameter.name,
      callee: u.signature.name,
      expected: expectedText(u, pattern),
      found: showTensor(argument),
    };
    report(context, 'type-mismatch', span, data, { related: bothSides(context, u, parameter, span) });
    return false;
  }
  const axes = alignAxes(u, pattern, argument.shape);
  if (axes === undefined) return mismatch(context, u, parameter, pattern, argument, span);
  for (const { dim, axis, actual } of axes) {
    const bindings = actual ? new Map<string, Dim>() : u.bindings;
    if (!unifyAxis(context, u, parameter, pattern, argument, span, dim, axis, bindings)) return false;
  }
  bindRest(u, pattern, argument);
  return pattern.classes === undefined || unifyClasses(context, u, parameter, pattern, argument, span);
}

function elementFits(pattern: TensorPattern, argument: TensorMeaning, anyElement: boolean): boolean {
  if (pattern.classes !== undefined) return argument.classes !== undefined;
  return anyElement || pattern.dtype === argument.dtype;
}

interface Axis {
  readonly dim: Dim;
  readonly axis: number;
  /** Taken from an earlier argument, so its variables are the caller's. */
  readonly actual?: boolean;
}

/** Which size of the pattern belongs to which axis of the argument; undefined where the ranks can't agree. */
function alignAxes(u: Unifier, pattern: TensorPattern, shape: readonly Dim[]): readonly Axis[] | undefined {
  const { dims, restAt } = pattern;
  const extra = shape.length - dims.length;
  if (restAt === undefined) return extra === 0 ? dims.map((dim, axis) => ({ dim, axis })) : undefined;
  if (extra < 0 || (u.rest !== undefined && u.rest.length !== extra)) return undefined;
  const axes: Axis[] = dims.map((dim, i) => ({ dim, axis: i < restAt ? i : i + extra }));
  const rest = (u.rest ?? []).map((dim, i) => ({ dim, axis: restAt + i, actual: true }));
  return [...axes.slice(0, restAt), ...rest, ...axes.slice(restAt)];
}

function bindRest(u: Unifier, { dims, restAt }: TensorPattern, { shape, origins }: TensorMeaning): void {
  if (restAt === undefined || u.rest !== undefined) return;
  const end = restAt + shape.length - dims.length;
  u.rest = shape.slice(restAt, end);
  u.restOrigins = origins?.slice(restAt, end) ?? [];
}

function unifyAxis(
  context: Context,
  u: Unifier,
  parameter: SignatureParameter,
  pattern: TensorPattern,
  argument: TensorMeaning,
  span: Span,
  dim: Dim,
  axis: number,
  bindings: Map<string, Dim>,
): boolean {
  const found = argument.shape[axis]!;
  const before = bindings.size;
  const match = unifyDim(dim, found, u.signature.flexible, bindings, context.assumed);
  if (match.kind === 'mismatch')
    return mismatch(context, u, parameter, pattern, argument, span, { axis, expected: match.expected });
  if (bindings.size > before) noteBinding(u, dim, argument, axis, span);
  if (match.kind === 'ok') return true;
  // Two rigid sizes that may be equal: a requirement within a model, elsewhere nothing can make them so.
  const equal = match.requirements[0]?.kind === 'equal';
  if (equal && !context.rigid) {
    return mismatch(context, u, parameter, pattern, argument, span, { axis, expected: substituteDim(dim, bindings) });
  }
  return match.requirements.every(r => demand(context, r, span, u.signature.name));
}

function noteBinding(u: Unifier, dim: Dim, argument: TensorMeaning, axis: number, span: Span): void {
  const name = variable(dim);
  if (name === undefined) return;
  const origin = argument.origins?.[axis];
  if (origin) u.origins.set(name, origin);
  u.boundBy.set(name, { span, shape: showTensor(argument) });
}

function unifyClasses(
  context: Context,
  u: Unifier,
  parameter: SignatureParameter,
  pattern: TensorPattern,
  argument: TensorMeaning,
  span: Span,
): boolean {
  const classes = pattern.classes!;
  const match = unifyDim(classes, argument.classes!, u.signature.flexible, u.bindings, context.assumed);
  if (match.kind === 'ok') return true;
  const expected = substituteDim(classes, u.bindings);
  if (match.kind === 'requires' && context.rigid)
    return match.requirements.every(r => demand(context, r, span, u.signature.name));
  const name = variable(classes);
  const bound = name === undefined ? undefined : u.boundBy.get(name);
  if (bound === undefined) {
    const data = {
      subject: parameter.name,
      callee: u.signature.name,
      expected: expectedText(u, pattern),
      found: showTensor(argument),
    };
    report(context, 'type-mismatch', span, data, { related: bothSides(context, u, parameter, span) });
    return false;
  }
  const origin = u.origins.get(name!);
  const data = { classes: showDim(argument.classes!), logits: unmarked(showDim(expected)), callee: u.signature.name };
  const related: RelatedRecord[] = [
    ...sizeRelated(origin, showDim(expected)),
    { target: { kind: 'local', span: bound.span }, role: 'value', text: bound.shape },
  ];
  report(context, 'class-mismatch', span, data, { related, ...literalFix(origin, argument.classes!) });
  return false;
}

/** Reports the shape mismatch, at the axis where there is one. */
function mismatch(
  context: Context,
  u: Unifier,
  parameter: SignatureParameter,
  pattern: TensorPattern,
  argument: TensorMeaning,
  span: Span,
  at?: { readonly axis: number; readonly expected: Dim },
): false {
  const origin = at && argument.origins?.[at.axis];
  const foundSize = at && argument.shape[at.axis]!;
  report(
    context,
    'shape-mismatch',
    span,
    {
      role: 'argument',
      subject: parameter.name,
      callee: u.signature.name,
      expected: expectedText(u, pattern),
      found: showTensor(argument),
      ...(at && { axis: at.axis, expectedSize: unmarked(showDim(at.expected)), foundSize: showDim(foundSize!) }),
    },
    {
      related: [
        ...sizeRelated(origin, foundSize === undefined ? '' : showDim(foundSize)),
        ...bothSides(context, u, parameter, span),
      ],
      ...(at && literalFix(origin, at.expected)),
    },
  );
  return false;
}

/** Where the argument and the parameter are declared. */
function bothSides(context: Context, u: Unifier, parameter: SignatureParameter, span: Span): readonly RelatedRecord[] {
  const { home, signature } = u;
  const argument = declaredRelated(context, span);
  if (home === undefined) return argument;
  const target = { kind: 'global', uri: home, name: signature.name, parameter: parameter.name } as const;
  return [...argument, { target, role: 'declaration', text: `${parameter.name} of ${signature.name}` }];
}

/** If the wrong size is a literal, the right one can stand in its place. */
export function literalFix(
  origin: Origin | undefined,
  size: Dim,
): { readonly fix?: readonly { span: Span; text: string }[] } {
  if (!origin?.literal || origin.target.kind !== 'local' || !isConstant(size)) return {};
  return { fix: [{ span: origin.target.span, text: String(size) }] };
}

/** The pattern with what is bound put in: `[B, 784]`. */
function expectedText(u: Unifier, pattern: TensorPattern): string {
  const substitute = (d: Dim) => substituteDim(d, u.bindings);
  const classes = pattern.classes === undefined ? undefined : substitute(pattern.classes);
  const dims = pattern.dims.map(substitute);
  const { dtype, restAt } = pattern;
  const full = restAt !== undefined && u.rest !== undefined ? dims.toSpliced(restAt, 0, ...u.rest) : undefined;
  return showPattern({
    dtype,
    dims: full ?? dims,
    ...(classes !== undefined && { classes }),
    ...(restAt !== undefined && full === undefined && { restAt }),
  });
}

/** A result pattern at this call. Undefined if it holds a variable that nothing bound. */
export function resultOf(u: Unifier, pattern: TensorPattern): TensorMeaning | undefined {
  const free = new Set<string>();
  const substitute = (d: Dim): Dim => {
    for (const name of freeVariables(d)) if (u.signature.flexible.has(name) && !u.bindings.has(name)) free.add(name);
    return substituteDim(d, u.bindings);
  };
  const { dims, restAt, dtype, classes, via } = pattern;
  const shape = dims.map(substitute);
  const origins: (Origin | undefined)[] = dims.map(d => originOf(u, d));
  if (restAt !== undefined) {
    if (u.rest === undefined) return undefined;
    shape.splice(restAt, 0, ...u.rest);
    origins.splice(restAt, 0, ...u.rest.map((_, i) => u.restOrigins[i]));
  }
  const classCount = classes === undefined ? undefined : substitute(classes);
  if (free.size > 0) return undefined;
  return {
    kind: 'tensor',
    dtype,
    shape,
    origins,
    ...(classCount !== undefined && { classes: classCount }),
    ...(via && { via }),
  };
}

function originOf(u: Unifier, d: Dim): Origin | undefined {
  const name = variable(d);
  return name === undefined ? undefined : u.origins.get(name);
}

export function variable(d: Dim): string | undefined {
  if (isConstant(d)) return undefined;
  const names = [...freeVariables(d)];
  return names.length === 1 && sameDim(d, dimVar(names[0]!)) ? names[0] : undefined;
}

/** True if the two shapes are equal as far as is known. */
export function shapesAgree(context: Context, a: readonly Dim[], b: readonly Dim[]): boolean {
  if (a.length !== b.length) return false;
  return a.every((d, i) => decide({ kind: 'equal', left: d, right: b[i]! }, context.assumed) === 'holds');
}

export function isTensor(m: Meaning): m is TensorMeaning {
  return m.kind === 'tensor';
}
