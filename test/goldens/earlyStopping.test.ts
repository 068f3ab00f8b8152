/** Early stopping decides as the class that PyTorch users write by hand. */
import { describe, expect, it } from 'vitest';
import { FRESH, observe } from '../../engine/train/stopping.ts';
import { golden } from './golden.ts';

interface Decision {
  readonly curve: readonly number[];
  readonly patience: number;
  readonly minDelta: number;
  /** Epoch from 1; null where the curve ends first. */
  readonly stopped: number | null;
}

function stops(curve: readonly number[], patience: number, minDelta: number): number | null {
  let state = FRESH;
  for (const [epoch, loss] of curve.entries()) {
    state = observe(state, loss, 'lower', minDelta);
    if (state.stale >= patience) return epoch + 1;
  }
  return null;
}

describe('early stopping', () => {
  it.each(golden<readonly Decision[]>('early-stopping').map((d, i) => [i, d] as const))('curve %d', (_, decision) => {
    expect(stops(decision.curve, decision.patience, decision.minDelta)).toBe(decision.stopped);
  });
});
