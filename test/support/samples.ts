/** Concrete inputs for the samples of primitives, drawn from Philox, and graphs of a single op. */
import type { Graph, TensorType } from '../../engine/ir/graph.ts';
import { parseType } from '../../engine/ir/parse.ts';
import { GraphBuilder, type Value } from '../../engine/ops/builder.ts';
import type { Sample, Tensor } from '../../engine/ops/primitive.ts';
import { type PrimitiveName, primitive, primitives } from '../../engine/ops/registry.ts';
import { roundToHalf } from '../../engine/util/half.ts';
import { philoxUniform } from '../../engine/util/philox.ts';

export type Tensors = Readonly<Record<string, Tensor>>;

/** The type that this text says, `f32[B, 3]`. */
export function typeOfText(text: string): TensorType {
  const type = parseType(text);
  if (type === undefined) throw new Error(`not a type: ${text}`);
  return type;
}

/** A tensor of whole numbers (integers, bool) or f32 values within `domain`. */
export function randomTensor(type: TensorType, domain: readonly [number, number], stream: number): Tensor {
  const shape = type.shape as readonly number[];
  const [low, high] = domain;
  const whole = type.dtype !== 'f32' && type.dtype !== 'f16';
  const data = Float64Array.from({ length: shape.reduce((n, d) => n * d, 1) }, (_, i) => {
    const u = philoxUniform(7, stream, 0, i);
    // Values are representable in their dtype, so that backends start from the same numbers.
    if (whole) return Math.floor(low + u * (high - low + 1));
    const value = low + u * (high - low);
    return type.dtype === 'f16' ? roundToHalf(value) : Math.fround(value);
  });
  return { dtype: type.dtype, shape, data };
}

/** The sample's inputs by name, `x0`, `x1` …, with its special values planted in the first elements. */
export function sampleInputs({ inputs, domain, special = [] }: Sample<never>): Tensors {
  const tensors = inputs.map((type, i) => {
    const tensor = randomTensor(type, domain?.[i] ?? [-2, 2], i);
    tensor.data.set(special.slice(0, tensor.data.length));
    return [`x${i}`, tensor] as const;
  });
  return Object.fromEntries(tensors);
}

/** A graph of the op alone, its output named `y`. */
export function sampleGraph(name: PrimitiveName, sample: Sample<never>): Graph {
  const b = new GraphBuilder();
  const { inputs, output } = sampleNode(b, name, sample);
  return b.finish(`${name}${inputs.length}`, [{ name: 'y', value: output }]);
}

export function sampleNode(b: GraphBuilder, name: PrimitiveName, { inputs, attributes }: Sample<never>) {
  const values: Value[] = inputs.map((type, i) => b.input(`x${i}`, type));
  return { inputs: values, output: b.op(name, values, attributes) };
}

/** Every sample of the registry, titled for `it.each`. */
export function allSamples(): readonly { title: string; name: PrimitiveName; sample: Sample<never> }[] {
  return (Object.keys(primitives) as PrimitiveName[]).flatMap(name =>
    primitive(name).samples.map(sample => {
      const types = sample.inputs.map(t => `${t.dtype}[${t.shape.join(', ')}]`).join(', ');
      return { title: `${name}(${types}) ${JSON.stringify(sample.attributes)}`, name, sample: sample as Sample<never> };
    }),
  );
}

/** Greatest difference relative to max(1, |expected|); equal infinities and NaNs don't differ. */
export function difference(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (found.length !== expected.length) return Infinity;
  let worst = 0;
  for (let i = 0; i < expected.length; i++) {
    const [x, y] = [found[i]!, expected[i]!];
    if (Object.is(x, y) || x === y) continue;
    const gap = Math.abs(x - y) / Math.max(1, Math.abs(y));
    worst = Number.isNaN(gap) ? Infinity : Math.max(worst, gap);
  }
  return worst;
}
