/** Sums over all steps of a loop: one product or sum behind the loop wherever the term of a step is linear in what the loop can hand out. */
import { mulDim } from '../../dim/dim.ts';
import type { GraphBuilder, Value } from '../builder.ts';
import type { Backward } from './scanGradient.ts';

type Later = () => Value;

/** Steps of one product: a backend may copy its operands into tiles, which of thousands of steps would take as much memory as the loop. */
const PRODUCT_STEPS = 512;

export class Totals {
  constructor(
    private readonly b: GraphBuilder,
    private readonly backward: Backward,
    private readonly length: number,
  ) {}

  /** The sum over all steps of a node of the body's gradient, to be called once the loop is there. */
  of(term: Value): Later {
    const { b } = this;
    const graph = this.backward.gradient;
    const { op, inputs, attributes } = graph.node(term.id);
    const [x, y] = inputs.map(id => graph.value(id));
    if (this.backward.outside(term.id) !== undefined) return this.summed(term);
    switch (op) {
      case 'constant':
        return () => b.constant(Number(attributes.value) * this.length, term.type);
      case 'add': {
        const both = [this.of(x!), this.of(y!)] as const;
        return () => b.add(both[0](), both[1]());
      }
      case 'neg':
      case 'reshape':
      case 'transpose':
      case 'broadcast': {
        const inner = this.of(x!);
        return () => b.op(op, [inner()], attributes);
      }
      case 'sum':
        return this.sum(x!, term, attributes.axes as readonly number[]);
      case 'matmul':
        return this.product(x!, y!, attributes as unknown as Transposed);
      case 'scatter_add':
        return this.scatter(x!, y!, term) ?? this.backward.sum(term);
      default:
        return this.backward.hasSteps(term) ? this.summed(term) : this.backward.sum(term);
    }
  }

  private summed(term: Value): Later {
    const steps = this.backward.perStep(term);
    return () => this.b.sum(steps(), { axes: [0] });
  }

  private sum(x: Value, term: Value, axes: readonly number[]): Later {
    const steps = this.backward.perStep(x);
    return () => this.b.reshape(this.b.sum(steps(), { axes: [0, ...axes.map(axis => axis + 1)] }), term.type.shape);
  }

  /** The product of all steps' operands side by side: time becomes part of the axis that is summed over. Of many steps it is a sum of products. */
  private product(x: Value, y: Value, { transposeA, transposeB }: Transposed): Later {
    const [left, right] = [this.backward.perStep(x), this.backward.perStep(y)];
    return () => {
      const rank = x.type.shape.length;
      const [all, others] = [left(), right()];
      const count = Math.ceil(this.length / PRODUCT_STEPS);
      const products = Array.from({ length: count }, (_, n) => {
        const [first, end] = [n, n + 1].map(i => Math.floor((i * this.length) / count)) as [number, number];
        const part = (steps: Value) => this.b.sliceAxis(steps, 0, first, end - first);
        const a = this.joined(part(all), transposeA ? rank - 2 : rank - 1);
        const c = this.joined(part(others), transposeB ? rank - 1 : rank - 2);
        return this.b.op('matmul', [a, c], { transposeA, transposeB });
      });
      return products.reduce((sum, product) => this.b.add(sum, product));
    };
  }

  /** [T, …] with time before axis `axis` of a step, and both as one. */
  private joined(steps: Value, axis: number): Value {
    const [time, ...step] = steps.type.shape;
    const order = step.map((_, i) => i + 1).toSpliced(axis, 0, 0);
    return this.b.reshape(this.b.transpose(steps, order), step.with(axis, mulDim(time!, step[axis]!)));
  }

  /** All steps' rows at once, where their indices are known without the loop. */
  private scatter(indices: Value, updates: Value, term: Value): Later | undefined {
    const known = this.backward.outside(indices.id);
    if (known === undefined) return undefined;
    const [all, steps] = [this.backward.perStep(indices), this.backward.perStep(updates)];
    return () => this.b.scatterAdd(all(), steps(), term.type.shape[0]!);
  }
}

interface Transposed {
  readonly transposeA: boolean;
  readonly transposeB: boolean;
}
