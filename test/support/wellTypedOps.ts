/** What the generator of well-typed programs can do with a value: the text, and the sizes that come out, reckoned without the checker. */
import { alike, type Body, exact, isLiteral, literal, type Size, same, type Value } from './wellTyped.ts';

export type Sizes = readonly Size[];

/** An expression and the sizes of its results, or a statement that rebinds `name` to a tensor of the same sizes. */
export type Made =
  | { readonly code: string; readonly results: readonly Sizes[]; readonly name?: undefined }
  | { readonly code: string; readonly name: string };

/** Undefined where the value is none for it. */
export type Op = (value: Value, body: Body) => Made | undefined;

const one = (code: string, sizes: Sizes): Made => ({ code, results: [sizes] });
const last = (sizes: Sizes): Size => sizes.at(-1)!;
const withLast = (sizes: Sizes, size: Size): Sizes => [...sizes.slice(0, -1), size];
const replaced = (sizes: Sizes, axis: number, ...by: Sizes): Sizes => [
  ...sizes.slice(0, axis),
  ...by,
  ...sizes.slice(axis + 1),
];

/** A size reckoned from others: a number where those are numbers. */
function reckon(of: Sizes, n: number, spell?: (...texts: readonly string[]) => string): Size {
  if (of.every(isLiteral)) return literal(n);
  const texts = of.map(s => s.text);
  if (spell === undefined || texts.some(t => t === undefined)) return { n };
  return { n, text: spell(...texts.map(t => (/^\w+$/.test(t!) ? t! : `(${t})`))) };
}

const product = (sizes: Sizes): Size =>
  reckon(
    sizes,
    sizes.reduce((n, s) => n * s.n, 1),
    (...texts) => texts.join(' * '),
  );

/** Of tensors of numbers alone. */
const numeric =
  (op: Op): Op =>
  (value, body) =>
    value.classes ? undefined : op(value, body);
const ranked = (least: number, most: number, op: Op): Op =>
  numeric((value, body) => (value.sizes.length >= least && value.sizes.length <= most ? op(value, body) : undefined));

const axisOf = ({ sizes }: Value, { tape }: Body): number => 1 + tape.below(sizes.length - 1);
const partner = (value: Value, { tape, values }: Body, fits: (other: Value) => boolean): Value =>
  tape.of([value, ...values.filter(v => v.classes === undefined && fits(v))]);

/** `x + y`, sizes aligned at the last axis; undefined where they don't fit. */
function broadcast(a: Sizes, b: Sizes): Sizes | undefined {
  const rank = Math.max(a.length, b.length);
  const sizes: Size[] = [];
  for (let i = 1; i <= rank; i++) {
    const [x, y] = [a.at(-i) ?? literal(1), b.at(-i) ?? literal(1)];
    if (i > a.length || i > b.length || same(x, y)) sizes.unshift(i > a.length ? y : x);
    else if (x.text === '1') sizes.unshift(y);
    else if (y.text === '1') sizes.unshift(x);
    else return undefined;
  }
  return sizes;
}

/** A plain convolution or pooling window along one axis. */
const windowed = (s: Size, kernel: number, stride: number, padding: number): Size =>
  stride === 1 && 2 * padding === kernel - 1 ? s : reckon([s], Math.floor((s.n + 2 * padding - kernel) / stride) + 1);

const pointwise = [
  'relu',
  'tanh',
  'gelu',
  'sigmoid',
  'softmax',
  'layer_norm',
  'rms_norm',
  'dropout(0.1)',
  'batch_norm',
];

export const ops: Readonly<Record<string, Op>> = {
  linear: ranked(2, 5, (v, { tape, known }) => {
    const out = tape.of(known);
    return one(`${v.name} |> linear(${out.text})`, withLast(v.sizes, out));
  }),
  doubled: ranked(2, 4, (v, { tape, known }) => {
    const out = tape.of(known);
    return one(
      `${v.name} |> linear(2 * ${out.text})`,
      withLast(
        v.sizes,
        reckon([literal(2), out], 2 * out.n, (a, b) => `${a} * ${b}`),
      ),
    );
  }),
  pointwise: ranked(2, 5, (v, { tape }) => one(`${v.name} |> ${tape.of(pointwise)}`, v.sizes)),
  scaled: numeric((v, { tape }) =>
    one(tape.of([`2 * ${v.name} - 1`, `-${v.name}`, `${v.name} ** 2`, `${v.name} / 3`]), v.sizes),
  ),
  residual: ranked(2, 5, (v, body) => {
    const size = last(v.sizes);
    if (size.batch || size.text === undefined || size.n < 2) return undefined;
    const out = isLiteral(size) ? exact(size.n) : size.text;
    return one(`${v.name} + (${v.name} |> linear(${out}) |> ${body.tape.of(['relu', 'tanh'])})`, v.sizes);
  }),
  binary: numeric((v, body) => {
    const other = partner(v, body, o => broadcast(v.sizes, o.sizes) !== undefined);
    return one(`${v.name} ${body.tape.of(['+', '-', '*'])} ${other.name}`, broadcast(v.sizes, other.sizes)!);
  }),
  centred: ranked(2, 5, (v, body) => {
    const axis = axisOf(v, body);
    return one(`${v.name} - mean(${v.name}, axis: ${axis}, keep: true)`, v.sizes);
  }),
  reduce: ranked(2, 5, (v, body) => {
    const [axis, keep] = [axisOf(v, body), body.tape.chance(2)];
    const call = `${body.tape.of(['sum', 'mean', 'max'])}(${v.name}, axis: ${body.tape.of([axis, axis - v.sizes.length])}${keep ? ', keep: true' : ''})`;
    return one(call, keep ? replaced(v.sizes, axis, literal(1)) : replaced(v.sizes, axis));
  }),
  select: numeric((v, body) => {
    // Unlike `+`, it leaves no open size to the callers.
    const other = partner(v, body, o => alike(v, o) && o.sizes.every((s, i) => s.text && s.text === v.sizes[i]!.text));
    return one(`select(${v.name} > 0, ${v.name}, 2 * ${other.name})`, v.sizes);
  }),
  gram: ranked(3, 4, (v, { tape }) => {
    const [m, n] = [v.sizes.at(-2)!, last(v.sizes)];
    const [code, size] = tape.of([
      [`${v.name} @ transpose(${v.name})`, m],
      [`transpose(${v.name}) @ ${v.name}`, n],
    ] as const);
    return one(code, [...v.sizes.slice(0, -2), size, size]);
  }),
  einsum: ranked(3, 3, (v, body) => {
    const other = partner(
      v,
      body,
      o => o.sizes.length === 3 && same(o.sizes[2]!, v.sizes[2]!) && o.sizes[0]!.batch === true,
    );
    return one(`einsum("b i d, b j d -> b i j", ${v.name}, ${other.name})`, [
      v.sizes[0]!,
      v.sizes[1]!,
      other.sizes[1]!,
    ]);
  }),
  item: ranked(2, 5, (v, body) => {
    const axis = axisOf(v, body);
    const { n } = v.sizes[axis]!;
    const colons = ':, '.repeat(axis);
    return one(`${v.name}[${colons}${body.tape.of([0, -1, n - 1])}]`, replaced(v.sizes, axis));
  }),
  range: ranked(2, 5, (v, body) => {
    const axis = axisOf(v, body);
    const size = v.sizes[axis]!;
    const from = body.tape.below(size.n);
    const colons = ':, '.repeat(axis);
    const [code, cut] = body.tape.of([
      [`${from}:${size.n}`, literal(size.n - from)],
      [`${from}:`, from === 0 ? size : reckon([size], size.n - from, t => `${t} - ${from}`)],
      [`-${size.n - from}:`, literal(size.n - from)],
    ] as const);
    return one(`${v.name}[${colons}${code}]`, replaced(v.sizes, axis, cut));
  }),
  flatten: ranked(3, 5, v => one(`${v.name} |> flatten`, [v.sizes[0]!, product(v.sizes.slice(1))])),
  reshape: ranked(2, 4, (v, { tape }) => {
    const [batch, ...rest] = v.sizes;
    const whole = product(rest);
    if (batch?.batch !== true || whole.text === undefined || whole.n < 2) return undefined;
    if (!isLiteral(whole)) return one(`${v.name} |> reshape([B, ${whole.text}])`, [batch, whole]);
    const factor = tape.of([1, 2, 3, 4, 5].filter(f => whole.n % f === 0));
    const sizes = [literal(whole.n / factor), literal(factor)];
    return one(`${v.name} |> reshape([B, ${exact(sizes[0]!.n)}, ${factor}])`, [batch, ...sizes]);
  }),
  transpose: ranked(3, 5, (v, body) => {
    const [a, b] = [axisOf(v, body), axisOf(v, body)];
    const sizes = v.sizes.map((s, i) => (i === a ? v.sizes[b]! : i === b ? v.sizes[a]! : s));
    return a === b ? undefined : one(`${v.name} |> transpose(${a}, ${b})`, sizes);
  }),
  join: ranked(3, 3, v => one(`${v.name} |> rearrange("b t d -> b (t d)")`, [v.sizes[0]!, product(v.sizes.slice(1))])),
  split: ranked(3, 3, (v, { tape }) => {
    const size = last(v.sizes);
    const h = tape.of([1, 2, 3, 4].filter(f => size.n % f === 0));
    const part = h === 1 ? size : reckon([size], size.n / h, t => `${t} / ${h}`);
    return one(`${v.name} |> rearrange("b t (h d) -> b h t d", h: ${h})`, [v.sizes[0]!, literal(h), v.sizes[1]!, part]);
  }),
  concat: ranked(2, 4, (v, body) => {
    const axis = axisOf(v, body);
    const other = partner(
      v,
      body,
      o => o.sizes.length === v.sizes.length && o.sizes.every((s, i) => i === axis || same(s, v.sizes[i]!)),
    );
    const [a, b] = [v.sizes[axis]!, other.sizes[axis]!];
    return one(
      `concat(${v.name}, ${other.name}, axis: ${axis})`,
      replaced(
        v.sizes,
        axis,
        reckon([a, b], a.n + b.n, (s, t) => `${s} + ${t}`),
      ),
    );
  }),
  stack: ranked(2, 3, (v, body) => {
    const [axis, other] = [axisOf(v, body), partner(v, body, o => alike(o, v))];
    return one(`stack(${v.name}, ${other.name}, axis: ${axis})`, [
      ...v.sizes.slice(0, axis),
      literal(2),
      ...v.sizes.slice(axis),
    ]);
  }),
  unsqueeze: ranked(1, 3, (v, { tape }) => {
    const axis = 1 + tape.below(v.sizes.length);
    return one(`${v.name} |> unsqueeze(${axis})`, [...v.sizes.slice(0, axis), literal(1), ...v.sizes.slice(axis)]);
  }),
  squeeze: ranked(2, 5, v => {
    const axis = v.sizes.findIndex(s => s.text === '1');
    return axis < 0 ? undefined : one(`${v.name} |> squeeze(${axis})`, replaced(v.sizes, axis));
  }),
  conv2d: ranked(4, 4, (v, { tape, known }) => {
    const [out, kernel, stride, padding] = [tape.of(known), 1 + tape.below(3), 1 + tape.below(2), tape.below(2)];
    const [batch, , height, width] = v.sizes;
    if (!batch?.batch || Math.min(height!.n, width!.n) + 2 * padding < kernel) return undefined;
    const sizes = [height!, width!].map(s => windowed(s, kernel, stride, padding));
    return one(`${v.name} |> conv2d(${out.text}, kernel: ${kernel}, stride: ${stride}, padding: ${padding})`, [
      batch,
      out,
      ...sizes,
    ]);
  }),
  conv1d: ranked(3, 3, (v, { tape, known }) => {
    const [out, kernel] = [tape.of(known), 1 + tape.below(3)];
    const [batch, , length] = v.sizes;
    if (!batch?.batch || length!.n < kernel) return undefined;
    return one(`${v.name} |> conv1d(${out.text}, kernel: ${kernel})`, [batch, out, windowed(length!, kernel, 1, 0)]);
  }),
  pool: ranked(4, 4, (v, { tape }) => {
    const [batch, channels, height, width] = v.sizes;
    if (!batch?.batch || Math.min(height!.n, width!.n) < 2) return undefined;
    const sizes = [height!, width!].map(s => windowed(s, 2, 2, 0));
    return one(`${v.name} |> ${tape.of(['max_pool2d', 'avg_pool2d'])}(2)`, [batch, channels!, ...sizes]);
  }),
  upsample: ranked(4, 4, v => {
    const [batch, channels, ...rest] = v.sizes;
    if (!batch?.batch || rest.some(s => s.n > 6)) return undefined;
    const sizes = rest.map(s => reckon([s], 2 * s.n, t => `${t} * 2`));
    return one(`${v.name} |> upsample(2)`, [batch, channels!, ...sizes]);
  }),
  average: ranked(3, 4, v =>
    v.sizes[0]!.batch ? one(`${v.name} |> global_avg_pool`, v.sizes.slice(0, 2)) : undefined,
  ),
  attention: ranked(3, 3, (v, { tape }) => {
    const size = last(v.sizes);
    const heads = tape.of([1, 2, 3, 4].filter(h => size.n % h === 0));
    if (!v.sizes[0]!.batch || heads === 1) return undefined;
    return one(`${v.name} |> self_attention(heads: ${heads === size.n ? exact(heads) : heads})`, v.sizes);
  }),
  recurrent: ranked(3, 3, (v, { tape, known }) => {
    const size = tape.of(known);
    if (!v.sizes[0]!.batch) return undefined;
    return one(`${v.name} |> ${tape.of(['lstm', 'gru'])}(${size.text})`, withLast(v.sizes, size));
  }),
  scan: ranked(3, 3, (v, { tape, known }) => {
    const { text, ...size } = tape.of(known);
    if (!v.sizes[0]!.batch) return undefined;
    const code = `scan s in ${v.name} from h2 = (${v.name}[:, 0] |> linear(${text})) {\n    h2 = tanh((s |> linear(${text})) + (h2 |> linear(${text})))\n    h2\n  }`;
    return one(code, withLast(v.sizes, { ...size, text: text! }));
  }),
  repeat: ranked(2, 4, (v, { tape, flags }) => {
    const size = last(v.sizes);
    if (size.text === undefined || size.batch || v.name.startsWith('x')) return undefined;
    const head = tape.of(['repeat 2', 'repeat h', `if ${flags[0]}`]);
    return { name: v.name, code: `${head} { ${v.name} = ${v.name} |> linear(${size.text}) |> relu }` };
  }),
  embed: (v, { tape, known }) => {
    const size = tape.of(known);
    return v.classes && one(`${v.name} |> embedding(${size.text})`, [...v.sizes, size]);
  },
  oneHot: v => v.classes && one(`${v.name} |> one_hot`, [...v.sizes, v.classes]),
  call: (v, { tape, models, values }) => {
    if (models.length === 0) return undefined;
    const { name, inputs, results } = tape.of(models);
    const args = inputs.map(input =>
      [v, ...values].find(each => alike(each, input) && each.classes?.n === input.classes?.n),
    );
    if (args.some(a => a === undefined)) return undefined;
    const shown = results.map(r =>
      r.sizes.map(({ n, batch, text }) =>
        batch || text === '1' ? { n, text: text!, ...(batch && { batch }) } : { n },
      ),
    );
    return { code: `${name}(${args.map(a => a!.name).join(', ')})`, results: shown };
  },
};
