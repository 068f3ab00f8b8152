/** Reads the stored PyTorch numbers and compares with them. */
import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import type { Net } from './inputs.ts';

/** A tensor's norm and at most 32 evenly strided elements. */
export interface Digest {
  readonly norm: number;
  readonly samples: readonly number[];
}

export interface GoldenRun {
  readonly optimizer: string;
  readonly args: Readonly<Record<string, number | boolean>>;
  readonly clip?: number;
  readonly clipValue?: number;
  readonly average?: number;
  readonly schedule?: { readonly every: number; readonly gamma: number };
  readonly losses: readonly number[];
  readonly weights: readonly Digest[];
  /** Of the moving averages after the last step, where there are some. */
  readonly averages?: readonly Digest[];
}

export interface GoldenTraining {
  readonly net: Net;
  /** Of the parameters at the first step. */
  readonly gradients: readonly Digest[];
  readonly runs: Readonly<Record<string, GoldenRun>>;
}

export function golden<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`data/${name}.json`, import.meta.url), 'utf8')) as T;
}

export function digest(values: ArrayLike<number>): Digest {
  const stride = Math.max(1, Math.floor(values.length / 32));
  const samples = Array.from(
    { length: Math.min(32, Math.ceil(values.length / stride)) },
    (_, i) => values[i * stride]!,
  );
  return { norm: Math.sqrt(Array.from(values).reduce((sum, v) => sum + v * v, 0)), samples };
}

/** The greatest |found - expected| / max(|expected|, floor). */
export function relativeError(found: ArrayLike<number>, expected: ArrayLike<number>, floor: number): number {
  expect(found.length).toBe(expected.length);
  const errors = Array.from(found, (v, i) => Math.abs(v - expected[i]!) / Math.max(Math.abs(expected[i]!), floor));
  return errors.reduce((most, e) => (Number.isNaN(e) ? Number.POSITIVE_INFINITY : Math.max(most, e)), 0);
}

/** Samples are held to `tolerance` of the tensor's root mean square or more. */
export function expectDigest(values: ArrayLike<number>, expected: Digest, tolerance: number, what: string): void {
  const found = digest(values);
  const scale = expected.norm / Math.sqrt(values.length);
  expect(relativeError(found.samples, expected.samples, scale), what).toBeLessThan(tolerance);
  expect(relativeError([found.norm], [expected.norm], 1e-12), `norm of ${what}`).toBeLessThan(tolerance);
}
