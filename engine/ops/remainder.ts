/** The remainder of floor division, which `%` stands for: of sizes, numbers and tensors alike. */
import type { GraphBuilder, Operand, Value } from './builder.ts';

/** x - y floor(x / y) element by element, of the sign of y, as torch.remainder; of whole x and y exactly. At least one of the two is a tensor. */
export function remainder(b: GraphBuilder, x: Operand, y: Operand): Value {
  const truncated = b.mod(x, y);
  const [below, above] = [b.less(truncated, 0), b.greater(truncated, 0)];
  const moved = b.add(truncated, y);
  if (typeof y === 'number') return b.select(y < 0 ? above : below, moved, truncated);
  const opposed = b.logicalOr(b.logicalAnd(b.less(y, 0), above), b.logicalAnd(b.greater(y, 0), below));
  return b.select(opposed, moved, truncated);
}
