/** Random well-typed programs, made from a tape of numbers: models with parameters of stated and of open sizes, which call each other, and a train block that applies them. */
import type { ColumnSchema } from '../../engine/ir/program.ts';
import { type Op, ops } from './wellTypedOps.ts';

/** A size: what it is in this run, and how the model spells it; undefined where it can't, as after a call. */
export interface Size {
  readonly n: number;
  readonly text?: string;
  /** The size of the batch, which equals no other. */
  readonly batch?: true;
}

export interface Value {
  readonly name: string;
  readonly sizes: readonly Size[];
  /** Of indices. */
  readonly classes?: Size;
}

/** Numbers as a source of choices. At its end it says 0, the simplest choice, so that a shorter tape makes a simpler program. */
export class Tape {
  private at = 0;
  constructor(private readonly numbers: readonly number[]) {}

  get ended(): boolean {
    return this.at >= this.numbers.length;
  }

  below(n: number): number {
    return (this.numbers[this.at++] ?? 0) % n;
  }

  of<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }

  chance(n: number): boolean {
    return this.below(n) === n - 1;
  }
}

/** What a model may read and call, and its text so far. */
export interface Body {
  readonly tape: Tape;
  readonly values: Value[];
  readonly lines: string[];
  /** Ways to write a size that is known. */
  readonly known: readonly Size[];
  readonly flags: readonly string[];
  readonly models: readonly Model[];
  fresh(): string;
}

export interface Model {
  readonly name: string;
  readonly inputs: readonly Value[];
  readonly results: readonly Value[];
  readonly text: string;
}

export const batch = 3;
const batchSize: Size = { n: batch, text: 'B', batch: true };

/** Fields of the data, by sample. */
export const columns: readonly ColumnSchema[] = [
  { name: 'image', dtype: 'f32', shape: [2, 6, 5] },
  { name: 'series', dtype: 'f32', shape: [4, 6] },
  { name: 'point', dtype: 'f32', shape: [8] },
  { name: 'tokens', dtype: 'i32', shape: [5], classes: 7 },
];

export const literal = (n: number): Size => ({ n, text: String(n) });
export const isLiteral = ({ text }: Size): boolean => text !== undefined && /^\d+$/.test(text);
/** Marks a number whose change by one makes the program wrong. */
export const exact = (n: number): string => `⟦${n}⟧`;
export const same = (a: Size, b: Size): boolean => a.n === b.n && a.batch === b.batch && (a.n > 1 || a.text === b.text);
export const alike = (a: Value, b: Value): boolean =>
  a.sizes.length === b.sizes.length &&
  (a.classes === undefined) === (b.classes === undefined) &&
  a.sizes.every((s, i) => same(s, b.sizes[i]!));

/** A program, with `⟦n⟧` around each number that must be what it is. */
export function wellTyped(numbers: readonly number[]): string {
  const tape = new Tape(numbers);
  const width = 2 + tape.below(6);
  const models: Model[] = [];
  do models.push(model(tape, `M${models.length + 1}`, models, { n: width, text: 'width' }));
  while (!tape.ended && models.length < 3);
  const data = `data D = digits() {\n  batch ${batch}\n}\n`;
  return [`const width = ${width}\n`, ...models.map(m => m.text), data, train(tape, models)].join('\n');
}

/** The text without its marks. */
export function sound(marked: string): string {
  return marked.replace(/⟦(\d+)⟧/g, '$1');
}

/** The text with one of the marked numbers, picked by `choice`, one too large; undefined where none is marked. */
export function broken(marked: string, choice: number): string | undefined {
  const count = marked.match(/⟦\d+⟧/g)?.length ?? 0;
  if (count === 0) return undefined;
  let at = -1;
  return marked.replace(/⟦(\d+)⟧/g, (_, n: string) => String(Number(n) + (++at === choice % count ? 1 : 0)));
}

function field({ name, shape, classes }: ColumnSchema): Value {
  const sizes = [batchSize, ...shape.map(literal)];
  return { name, sizes, ...(classes !== undefined && { classes: literal(classes) }) };
}

function model(tape: Tape, name: string, models: readonly Model[], width: Size): Model {
  const names = ['H', 'I', 'J', 'K', 'L', 'N'];
  const open: Size[] = [];
  /** A size of the header: as it is, or a variable, the same one where sizes are equal if the tape wants it so. */
  const state = (s: Size): Size => {
    if (s.batch || s.n < 2 || tape.below(2) === 0) return s;
    const shared = open.find(o => o.n === s.n);
    if (shared && tape.below(2) === 0) return shared;
    const text = names[open.length];
    if (text === undefined) return s;
    open.push({ n: s.n, text });
    return open.at(-1)!;
  };
  const inputs = Array.from({ length: 1 + tape.below(2) }, (_, i): Value => {
    const { sizes, classes } = field(tape.of(columns));
    return { name: `x${i + 1}`, sizes: sizes.map(state), ...(classes && { classes: state(classes) }) };
  });
  const hyper: Size = { n: 2 + tape.below(4), text: 'h' };
  let count = 0;
  const body: Body = {
    tape,
    values: [...inputs],
    lines: [],
    known: [literal(3), literal(4), hyper, width, ...open],
    flags: ['deep'],
    models,
    fresh: () => `_v${++count}`,
  };
  const statements = 1 + tape.below(6);
  for (let i = 0; i < statements; i++) statement(body);
  const candidates = body.values.filter(v => v.classes === undefined);
  if (candidates.length === 0) candidates.push(apply(body, ops.embed!, body.values[0]!)!);
  const results = Array.from({ length: 1 + tape.below(3) }, () => candidates.at(-1 - tape.below(candidates.length))!);
  const spelt = results.every(r => r.sizes.every(s => s.text !== undefined)) && tape.below(3) > 0;
  const declared = spelt ? ` -> ${parenthesised(results.map(r => type(r)))}` : '';
  const header = [...inputs.map(v => `${v.name}: ${type(v)}`), `h: int = ${hyper.n}`, 'deep: bool = true'].join(', ');
  const lines = [...body.lines, parenthesised(results.map(r => r.name))].map(line => `  ${line}\n`).join('');
  return { name, inputs, results, text: `model ${name}(${header})${declared} {\n${lines}}\n` };
}

/** The first operation from some on that can take some value, more likely a late one. */
function statement(body: Body): void {
  const { tape, values } = body;
  const value = values.at(-1 - Math.min(tape.below(values.length), tape.below(values.length)))!;
  const all = Object.values(ops);
  const first = tape.below(all.length);
  for (let i = 0; i < all.length; i++) {
    const before = body.lines.length;
    apply(body, all[(first + i) % all.length]!, value);
    if (body.lines.length > before) return;
  }
}

/** Appends what the operation makes of the value, if it can take it. */
function apply(body: Body, op: Op, value: Value): Value | undefined {
  const made = op(value, body);
  if (made === undefined) return undefined;
  if (made.name !== undefined) {
    body.lines.push(made.code);
    return undefined;
  }
  const names = made.results.map(() => body.fresh());
  body.lines.push(`${names.join(', ')} = ${made.code}`);
  const values = made.results.map((sizes, i) => ({ name: names[i]!, sizes }));
  body.values.push(...values);
  return values[0];
}

function type({ sizes, classes }: Value): string {
  const spell = (s: Size) => (isLiteral(s) ? exact(s.n) : s.text!);
  return `${classes ? `index(${spell(classes)})` : ''}[${sizes.map(spell).join(', ')}]`;
}

function parenthesised(items: readonly string[]): string {
  return items.length === 1 ? items[0]! : `(${items.join(', ')})`;
}

/** Applies each model to fields that fit, and minimises the mean of all that comes out. */
function train(tape: Tape, models: readonly Model[]): string {
  const fields = columns.map(field);
  const lines: string[] = [];
  const losses = ['mean(point |> linear(1))'];
  for (const { name, inputs, results } of models) {
    const args = inputs.map(input => tape.of(fields.filter(f => alike(f, input) && fits(f, input))).name).join(', ');
    const layer = name.toLowerCase();
    const values = results.map((_, i) => `${layer}_${i + 1}`);
    if (tape.below(2) === 0) lines.push(`${layer} = ${name}()`, `${values.join(', ')} = ${layer}(${args})`);
    else lines.push(`${values.join(', ')} = ${name}(${args})`);
    losses.push(...values.map(v => `mean(${v})`));
  }
  lines.push(`minimize ${losses.join(' + ')} using adam()`, 'epochs 1');
  return `train t on D {\n${lines.map(line => `  ${line}\n`).join('')}}\n`;
}

function fits(a: Value, b: Value): boolean {
  return a.classes?.n === b.classes?.n;
}
