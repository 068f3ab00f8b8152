/** A small grey canvas that draws anti-aliased lines with round ends: coverage from the distance to the segment. */

export interface Raster {
  clear(): void;
  /** A line of radius `pen` pixels; where lines overlap the darker coverage stays, so joints don't blot. */
  line(x0: number, y0: number, x1: number, y1: number, pen: number): void;
  copyTo(target: Float32Array): void;
}

/** A square canvas; pixel (column, row) covers the unit square around (column + 0.5, row + 0.5). */
export function createRaster(side: number): Raster {
  const pixels = new Float32Array(side * side);
  const bound = (at: number): number => Math.min(side - 1, Math.max(0, Math.floor(at)));
  return {
    clear: () => void pixels.fill(0),
    copyTo: target => target.set(pixels),
    line(x0, y0, x1, y1, pen) {
      const [dx, dy] = [x1 - x0, y1 - y0];
      const squared = dx * dx + dy * dy || 1;
      const reach = pen + 1;
      const right = bound(Math.max(x0, x1) + reach);
      const bottom = bound(Math.max(y0, y1) + reach);
      const left = bound(Math.min(x0, x1) - reach);
      for (let row = bound(Math.min(y0, y1) - reach); row <= bottom; row++) {
        for (let column = left; column <= right; column++) {
          const [px, py] = [column + 0.5 - x0, row + 0.5 - y0];
          const along = Math.min(1, Math.max(0, (px * dx + py * dy) / squared));
          const distance = Math.hypot(px - along * dx, py - along * dy);
          const coverage = Math.min(1, Math.max(0, pen + 0.5 - distance));
          const at = row * side + column;
          if (coverage > pixels[at]!) pixels[at] = coverage;
        }
      }
    },
  };
}
