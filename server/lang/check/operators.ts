/** Operators on tensors and numbers: broadcasting, matrix product, comparisons; in lowering they build the node. */
import { type Dim, isConstant, mulDim, negDim, sameDim, sameShape, showDim } from '../../../engine/dim/dim.ts';
import { decide } from '../../../engine/dim/facts.ts';
import { meetings } from '../../../engine/ops/broadcasting.ts';
import type { GraphBuilder, Operand, Value } from '../../../engine/ops/builder.ts';
import { remainder } from '../../../engine/ops/remainder.ts';
import type { BinaryExpression, BinaryOperator } from '../syntax/ast.ts';
import type { Span } from '../text.ts';
import { type Context, declaredRelated, demand, report, sizeRelated } from './context.ts';
import {
  type Element,
  failed,
  fieldOf,
  isError,
  kindOf,
  type Meaning,
  type NumberMeaning,
  type Origin,
  realNumber,
  showTensor,
  type TensorMeaning,
  wholeNumber,
} from './meaning.ts';
import { dimOperator, maxTerms, tooManyTerms } from './signature.ts';
import { literalFix } from './unify.ts';

const comparisons: ReadonlySet<BinaryOperator> = new Set(['==', '!=', '<', '<=', '>', '>=']);

export function binaryMeaning(context: Context, e: BinaryExpression, left: Meaning, right: Meaning): Meaning {
  if (isError(left) || isError(right)) return failed;
  if (left.kind === 'number' && right.kind === 'number') return numberOperation(context, e, left, right);
  if (left.kind === 'bool' && right.kind === 'bool') return boolOperation(e.op, left.value, right.value);
  if (left.kind === 'string' && right.kind === 'string')
    return { kind: 'bool', ...equality(e.op, left.value, right.value) };
  if (left.kind === 'tensor' && right.kind === 'tensor' && e.op === '@') return matmul(context, e, left, right);
  const operands = [left, right].filter(m => m.kind === 'tensor' || m.kind === 'number');
  if (operands.length === 2 && e.op !== '@')
    return tensorOperation(context, e, left as TensorMeaning, right as TensorMeaning);
  const wrong = left.kind === 'tensor' || left.kind === 'number' ? e.right : e.left;
  const found = wrong === e.right ? right : left;
  report(context, 'type-mismatch', wrong, { subject: e.op, expected: 'a tensor or a number', found: kindOf(found) });
  return failed;
}

function equality(op: BinaryOperator, a: unknown, b: unknown): { value?: boolean } {
  if (a === undefined || b === undefined) return {};
  return { value: op === '!=' ? a !== b : a === b };
}

function boolOperation(op: BinaryOperator, a: boolean | undefined, b: boolean | undefined): Meaning {
  if (op === '&&' && (a === false || b === false)) return { kind: 'bool', value: false };
  if (op === '||' && (a === true || b === true)) return { kind: 'bool', value: true };
  if (op === '&&' || op === '||')
    return { kind: 'bool', ...(a !== undefined && b !== undefined && { value: op === '&&' }) };
  return { kind: 'bool', ...equality(op, a, b) };
}

/** Of the sign of the divisor, as of sizes and in Python. */
function floorRemainder(a: number, b: number): number {
  const r = a % b;
  return r !== 0 && r < 0 !== b < 0 ? r + b : r;
}

const realOperations: Readonly<Record<string, (a: number, b: number) => number>> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
  '%': floorRemainder,
  '**': (a, b) => a ** b,
};

const realComparisons: Readonly<Record<string, (a: number, b: number) => boolean>> = {
  '==': (a, b) => a === b,
  '!=': (a, b) => a !== b,
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b,
};

/** Sizes stay exact: `1 / 255` is 0 as a size and 0.0039 as a real, whichever is asked for. */
function numberOperation(context: Context, e: BinaryExpression, a: NumberMeaning, b: NumberMeaning): Meaning {
  const known = a.real !== undefined && b.real !== undefined;
  if (comparisons.has(e.op)) return { kind: 'bool', ...(known && { value: realComparisons[e.op]!(a.real!, b.real!) }) };
  const real = known ? realOperations[e.op]?.(a.real!, b.real!) : undefined;
  if ((e.op === '/' || e.op === '%') && (b.real === 0 || b.dim === 0) && b.real === 0) {
    report(context, 'value-out-of-range', e.right, { subject: e.op, expected: 'a divisor other than 0', found: '0' });
    return failed;
  }
  if (!a.whole || !b.whole) return realNumber(real);
  const operation = dimOperator(e.op);
  if (a.dim === undefined || b.dim === undefined || operation === undefined) {
    return real !== undefined && Number.isInteger(real) ? wholeNumber(real) : realNumber(real);
  }
  if ((e.op === '/' || e.op === '%') && b.dim === 0) return failed;
  if (tooManyTerms(a.dim, b.dim)) {
    report(context, 'limit-exceeded', e, { what: 'terms', limit: maxTerms });
    return failed;
  }
  const dim = operation(a.dim, b.dim);
  return { kind: 'number', whole: true, dim, ...(real !== undefined && { real }) };
}

export function negated(m: Meaning): Meaning | undefined {
  if (m.kind !== 'number') return undefined;
  const { whole, dim, real } = m;
  return {
    kind: 'number',
    whole,
    ...(dim !== undefined && { dim: negDim(dim) }),
    ...(real !== undefined && { real: -real }),
  };
}

type Rule = (b: GraphBuilder, x: Operand, y: Operand) => Value;

const nodes: Readonly<Record<string, Rule>> = {
  '+': (b, x, y) => b.add(x, y),
  '-': (b, x, y) => b.sub(x, y),
  '*': (b, x, y) => b.mul(x, y),
  '/': (b, x, y) => b.div(x, y),
  '%': remainder,
  '**': (b, x, y) => b.pow(x, y),
  '==': (b, x, y) => b.equal(x, y),
  '!=': (b, x, y) => b.notEqual(x, y),
  '<': (b, x, y) => b.less(x, y),
  '<=': (b, x, y) => b.lessEqual(x, y),
  '>': (b, x, y) => b.greater(x, y),
  '>=': (b, x, y) => b.greaterEqual(x, y),
};

type TensorOrNumber = TensorMeaning | NumberMeaning;

function tensorOperation(context: Context, e: BinaryExpression, left: TensorOrNumber, right: TensorOrNumber): Meaning {
  const shapes = [left, right].map(m => (m.kind === 'tensor' ? m.shape : []));
  const joined = broadcast(context, e, left, right, shapes[0]!, shapes[1]!);
  if (joined === undefined) return failed;
  const logical = e.op === '&&' || e.op === '||';
  stretched(context, e, left, right, joined.shape);
  const element = logical ? 'bool' : commonElement(left, right, e.op);
  const dtype: Element = logical || comparisons.has(e.op) ? 'bool' : element;
  const node = emit(context, e, left, right, element);
  const classes = e.op === '%' ? remainders(left, right) : undefined;
  const converted = convertedField(e.op, left, right);
  return {
    kind: 'tensor',
    dtype,
    ...joined,
    ...(classes !== undefined && { classes }),
    ...(converted !== undefined && { converted }),
    ...(node && { node }),
  };
}

/** What a loss compares with these, it compares with the field. */
function convertedField(op: BinaryOperator, left: TensorOrNumber, right: TensorOrNumber): string | undefined {
  const [tensor, number] = left.kind === 'tensor' ? [left, right] : [right, left];
  if (tensor.kind !== 'tensor' || number.kind !== 'number') return undefined;
  const ranged = op === '%' && tensor === left && tensor.dtype === 'i32' && tensor.classes === undefined;
  return ranged || (op === '*' && number.real === 1) ? fieldOf(tensor) : undefined;
}

/** `x % 10` is `index(10)` for whole x: remainders have the sign of the divisor. */
function remainders(left: TensorOrNumber, right: TensorOrNumber): Dim | undefined {
  if (left.kind !== 'tensor' || left.dtype !== 'i32' || right.kind !== 'number') return undefined;
  return right.real !== undefined && right.real > 0 ? right.dim : undefined;
}

/** `[B, 1] - [B]` is `[B, B]`: in a train block every prediction meets every target, which nobody means. */
function stretched(
  context: Context,
  e: BinaryExpression,
  left: TensorOrNumber,
  right: TensorOrNumber,
  shape: readonly Dim[],
): void {
  if (context.anonymous === undefined || left.kind !== 'tensor' || right.kind !== 'tensor') return;
  if (left.shape.length === right.shape.length || [left, right].some(m => sameShape(m.shape, shape))) return;
  const data = { callee: e.op, prediction: showTensor(left), target: showTensor(right) };
  report(context, 'broadcast-target', e.operator, data);
}

/** Integers stay integers among themselves, except under true division and powers. */
function commonElement(left: TensorOrNumber, right: TensorOrNumber, op: BinaryOperator): Element {
  if (op === '/' || op === '**') return 'f32';
  const whole = (m: TensorOrNumber) => (m.kind === 'tensor' ? m.dtype === 'i32' : m.whole);
  return whole(left) && whole(right) ? 'i32' : 'f32';
}

function emit(
  context: Context,
  e: BinaryExpression,
  left: TensorOrNumber,
  right: TensorOrNumber,
  element: Element,
): Value | undefined {
  if (!context.emission) return undefined;
  const { b } = context.emission.at('');
  const [x, y] = alignSamples(context, b, left, right).map(o => (typeof o === 'number' ? o : b.cast(o, element)));
  if (e.op === '&&') return b.logicalAnd(x as Value, y as Value);
  if (e.op === '||') return b.logicalOr(x as Value, y as Value);
  return nodes[e.op]!(b, x!, y!);
}

/** Samples broadcast within the batch: [B, 28] against [B, 28, 28] needs its missing axes behind B. */
function alignSamples(
  context: Context,
  b: GraphBuilder,
  left: TensorOrNumber,
  right: TensorOrNumber,
): readonly Operand[] {
  const values = [left, right].map(m => (m.kind === 'tensor' ? m.node! : m.real!));
  if (!context.perSample) return values;
  const rank = Math.max(...values.map(v => (typeof v === 'number' ? 0 : v.type.shape.length)));
  return values.map(v => {
    if (typeof v === 'number' || v.type.shape.length === 0) return v;
    const [batch = 1, ...sample] = v.type.shape;
    return b.reshape(v, [batch, ...Array<Dim>(rank - v.type.shape.length).fill(1), ...sample]);
  });
}

interface Joined {
  readonly shape: readonly Dim[];
  readonly origins: readonly (Origin | undefined)[];
}

/** Aligned at the last axis; a size of 1 is repeated. */
function broadcast(
  context: Context,
  e: BinaryExpression,
  left: TensorOrNumber,
  right: TensorOrNumber,
  a: readonly Dim[],
  b: readonly Dim[],
): Joined | undefined {
  const shape: Dim[] = [];
  const origins: (Origin | undefined)[] = [];
  const met = meetings([a, b]);
  for (const [i, { size, from, others }] of met.entries()) {
    const axis = i - met.length + b.length;
    const [found] = others;
    if (found !== undefined && !equalOrDemanded(context, e, size, found)) {
      operandMismatch(context, e, left, right, { axis, expected: size, found, origin: originAt(right, axis) });
      return undefined;
    }
    shape.push(size);
    origins.push(from === 0 ? originAt(left, i - met.length + a.length) : originAt(right, axis));
  }
  return { shape, origins };
}

function originAt(m: TensorOrNumber, axis: number): Origin | undefined {
  return m.kind === 'tensor' ? m.origins?.[axis] : undefined;
}

function equalOrDemanded(context: Context, e: BinaryExpression, x: Dim, y: Dim): boolean {
  const requirement = { kind: 'equal', left: x, right: y } as const;
  const verdict = decide(requirement, context.assumed);
  if (verdict !== 'unknown') return verdict === 'holds';
  return context.rigid && demand(context, requirement, e.operator, e.op);
}

function operandMismatch(
  context: Context,
  e: BinaryExpression,
  left: Meaning,
  right: Meaning,
  at?: { axis: number; expected: Dim; found: Dim; origin: Origin | undefined },
): void {
  if (left.kind !== 'tensor' || right.kind !== 'tensor') return;
  report(
    context,
    'shape-mismatch',
    e.right,
    {
      role: 'operands',
      subject: e.op,
      expected: showTensor(left),
      found: showTensor(right),
      ...(at && { axis: at.axis, expectedSize: showDim(at.expected), foundSize: showDim(at.found) }),
    },
    {
      related: [
        ...sizeRelated(at?.origin, at ? showDim(at.found) : ''),
        ...declaredRelated(context, e.left),
        ...declaredRelated(context, e.right),
      ],
      ...(at && literalFix(at.origin, at.expected)),
    },
  );
}

/** [..., M, K] @ [..., K, N]. */
function matmul(context: Context, e: BinaryExpression, left: TensorMeaning, right: TensorMeaning): Meaning {
  const [a, b] = [left.shape, right.shape];
  if (a.length < 2 || b.length < 2) {
    operandMismatch(context, e, left, right);
    return failed;
  }
  const [x, y] = [a.at(-1)!, b.at(-2)!];
  if (!sameDim(x, y) && !equalOrDemanded(context, e, x, y)) {
    operandMismatch(context, e, left, right, {
      axis: b.length - 2,
      expected: x,
      found: y,
      origin: right.origins?.at(-2),
    });
    return failed;
  }
  const batch = broadcast(context, e, left, right, a.slice(0, -2), b.slice(0, -2));
  if (batch === undefined) return failed;
  const node = context.emission?.at('').b.matmul(left.node!, right.node!);
  const origins = [...batch.origins, left.origins?.at(-2), right.origins?.at(-1)];
  return {
    kind: 'tensor',
    dtype: 'f32',
    shape: [...batch.shape, a.at(-2)!, b.at(-1)!],
    origins,
    ...(node && { node }),
  };
}

/** -x and !x. */
export function unaryMeaning(context: Context, op: '-' | '!', m: Meaning, span: Span): Meaning {
  if (isError(m)) return failed;
  if (op === '!' && m.kind === 'bool') return { kind: 'bool', ...(m.value !== undefined && { value: !m.value }) };
  const number = op === '-' ? negated(m) : undefined;
  if (number) return number;
  if (m.kind !== 'tensor' || (op === '!' && m.dtype !== 'bool')) {
    report(context, 'type-mismatch', span, {
      subject: op,
      expected: op === '!' ? 'a bool' : 'a tensor or a number',
      found: kindOf(m),
    });
    return failed;
  }
  const b = context.emission?.at('').b;
  const node = b && (op === '-' ? b.neg(m.node!) : b.logicalNot(m.node!));
  const { dtype, shape, origins } = m;
  return { kind: 'tensor', dtype, shape, ...(origins && { origins }), ...(node && { node }) };
}

/** Number of elements, where all sizes are numbers. */
export function elementCount(shape: readonly Dim[]): number | undefined {
  const count = shape.reduce<Dim>(mulDim, 1);
  return isConstant(count) ? count : undefined;
}
