/** Packs a panel whose source runs along k: blocks of 4 x 4 are transposed in registers. */
import type { Code, Local } from './encoder.ts';
import { emitDecodeHalf } from './half.ts';

export interface TransposedPanel {
  /** Byte addresses in locals, plus constants. */
  readonly source: Local;
  readonly sourceOffset: number;
  /** Bytes from one column's elements to the next column's. */
  readonly rowBytes: number;
  readonly target: Local;
  readonly targetOffset: number;
  /** Columns of the panel, and how many of them exist; the others keep what they hold. */
  readonly width: number;
  readonly columns: number;
  readonly k: number;
  /** The source is of f16. */
  readonly half: boolean;
}

/** Both address locals are used up. */
export function emitPackTransposed(code: Code, panel: TransposedPanel): void {
  const { source, target, width, k } = panel;
  const blocks = Math.floor(k / 4);
  if (blocks > 0) {
    const left = code.local('i32');
    code.i32(blocks).set(left);
    code.repeat(() => {
      emitBlocks(code, panel);
      code
        .get(source)
        .i32(panel.half ? 8 : 16)
        .op('i32.add')
        .set(source);
      code
        .get(target)
        .i32(16 * width)
        .op('i32.add')
        .set(target);
      code.get(left).i32(1).op('i32.sub').tee(left);
    });
  }
  for (let i = 0; i < k % 4; i++) emitRow(code, panel, i);
}

/** Four k of every column. */
function emitBlocks(code: Code, panel: TransposedPanel): void {
  const { source, sourceOffset, rowBytes, target, targetOffset, width, columns, half } = panel;
  for (let column = 0; column + 4 <= columns; column += 4) {
    const rows = [0, 1, 2, 3].map(i => {
      const local = code.local('v128');
      const offset = sourceOffset + (column + i) * rowBytes;
      code.get(source);
      if (half) {
        code.memory('v128.load16x4_u', offset, 1);
        emitDecodeHalf(code);
      } else code.memory('v128.load', offset, 2);
      code.set(local);
      return local;
    });
    transpose(code, rows).forEach((local, i) => {
      code
        .get(target)
        .get(local)
        .memory('v128.store', targetOffset + (i * width + column) * 4, 2);
    });
  }
  for (let i = 0; i < 4; i++) emitRow(code, panel, i, columns - (columns % 4));
}

/** One k, column by column from `start`. */
function emitRow(code: Code, panel: TransposedPanel, i: number, start = 0): void {
  const { source, sourceOffset, rowBytes, target, targetOffset, width, columns, half } = panel;
  for (let column = start; column < columns; column++) {
    code.get(target).get(source);
    if (half) {
      code.memory('i32.load16_u', sourceOffset + column * rowBytes + 2 * i).op('i32x4.splat');
      emitDecodeHalf(code);
      code.lane('f32x4.extract_lane', 0);
    } else code.memory('f32.load', sourceOffset + column * rowBytes + 4 * i);
    code.memory('f32.store', targetOffset + (i * width + column) * 4);
  }
}

/** Four rows of four into four columns. */
function transpose(code: Code, rows: readonly Local[]): Local[] {
  const pick = (a: Local, b: Local, lanes: readonly [number, number, number, number]) => {
    const local = code.local('v128');
    code
      .get(a)
      .get(b)
      .shuffle(...lanes)
      .set(local);
    return local;
  };
  const [r0, r1, r2, r3] = rows as [Local, Local, Local, Local];
  const [low01, high01] = [pick(r0, r1, [0, 4, 1, 5]), pick(r0, r1, [2, 6, 3, 7])];
  const [low23, high23] = [pick(r2, r3, [0, 4, 1, 5]), pick(r2, r3, [2, 6, 3, 7])];
  return [
    pick(low01, low23, [0, 1, 4, 5]),
    pick(low01, low23, [2, 3, 6, 7]),
    pick(high01, high23, [0, 1, 4, 5]),
    pick(high01, high23, [2, 3, 6, 7]),
  ];
}
