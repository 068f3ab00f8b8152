/** Headers compiled: the parameters, result patterns and requirements of a model or a library function. */
import {
  addDim,
  type Dim,
  dimVar,
  floorDivDim,
  freeVariables,
  maxDim,
  minDim,
  modDim,
  mulDim,
  negDim,
  showDim,
  subDim,
  substituteDim,
} from '../../../engine/dim/dim.ts';
import { type Requirement, showRequirement } from '../../../engine/dim/facts.ts';
import type { Expression, Header, Parameter, ShapeExpression, TypeExpression } from '../syntax/ast.ts';
import type { Span } from '../text.ts';
import type { Element } from './meaning.ts';

/** `[..., D]`: `dims` without the dots, which stand before `dims[restAt]`. */
export interface TensorPattern {
  readonly dtype: Element;
  /** Of `index(C)`. */
  readonly classes?: Dim;
  readonly dims: readonly Dim[];
  readonly restAt?: number;
  /** Name of the function that a model's result comes out of, for lints at the call. */
  readonly via?: string;
}

export type HyperKind =
  | 'int'
  | 'float'
  | 'bool'
  | 'string'
  | 'path'
  | 'shape'
  | 'numbers'
  | 'sizes'
  | 'padding'
  | 'schedule'
  | 'optimizer'
  | 'source'
  | 'metric'
  | 'layer'
  | 'stop';

const hyperKinds: ReadonlySet<string> = new Set<HyperKind>([
  'int',
  'float',
  'bool',
  'string',
  'path',
  'shape',
  'numbers',
  'sizes',
  'padding',
  'schedule',
  'optimizer',
  'source',
  'metric',
  'layer',
  'stop',
]);

export interface SignatureParameter {
  readonly name: string;
  readonly type:
    | { readonly kind: 'tensor'; readonly pattern: TensorPattern }
    | { readonly kind: HyperKind | 'error' }
    /** One of some words, `float` among them for any number: `mean | median | float`. */
    | { readonly kind: 'choice'; readonly options: readonly string[] };
  readonly fallback?: Expression;
  readonly optional: boolean;
  readonly node: Parameter;
}

export interface Signature {
  readonly name: string;
  /** The whole header on one line. */
  readonly label: string;
  readonly parameters: readonly SignatureParameter[];
  /** Undefined where it is neither declared nor inferred yet. */
  readonly results?: readonly TensorPattern[];
  /** Variables bound by the arguments' shapes and classes; int parameters are not among them. */
  readonly flexible: ReadonlySet<string>;
  readonly requirements: readonly Requirement[];
  /** Of a model: what its body wants of sizes that the callers bring. */
  readonly sizes?: readonly SizeNote[];
}

/**
 * What `callee` wants of a size, which only shows where the batch is known: `several`, the number of values that it takes a statistic
 * over in training; `known` before training, the size of its axis `axis`, on which weights or loops depend.
 */
export interface SizeNote {
  readonly wants: 'several' | 'known';
  readonly size: Dim;
  readonly callee: string;
  readonly axis?: string;
}

/** What is wrong in a header, and names that are known sizes (`const hidden = 128`). */
export interface HeaderContext {
  readonly label: string;
  readonly problem?: (span: Span, what: 'dimension' | 'type' | 'where' | 'terms', text: string) => void;
  readonly constant?: (name: string) => Dim | undefined;
  /** False in models, whose bodies have nothing to tell the words of `mean | median` apart with. */
  readonly words?: false;
}

export function compileSignature(header: Header, context: HeaderContext): Signature {
  const parameters = header.parameters.filter(p => p.name.name !== '').map(p => compileParameter(p, context));
  const flexible = new Set<string>();
  for (const { type } of parameters) {
    if (type.kind === 'tensor') for (const name of variablesOf(type.pattern)) flexible.add(name);
  }
  for (const p of parameters) flexible.delete(ownName(p.name));
  const declared = header.results.some(r => r.damaged) ? [] : header.results;
  const results = declared.flatMap(r => tensorPattern(r, context) ?? []);
  const requirements = header.where.flatMap(w => {
    const requirement = requirementOf(w, context);
    if (requirement === undefined && w.kind !== 'missing') context.problem?.(w, 'where', '');
    return requirement ?? [];
  });
  return {
    name: header.name.name,
    label: context.label,
    parameters,
    ...(results.length > 0 && { results }),
    flexible,
    requirements,
  };
}

/**
 * A variable of the signature itself. The mark keeps it apart from a variable of the caller that has the same name;
 * within the model's own body it is taken off, see `rigid`.
 */
export function own(name: string): Dim {
  return dimVar(ownName(name));
}

export function ownName(name: string): string {
  return `?${name}`;
}

/** The size as the model's own body sees it. */
export function rigid(d: Dim): Dim {
  const names = [...freeVariables(d)].filter(n => n.startsWith('?'));
  return substituteDim(d, new Map(names.map(n => [n, dimVar(n.slice(1))])));
}

/** A requirement over the signature's own variables, as the user writes it. */
export function showOwn(r: Requirement): string {
  return showRequirement({ ...r, left: rigid(r.left), right: rigid(r.right) });
}

export function unmarked(text: string): string {
  return text.replaceAll('?', '');
}

export function variablesOf(pattern: TensorPattern): ReadonlySet<string> {
  const names = new Set<string>();
  for (const d of pattern.dims) freeVariables(d, names);
  if (pattern.classes !== undefined) freeVariables(pattern.classes, names);
  return names;
}

function compileParameter(node: Parameter, context: HeaderContext): SignatureParameter {
  const base = {
    name: node.name.name,
    optional: node.optional,
    node,
    ...(node.fallback && { fallback: node.fallback }),
  };
  const { type } = node;
  if (type === undefined) return { ...base, type: { kind: 'error' } };
  const word = type.element?.name;
  if (type.alternatives && word !== undefined) {
    if (context.words === false) context.problem?.(type, 'type', word);
    return { ...base, type: { kind: 'choice', options: [word, ...type.alternatives.map(a => a.name)] } };
  }
  if (type.shape === undefined && word !== undefined && hyperKinds.has(word)) {
    return { ...base, type: { kind: word as HyperKind } };
  }
  const pattern = tensorPattern(type, context);
  return { ...base, type: pattern ? { kind: 'tensor', pattern } : { kind: 'error' } };
}

const elements: Readonly<Record<string, Element>> = { index: 'i32', int: 'i32', bool: 'bool', float: 'f32' };

/** Undefined for what is no tensor type (a problem has been reported unless it is a hyperparameter kind). */
export function tensorPattern(type: TypeExpression, context: HeaderContext): TensorPattern | undefined {
  if (type.damaged) return undefined;
  const word = type.element?.name;
  if (type.shape === undefined) {
    if (word !== undefined && !hyperKinds.has(word)) context.problem?.(type.element!, 'type', word);
    return undefined;
  }
  const dtype = word === undefined ? 'f32' : elements[word];
  if (dtype === undefined || (word === 'index') !== (type.classes !== undefined)) {
    context.problem?.(type.element!, 'type', word ?? '');
    return undefined;
  }
  const classes = type.classes && dimensionOf(type.classes, context);
  const dims = shapeDims(type.shape, context);
  if (dims === undefined || (type.classes && classes === undefined)) return undefined;
  const { restAt } = type.shape;
  return { dtype, dims, ...(classes !== undefined && { classes }), ...(restAt !== undefined && { restAt }) };
}

function shapeDims(shape: ShapeExpression, context: HeaderContext): readonly Dim[] | undefined {
  const dims = shape.dims.map(d => dimensionOf(d, context));
  return dims.every(d => d !== undefined) ? dims : undefined;
}

const arithmetic: Readonly<Record<string, (a: Dim, b: Dim) => Dim>> = {
  '+': addDim,
  '-': subDim,
  '*': mulDim,
  '/': floorDivDim,
  '%': modDim,
};

/** The arithmetic of sizes, where the operator has one. */
export function dimOperator(op: string): ((a: Dim, b: Dim) => Dim) | undefined {
  return arithmetic[op];
}

/** A size written in a type. Names that aren't constants are variables. */
export function dimensionOf(e: Expression, context: HeaderContext): Dim | undefined {
  if (e.kind === 'number' && e.whole) return e.value;
  if (e.kind === 'name') return context.constant?.(e.name) ?? own(e.name);
  if (e.kind === 'unary' && e.op === '-') {
    const inner = dimensionOf(e.operand, context);
    return inner === undefined ? undefined : negDim(inner);
  }
  if (e.kind === 'binary' || e.kind === 'call') {
    const operation = e.kind === 'binary' ? arithmetic[e.op] : extremum(e.callee);
    const [left, right] = e.kind === 'binary' ? [e.left, e.right] : [e.args[0]?.value, e.args[1]?.value];
    const a = left && dimensionOf(left, context);
    const b = right && dimensionOf(right, context);
    if (
      operation !== undefined &&
      a !== undefined &&
      b !== undefined &&
      !(e.kind === 'binary' && '/%'.includes(e.op) && b === 0)
    ) {
      if (tooManyTerms(a, b)) context.problem?.(e, 'terms', '');
      else return operation(a, b);
      return undefined;
    }
    if (operation !== undefined) return undefined;
  }
  if (e.kind !== 'missing') context.problem?.(e, 'dimension', '');
  return undefined;
}

/** A product of sums of sums … would have more terms than anyone can read. */
export const maxTerms = 200;

export function tooManyTerms(a: Dim, b: Dim): boolean {
  return weight(a) * weight(b) > maxTerms;
}

function weight(d: Dim): number {
  if (typeof d === 'number') return 1;
  return d.terms.reduce(
    (sum, t) => sum + t.factors.reduce((w, f) => w + (f.kind === 'variable' ? 1 : weight(f.left) + weight(f.right)), 0),
    1,
  );
}

function extremum(callee: Expression): ((a: Dim, b: Dim) => Dim) | undefined {
  if (callee.kind !== 'name') return undefined;
  return callee.name === 'min' ? minDim : callee.name === 'max' ? maxDim : undefined;
}

/** `D % heads == 0`, `T >= 2`, `A == B`, and `&&` of them is for the caller to write as two. */
function requirementOf(e: Expression, context: HeaderContext): Requirement | undefined {
  if (e.kind !== 'binary') return undefined;
  const left = e.op === '==' && isRemainder(e.left) ? undefined : dimensionOf(e.left, context);
  const right = dimensionOf(e.right, context);
  if (e.op === '==' && isRemainder(e.left) && right === 0) {
    const [a, b] = [dimensionOf(e.left.left, context), dimensionOf(e.left.right, context)];
    return a === undefined || b === undefined ? undefined : { kind: 'divides', left: a, right: b };
  }
  const whole = left ?? dimensionOf(e.left, context);
  if (whole === undefined || right === undefined) return undefined;
  if (e.op === '==') return { kind: 'equal', left: whole, right };
  if (e.op === '>=') return { kind: 'atLeast', left: whole, right };
  if (e.op === '>') return { kind: 'atLeast', left: whole, right: addDim(right, 1) };
  if (e.op === '<=') return { kind: 'atLeast', left: right, right: whole };
  return e.op === '<' ? { kind: 'atLeast', left: right, right: addDim(whole, 1) } : undefined;
}

function isRemainder(e: Expression): e is Extract<Expression, { kind: 'binary' }> {
  return e.kind === 'binary' && e.op === '%';
}

/** As the user writes it: `index(C)[..., T]`. */
export function showPattern({ dtype, classes, dims, restAt }: TensorPattern): string {
  const sizes = dims.map(d => unmarked(showDim(d)));
  if (restAt !== undefined) sizes.splice(restAt, 0, '...');
  const shape = `[${sizes.join(', ')}]`;
  if (classes !== undefined) return `index(${unmarked(showDim(classes))})${shape}`;
  return `${dtype === 'f32' ? '' : dtype === 'i32' ? 'int' : 'bool'}${shape}`;
}

export function showParameterType({ type }: SignatureParameter): string {
  if (type.kind === 'choice') return type.options.join(' | ');
  return type.kind === 'tensor' ? showPattern(type.pattern) : type.kind;
}
