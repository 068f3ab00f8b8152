/** Scalars to WGSL statements: each distinct part becomes one `let`, in the outermost scope where what it depends on is known. */
import type { Scalar } from '../../ir/scalar.ts';
import type { BufferId } from '../../kernel/kernel.ts';
import { apply, children, intern, linear, type Range, ranges } from '../../kernel/scalar.ts';
import { fromLinear } from '../../kernel/simplify.ts';
import { never } from '../../util/errors.ts';
import { quotientText, remainderText } from './division.ts';
import type { LibraryName } from './library.ts';
import { arenaOffset, literal, loadText, type Module, newScope, type Scope } from './shader.ts';

export interface ScalarWriter {
  /** Text of `s`; statements it needs go to the open scopes. */
  write(s: Scalar): string;
  /** Text of an index into a buffer, or into the arena that a buffer is reached through; its constant part stays open, as `OFFSET_n`. */
  index(buffer: BufferId, at: Scalar): string;
  /** From here on, within the innermost scope, axis `n` is the variable `name`, less than `extent`. */
  defineAxis(n: number, name: string, extent?: number): void;
  /** From here on reduction slot `n` is the variable `name`. */
  defineSlot(n: number, name: string): void;
  /** Opens a scope, runs `body`, closes it and returns its statements. */
  nested(body: () => void): readonly string[];
  /** A number that is part of no other name. */
  fresh(): number;
  /** Adds statements to the innermost scope. */
  line(...text: string[]): void;
}

export function scalarWriter(module: Module): ScalarWriter {
  const scopes: Scope[] = [];
  const levels = new Map<Scalar, number>();
  const axes = new Map<number, { readonly name: string; readonly level: number }>();
  const slots = new Map<number, { readonly name: string; readonly level: number }>();
  const extents: number[] = [];
  let range = ranges(extents);
  let count = 0;

  const levelOf = (s: Scalar): number => {
    const known = levels.get(s);
    if (known !== undefined) return known;
    const own = s.kind === 'axis' ? axes.get(s.axis)?.level : s.kind === 'reduced' ? slots.get(s.slot)?.level : 0;
    const level = Math.max(own ?? 0, ...children(s).map(levelOf));
    levels.set(s, level);
    return level;
  };
  const write = (s: Scalar): string => {
    if (s.kind === 'constant') return literal(module, s.type, s.value);
    if (s.kind === 'axis') return axes.get(s.axis)?.name ?? '0i';
    if (s.kind === 'reduced') {
      const slot = slots.get(s.slot);
      if (!slot) throw never('a reduction is used before it is done', s.slot);
      return slot.name;
    }
    const scope = scopes[levelOf(s)]!;
    const known = scope.names.get(s);
    if (known) return known;
    const text =
      s.kind === 'load'
        ? loadText(module, s.buffer, index(s.buffer, s.at))
        : (divided(module, s, write, range) ?? operation(module, s, s.args.map(write)));
    const name = `v${count++}`;
    scope.lines.push(`let ${name} = ${text};`);
    scope.names.set(s, name);
    return name;
  };
  /** What is known in an outer scope is added up there, once. */
  const index = (buffer: BufferId, at: Scalar): string => {
    const { offset, terms } = linear(at);
    const byLevel: Map<Scalar, number>[] = [];
    for (const [atom, factor] of terms) {
      const level = levelOf(atom);
      byLevel[level] ??= new Map();
      byLevel[level].set(atom, factor);
    }
    const sums = byLevel.map(part => write(fromLinear({ offset: 0, terms: part })));
    const open = `OFFSET_${module.offsets.push(offset + arenaOffset(module, buffer)) - 1}`;
    return [...sums.filter(sum => sum !== undefined), open].join(' + ');
  };
  return {
    write: s => write(intern(s)),
    index,
    defineAxis: (n, name, extent) => {
      axes.set(n, { name, level: scopes.length - 1 });
      levels.clear();
      extents[n] = extent ?? Number.POSITIVE_INFINITY;
      range = ranges(extents);
    },
    defineSlot: (n, name) => {
      slots.set(n, { name, level: scopes.length - 1 });
      levels.clear();
    },
    nested(body) {
      scopes.push(newScope());
      body();
      return scopes.pop()!.lines;
    },
    fresh: () => count++,
    line: (...text) => scopes.at(-1)!.lines.push(...text),
  };
}

const INFIX: Readonly<Partial<Record<string, string>>> = {
  add: '+',
  sub: '-',
  mul: '*',
  div: '/',
  mod: '%',
  lt: '<',
  le: '<=',
  eq: '==',
  ne: '!=',
  and: '&',
  or: '|',
  xor: '^',
  shl: '<<',
  shr: '>>',
};

const CALLS: Readonly<Partial<Record<string, LibraryName>>> = {
  isfinite: 'isfinite',
  round_f16: 'roundHalf',
  pow: 'pow',
  tanh: 'tanh',
  erf: 'erf',
  philox: 'philox',
};
const NAMES: Readonly<Partial<Record<LibraryName, string>>> = {
  isfinite: 'isFinite',
  pow: 'power',
  tanh: 'hyperbolicTangent',
  erf: 'errorFunction',
};

/** The quotient or remainder of what is never negative by a constant; undefined for all else. */
function divided(
  { options: { software } }: Module,
  s: Extract<Scalar, { kind: 'apply' }>,
  write: (s: Scalar) => string,
  range: (s: Scalar) => Range,
): string | undefined {
  const [dividend, divisor] = s.args;
  if ((s.op !== 'div' && s.op !== 'mod') || s.type !== 'i32' || divisor!.kind !== 'constant') return undefined;
  const [low, most] = range(dividend!);
  if (low < 0 || divisor!.value < 1) return undefined;
  const [a, n, known] = [write(dividend!), divisor!.value, { most, software }];
  if (s.op === 'div') return quotientText(a, n, known);
  return remainderText(a, n, known, () => write(apply('div', s.args, 'i32')));
}

function operation(module: Module, s: Extract<Scalar, { kind: 'apply' }>, args: readonly string[]): string {
  const { op, type } = s;
  const [a, b, c] = args;
  const helper = CALLS[op];
  if (helper) {
    module.uses.add(helper);
    return `${NAMES[helper] ?? helper}(${args.join(', ')})`;
  }
  if (op === 'sin' || op === 'cos') {
    module.uses.add('trigonometry');
    return `${op === 'sin' ? 'sine' : 'cosine'}(${a})`;
  }
  if (op === 'mod' && type === 'f32') {
    module.uses.add('remainder');
    return `remainder(${a}, ${b})`;
  }
  if (op === 'select') return `select(${c}, ${b}, ${a})`;
  if (op === 'cast') return `${type}(${a})`;
  if (op === 'bitcast') return `bitcast<${type}>(${a})`;
  if (op === 'neg') return type === 'u32' ? `0u - ${a}` : `-${a}`;
  if (op === 'not') return type === 'bool' ? `!${a}` : `~${a}`;
  if (op === 'shl' || op === 'shr') return `${a} ${INFIX[op]} u32(${b})`;
  if (op === 'xor' && type === 'bool') return `${a} != ${b}`;
  if ((op === 'lt' || op === 'le') && s.args[0]!.type === 'bool') return `u32(${a}) ${INFIX[op]} u32(${b})`;
  const infix = INFIX[op];
  return infix ? `${a} ${infix} ${b}` : `${op}(${args.join(', ')})`;
}

export function indent(lines: readonly string[], by = '  '): string {
  return lines
    .map(
      line =>
        `${line
          .split('\n')
          .map(part => by + part)
          .join('\n')}\n`,
    )
    .join('');
}
