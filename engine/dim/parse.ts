/** Reads dimension text (`4 * D`, `(H - 3) / 2 + 1`, `min(T, 64)`) back into the normal form; the inverse of showDim. */
import { addDim, type Dim, dimVar, floorDivDim, maxDim, minDim, modDim, mulDim, negDim, subDim } from './dim.ts';

/** Undefined if `text` is not one whole dimension expression. */
export function parseDim(text: string): Dim | undefined {
  const tokens = text.match(/\d+|[A-Za-z_]\w*|\S/g) ?? [];
  const reader = new DimReader(tokens);
  const dim = reader.sum();
  return reader.atEnd ? dim : undefined;
}

const sums: Readonly<Record<string, (a: Dim, b: Dim) => Dim>> = { '+': addDim, '-': subDim };
const products: Readonly<Record<string, (a: Dim, b: Dim) => Dim>> = { '*': mulDim, '/': floorDivDim, '%': modDim };

class DimReader {
  private position = 0;
  private failed = false;
  constructor(private readonly tokens: readonly string[]) {}

  get atEnd(): boolean {
    return !this.failed && this.position === this.tokens.length;
  }

  sum(): Dim {
    return this.chain(sums, () => this.product());
  }

  private product(): Dim {
    return this.chain(products, () => this.operand());
  }

  private chain(operators: typeof sums, operand: () => Dim): Dim {
    let left = operand();
    for (;;) {
      const apply = operators[this.tokens[this.position] ?? ''];
      if (apply === undefined || this.failed) return left;
      this.position++;
      left = apply(left, operand());
    }
  }

  private operand(): Dim {
    const token = this.tokens[this.position++];
    if (token === '-') return negDim(this.operand());
    if (token === '(') return this.closed(this.sum());
    if (token === undefined || !/^\w/.test(token)) return this.fail();
    if (/^\d/.test(token)) return Number(token);
    const extremum = token === 'min' ? minDim : token === 'max' ? maxDim : undefined;
    if (extremum === undefined || this.tokens[this.position] !== '(') return dimVar(token);
    this.position++;
    const left = this.sum();
    if (this.tokens[this.position++] !== ',') return this.fail();
    return this.closed(extremum(left, this.sum()));
  }

  private closed(inner: Dim): Dim {
    return this.tokens[this.position++] === ')' ? inner : this.fail();
  }

  private fail(): Dim {
    this.failed = true;
    return 0;
  }
}
