/** Passes as two texts: the printed graph before and after. */
import { describe, expect, it } from 'vitest';
import { parseGraph } from '../../../engine/ir/parse.ts';
import { printGraph } from '../../../engine/ir/print.ts';
import { cse } from '../../../engine/passes/cse.ts';
import { dce } from '../../../engine/passes/dce.ts';
import { optimize } from '../../../engine/passes/pipeline.ts';

const text = (lines: string): string => `${lines.trim()}\n`;

describe('cse', () => {
  it('shares equal nodes, whatever the order of commuting operands', () => {
    const before = parseGraph(
      `
graph g {
  %0 = input {name: "x"} : f32[4]
  %1 = exp(%0) : f32[4]  // first
  %2 = exp(%0) : f32[4]  // second
  %3 = add(%1, %0) : f32[4]
  %4 = add(%0, %2) : f32[4]
  %5 = sub(%3, %4) : f32[4]
  result y = %5
}`.trimStart(),
    );
    expect(printGraph(cse(before))).toBe(
      text(`
graph g {
  %0 = input {name: "x"} : f32[4]
  %1 = exp(%0) : f32[4]  // first
  %2 = add(%0, %1) : f32[4]
  %3 = sub(%2, %2) : f32[4]
  result y = %3
}`),
    );
  });

  it('keeps draws of different streams apart', () => {
    const before = text(`
graph g {
  %0 = input {name: "seed"} : i32[]
  %1 = random_bits(%0, %0) {shape: [4], stream: 1} : u32[4]
  %2 = random_bits(%0, %0) {shape: [4], stream: 2} : u32[4]
  result a = %1
  result b = %2
}`);
    expect(printGraph(cse(parseGraph(before)))).toBe(before);
  });
});

describe('dce', () => {
  it('drops what no output needs, leaves among it, and keeps what a write is placed by', () => {
    const before = parseGraph(
      `
graph g {
  %0 = input {name: "unused"} : f32[4]
  %1 = exp(%0) : f32[4]
  %2 = state {name: "step"} : i32[]
  %3 = constant {value: 1} : f32[]
  write ring[%2] = %3
}`.trimStart(),
    );
    expect(printGraph(dce(before))).toBe(
      text(`
graph g {
  %0 = state {name: "step"} : i32[]
  %1 = constant {value: 1} : f32[]
  write ring[%0] = %1
}`),
    );
  });
});

describe('optimize', () => {
  it('goes on until nothing changes', () => {
    const before = parseGraph(
      `
graph g {
  %0 = input {name: "x"} : f32[64, 10]
  %1 = constant {value: 1} : f32[64, 10]
  %2 = sum(%1) {axes: [0], keep: false} : f32[10]
  %3 = constant {value: 1} : f32[10]
  %4 = div(%3, %2) : f32[10]
  %5 = broadcast(%4) {shape: [64, 10]} : f32[64, 10]
  %6 = mul(%0, %5) : f32[64, 10]
  %7 = detach(%6) : f32[64, 10]
  result y = %7
}`.trimStart(),
    );
    expect(printGraph(optimize(before))).toBe(
      text(`
graph g {
  %0 = input {name: "x"} : f32[64, 10]
  %1 = constant {value: 0.015625} : f32[64, 10]
  %2 = mul(%0, %1) : f32[64, 10]
  result y = %2
}`),
    );
  });

  it('takes symbolic sizes as they are', () => {
    const before = parseGraph(
      `
graph g {
  %0 = input {name: "x"} : f32[B, 4]
  %1 = constant {value: 1} : f32[B]
  %2 = sum(%1) {axes: [0], keep: false} : f32[]
  %3 = reshape(%0) {shape: [\`4 * B\`]} : f32[4 * B]
  %4 = reshape(%3) {shape: [\`B\`, 4]} : f32[B, 4]
  %5 = sum(%4) {axes: [0, 1], keep: false} : f32[]
  %6 = div(%5, %2) : f32[]
  result y = %6
}`.trimStart(),
    );
    expect(printGraph(optimize(before))).toBe(
      text(`
graph g {
  %0 = input {name: "x"} : f32[B, 4]
  %1 = constant {value: 1} : f32[B]
  %2 = sum(%1) {axes: [0], keep: false} : f32[]
  %3 = sum(%0) {axes: [0, 1], keep: false} : f32[]
  %4 = div(%3, %2) : f32[]
  result y = %4
}`),
    );
  });

  it('refuses a malformed graph, and shows it', () => {
    const malformed = parseGraph(
      `
graph g {
  %0 = input {name: "x"} : f32[4]
  %1 = exp(%0) : f32[5]
  result y = %1
}`.trimStart(),
    );
    expect(() => optimize(malformed)).toThrow(
      /malformed graph after the builder.*f32\[5\](.|\n)*%1 = exp\(%0\) : f32\[5\]/,
    );
  });
});
