/**
 * Philox4x32-10, the counter-based random generator of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011).
 * The same numbers come out of every backend and of the host's initialisation and shuffling.
 */

/** Multipliers of the round function and increments of the key schedule (Weyl sequences of the golden ratio and sqrt(3) - 1). */
export const PHILOX_M0 = 0xd2511f53;
export const PHILOX_M1 = 0xcd9e8d57;
export const PHILOX_W0 = 0x9e3779b9;
export const PHILOX_W1 = 0xbb67ae85;
export const PHILOX_ROUNDS = 10;

/** High word of the 64-bit product of two u32, from 16-bit halves. */
export function mulHigh(a: number, b: number): number {
  const a0 = a & 0xffff;
  const a1 = a >>> 16;
  const b0 = b & 0xffff;
  const b1 = b >>> 16;
  const low = a1 * b0 + ((a0 * b0) >>> 16);
  const mid = a0 * b1 + (low & 0xffff);
  return (a1 * b1 + Math.floor(low / 0x10000) + Math.floor(mid / 0x10000)) >>> 0;
}

/** Encrypts the counter in `block` (four u32) in place with the key (two u32). */
export function philoxBlock(block: Uint32Array, key0: number, key1: number): void {
  let [c0, c1, c2, c3] = [block[0]!, block[1]!, block[2]!, block[3]!];
  let k0 = key0 >>> 0;
  let k1 = key1 >>> 0;
  for (let round = 0; round < PHILOX_ROUNDS; round++) {
    const high0 = mulHigh(PHILOX_M0, c0);
    const low0 = Math.imul(PHILOX_M0, c0);
    const high1 = mulHigh(PHILOX_M1, c2);
    const low1 = Math.imul(PHILOX_M1, c2);
    c0 = (high1 ^ c1 ^ k0) >>> 0;
    c1 = low1 >>> 0;
    c2 = (high0 ^ c3 ^ k1) >>> 0;
    c3 = low0 >>> 0;
    k0 = (k0 + PHILOX_W0) >>> 0;
    k1 = (k1 + PHILOX_W1) >>> 0;
  }
  block[0] = c0;
  block[1] = c1;
  block[2] = c2;
  block[3] = c3;
}

const scratch = new Uint32Array(4);

/** Element `index` of the stream: word `index % 4` of the block with key (seed, stream) and counter (index / 4, step, 0, 0). A u32. */
export function philox(seed: number, stream: number, step: number, index: number): number {
  scratch[0] = Math.floor(index / 4);
  scratch[1] = step;
  scratch[2] = 0;
  scratch[3] = 0;
  philoxBlock(scratch, seed, stream);
  return scratch[index % 4]!;
}

/** Element `index` as an f32 in [0, 1): its upper 24 bits times 2^-24, exact in single precision. */
export function philoxUniform(seed: number, stream: number, step: number, index: number): number {
  return (philox(seed, stream, step, index) >>> 8) * 2 ** -24;
}
