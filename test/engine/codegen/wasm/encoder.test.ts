/** The encoder's modules are valid and compute what the instructions say. */
import { expect, test } from 'vitest';
import { Code, ModuleBuilder } from '../../../../engine/codegen/wasm/encoder.ts';

type Exported = (...args: number[]) => number;

/** Compiles one exported function. */
function compile(code: Code): Exported {
  const module = new ModuleBuilder();
  module.add(code, 'f');
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
  const instance = new WebAssembly.Instance(new WebAssembly.Module(module.encode({ pages: 1, shared: false })), {
    strata: { memory },
  });
  return instance.exports.f as Exported;
}

test.each([0, 1, -1, 63, 64, -64, -65, 127, 128, 8191, 8192, -8193, 2 ** 31 - 1, -(2 ** 31)])(
  'i32 constant %i',
  value => {
    expect(compile(new Code([], ['i32']).i32(value))()).toBe(value);
  },
);

test('a base address above 2^31 wraps to the same bits', () => {
  expect(compile(new Code([], ['i32']).i32(0x90000000))() >>> 0).toBe(0x90000000);
});

test.each([0, 0xffffffff, 0xd2511f53, -1])('i64 constant %i', value => {
  expect(compile(new Code([], ['i32']).i64(value).op('i32.wrap_i64'))() >>> 0).toBe(value >>> 0);
});

test('count runs from, up to and not through the limit, and not at all where they meet', () => {
  const code = new Code(['i32', 'i32'], ['i32']);
  const [i, sum] = [code.local('i32'), code.local('i32')];
  code.get(0).count(
    i,
    3,
    () => code.get(1),
    () => code.get(sum).get(i).op('i32.add').set(sum),
  );
  const f = compile(code.get(sum));
  expect([f(0, 10), f(5, 6), f(5, 5), f(9, 2)]).toEqual([0 + 3 + 6 + 9, 5, 0, 0]);
});

test('locals of mixed types keep their places', () => {
  const code = new Code(['f32'], ['f32']);
  const [a, b, c] = [code.local('f32'), code.local('v128'), code.local('f32')];
  code.get(0).f32(1).op('f32.add').set(a).get(0).op('f32x4.splat').set(b).get(a).f32(2).op('f32.mul').set(c);
  const f = compile(code.get(c).get(b).lane('f32x4.extract_lane', 3).op('f32.add'));
  expect(f(5)).toBe(17);
});

test('shuffle picks lanes of both vectors', () => {
  const code = new Code([], ['i32']);
  const lanes = code.local('v128');
  code.i32x4(1, 2, 3, 4).i32x4(5, 6, 7, 8).shuffle(7, 0, 5, 2).set(lanes);
  [0, 1, 2, 3].forEach(lane => {
    if (lane > 0) code.i32(10).op('i32.mul');
    code.get(lanes).lane('i32x4.extract_lane', lane);
    if (lane > 0) code.op('i32.add');
  });
  expect(compile(code)()).toBe(8163);
});
