/** Each rule as two texts, and as numbers: the rewritten graph computes the same bits, NaN and infinities among the inputs. */
import { describe, expect, it } from 'vitest';
import { evaluateGraph } from '../../../engine/backend/reference/evaluateGraph.ts';
import type { Graph } from '../../../engine/ir/graph.ts';
import { parseGraph } from '../../../engine/ir/parse.ts';
import { printGraph } from '../../../engine/ir/print.ts';
import { validateGraph } from '../../../engine/ir/validate.ts';
import { typeOf } from '../../../engine/ops/registry.ts';
import { dce } from '../../../engine/passes/dce.ts';
import { rules, simplify } from '../../../engine/passes/simplify.ts';
import { randomTensor, type Tensors } from '../../support/samples.ts';

/** Nodes of a graph whose last node is its output; ids count from the first line. */
function graphOf(nodes: string): Graph {
  const lines = nodes
    .trim()
    .split('\n')
    .map((line, id) => `  %${id} = ${line.trim()}`);
  return parseGraph(['graph g {', ...lines, `  result y = %${lines.length - 1}`, '}', ''].join('\n'));
}

function nodesOf(graph: Graph): string {
  const lines = printGraph(graph).trim().split('\n').slice(1, -2);
  return lines.map(line => line.trim().replace(/^%\d+ = /, '')).join('\n');
}

const trimmed = (text: string): string =>
  text
    .trim()
    .split('\n')
    .map(line => line.trim())
    .join('\n');

interface Case {
  readonly equation: string;
  readonly before: string;
  readonly after: string;
}

const x = 'input {name: "x"} : f32[2, 3]';
const image = 'input {name: "image"} : f32[2, 3, 2, 4]';
const y = 'input {name: "y"} : f32[2, 3]';
const c = 'input {name: "c"} : bool[2, 3]';
const plain = '{transposeA: false, transposeB: false}';

const cases: readonly Case[] = [
  { equation: 'x + 0 = x', before: `${x}\nconstant {value: 0} : f32[2, 3]\nadd(%1, %0) : f32[2, 3]`, after: x },
  { equation: 'x * 1 = x', before: `${x}\nconstant {value: 1} : f32[2, 3]\nmul(%0, %1) : f32[2, 3]`, after: x },
  {
    equation: 'x * -1 = -x',
    before: `${x}\nconstant {value: -1} : f32[2, 3]\nmul(%0, %1) : f32[2, 3]`,
    after: `${x}\nneg(%0) : f32[2, 3]`,
  },
  {
    equation: 'x - 0 = x, 0 - x = -x',
    before: `${x}\nconstant {value: 0} : f32[2, 3]\nsub(%0, %1) : f32[2, 3]`,
    after: x,
  },
  {
    equation: 'x - 0 = x, 0 - x = -x',
    before: `${x}\nconstant {value: 0} : f32[2, 3]\nsub(%1, %0) : f32[2, 3]`,
    after: `${x}\nneg(%0) : f32[2, 3]`,
  },
  {
    equation: 'x / 1 = x, x / 2^n = x * 2^-n',
    before: `${x}\nconstant {value: 64} : f32[2, 3]\ndiv(%0, %1) : f32[2, 3]`,
    after: `${x}\nconstant {value: 0.015625} : f32[2, 3]\nmul(%0, %1) : f32[2, 3]`,
  },
  { equation: '-(-x) = x', before: `${x}\nneg(%0) : f32[2, 3]\nneg(%1) : f32[2, 3]`, after: x },
  {
    equation: 'x + -y = x - y, -x + y = y - x',
    before: `${x}\n${y}\nneg(%0) : f32[2, 3]\nadd(%2, %1) : f32[2, 3]`,
    after: `${x}\n${y}\nsub(%1, %0) : f32[2, 3]`,
  },
  {
    equation: 'x - -y = x + y',
    before: `${x}\n${y}\nneg(%1) : f32[2, 3]\nsub(%0, %2) : f32[2, 3]`,
    after: `${x}\n${y}\nadd(%0, %1) : f32[2, 3]`,
  },
  {
    equation: 'pow(x, 1) = x, pow(x, 2) = x * x',
    before: `${x}\nconstant {value: 2} : f32[2, 3]\npow(%0, %1) : f32[2, 3]`,
    after: `${x}\nmul(%0, %0) : f32[2, 3]`,
  },
  {
    equation: 'minimum(x, x) = maximum(x, x) = x and x = x or x = x',
    before: `${x}\nmaximum(%0, %0) : f32[2, 3]`,
    after: x,
  },
  {
    equation: 'x and true = x, x and false = false',
    before: `${c}\nconstant {value: 0} : bool[2, 3]\nlogical_and(%0, %1) : bool[2, 3]`,
    after: 'constant {value: 0} : bool[2, 3]',
  },
  {
    equation: 'x or false = x, x or true = true',
    before: `${c}\nconstant {value: 0} : bool[2, 3]\nlogical_or(%1, %0) : bool[2, 3]`,
    after: c,
  },
  { equation: 'not not x = x', before: `${c}\nlogical_not(%0) : bool[2, 3]\nlogical_not(%1) : bool[2, 3]`, after: c },
  {
    equation: 'select(true, x, y) = x, select(false, x, y) = y, select(c, x, x) = x',
    before: `${x}\n${y}\nconstant {value: 0} : bool[2, 3]\nselect(%2, %0, %1) : f32[2, 3]`,
    after: y,
  },
  {
    equation: 'select(not c, x, y) = select(c, y, x)',
    before: `${c}\n${x}\n${y}\nlogical_not(%0) : bool[2, 3]\nselect(%3, %1, %2) : f32[2, 3]`,
    after: `${c}\n${x}\n${y}\nselect(%0, %2, %1) : f32[2, 3]`,
  },
  { equation: 'cast(x, dtype of x) = x', before: `${x}\ncast(%0) {dtype: "f32"} : f32[2, 3]`, after: x },
  { equation: 'detach(x) = x, once gradients are taken', before: `${x}\ndetach(%0) : f32[2, 3]`, after: x },
  {
    equation: 'f(broadcast(x), broadcast(y), constant) = broadcast(f(x, y, constant)), for x and y of one shape',
    before: `input {name: "s"} : f32[]\nbroadcast(%0) {shape: [4]} : f32[4]\nconstant {value: 3} : f32[4]\nmul(%1, %2) : f32[4]`,
    after: `input {name: "s"} : f32[]\nconstant {value: 3} : f32[]\nmul(%0, %1) : f32[]\nbroadcast(%2) {shape: [4]} : f32[4]`,
  },
  {
    equation: 'f(constants) = constant',
    before: `constant {value: 1} : f32[2]\nconstant {value: 3} : f32[2]\ndiv(%0, %1) : f32[2]`,
    after: `constant {value: ${Math.fround(1 / 3)}} : f32[2]`,
  },
  {
    equation: 'view(constant) = constant',
    before: `constant {value: 2} : f32[3]\nbroadcast(%0) {shape: [2, 3]} : f32[2, 3]`,
    after: 'constant {value: 2} : f32[2, 3]',
  },
  {
    equation: 'pad(c, value: c) = c',
    before: `constant {value: 0} : f32[3]\npad(%0) {before: [1], after: [0], value: 0} : f32[4]`,
    after: 'constant {value: 0} : f32[4]',
  },
  {
    equation: 'sum(n) = n * count, for whole numbers exact in f32',
    before: `constant {value: 2} : f32[64, 10]\nsum(%0) {axes: [0], keep: false} : f32[10]`,
    after: 'constant {value: 128} : f32[10]',
  },
  {
    equation: 'max(c) = min(c) = c',
    before: `constant {value: 2} : f32[64]\nmax(%0) {axes: [0], keep: false} : f32[]`,
    after: 'constant {value: 2} : f32[]',
  },
  {
    equation: 'reshape(x, shape of x) = x, and so for broadcast',
    before: `${x}\nreshape(%0) {shape: [2, 3]} : f32[2, 3]`,
    after: x,
  },
  {
    equation: 'reshape(reshape(x)) = reshape(x), and so for broadcast',
    before: `${x}\nreshape(%0) {shape: [6]} : f32[6]\nreshape(%1) {shape: [3, 2]} : f32[3, 2]`,
    after: `${x}\nreshape(%0) {shape: [3, 2]} : f32[3, 2]`,
  },
  {
    equation: 'broadcast(x) = reshape(x) where only axes of 1 are added',
    before: `${x}\nbroadcast(%0) {shape: [1, 2, 3]} : f32[1, 2, 3]`,
    after: `${x}\nreshape(%0) {shape: [1, 2, 3]} : f32[1, 2, 3]`,
  },
  {
    equation: 'transpose(transpose(x, p), q) = transpose(x, p of q)',
    before: `input {name: "x"} : f32[2, 3, 4]\ntranspose(%0) {permutation: [1, 2, 0]} : f32[3, 4, 2]\ntranspose(%1) {permutation: [0, 2, 1]} : f32[3, 2, 4]`,
    after: `input {name: "x"} : f32[2, 3, 4]\ntranspose(%0) {permutation: [1, 0, 2]} : f32[3, 2, 4]`,
  },
  {
    equation: 'transpose(x) = reshape(x) where only axes of 1 move',
    before: `input {name: "x"} : f32[2, 1, 3]\ntranspose(%0) {permutation: [1, 0, 2]} : f32[1, 2, 3]`,
    after: `input {name: "x"} : f32[2, 1, 3]\nreshape(%0) {shape: [1, 2, 3]} : f32[1, 2, 3]`,
  },
  {
    equation: 'slice of the whole x = x',
    before: `${x}\nslice(%0) {starts: [0, 0], sizes: [2, 3]} : f32[2, 3]`,
    after: x,
  },
  {
    equation: 'slice(slice(x, s), t) = slice(x, s + t)',
    before: `input {name: "x"} : f32[9]\nslice(%0) {starts: [2], sizes: [6]} : f32[6]\nslice(%1) {starts: [1], sizes: [3]} : f32[3]`,
    after: `input {name: "x"} : f32[9]\nslice(%0) {starts: [3], sizes: [3]} : f32[3]`,
  },
  {
    equation: 'slice(concat(…, x, …)) = x where it cuts out one part, or slice(x) where it lies within one',
    before: `${x}\n${y}\nconcat(%0, %1) {axis: 1} : f32[2, 6]\nslice(%2) {starts: [0, 4], sizes: [2, 2]} : f32[2, 2]`,
    after: `${y}\nslice(%0) {starts: [0, 1], sizes: [2, 2]} : f32[2, 2]`,
  },
  {
    equation: 'slice(take(x, i)) = take(x, slice(i)) where only axes of i are cut',
    before: `${x}\niota {shape: [2, 4], axis: 1} : i32[2, 4]\ntake(%0, %1) : f32[2, 4, 3]
slice(%2) {starts: [1, 0, 0], sizes: [1, 4, 3]} : f32[1, 4, 3]`,
    after: `${x}\niota {shape: [2, 4], axis: 1} : i32[2, 4]\nslice(%1) {starts: [1, 0], sizes: [1, 4]} : i32[1, 4]
take(%0, %2) : f32[1, 4, 3]`,
  },
  {
    equation: 'pad(x, 0, 0) = x',
    before: `${x}\npad(%0) {before: [0, 0], after: [0, 0], value: 0} : f32[2, 3]`,
    after: x,
  },
  {
    equation: 'flip(x) = x along axes of 1',
    before: `input {name: "x"} : f32[1, 3]\nflip(%0) {axes: [0, 1]} : f32[1, 3]`,
    after: `input {name: "x"} : f32[1, 3]\nflip(%0) {axes: [1]} : f32[1, 3]`,
  },
  { equation: 'concat(x) = x', before: `${x}\nconcat(%0) {axis: 0} : f32[2, 3]`, after: x },
  {
    equation: 'concat(concat(x, y), z) = concat(x, y, z) along one axis',
    before: `${x}\n${y}\nconcat(%0, %1) {axis: 1} : f32[2, 6]\nconcat(%2, %0) {axis: 1} : f32[2, 9]`,
    after: `${x}\n${y}\nconcat(%0, %1, %0) {axis: 1} : f32[2, 9]`,
  },
  {
    equation: 'pad(x) + pad(y) = pad(concat(x, y)) where the two lie side by side among zeros',
    before: `${x}\n${y}
pad(%0) {before: [0, 4], after: [0, 1], value: 0} : f32[2, 8]
pad(%1) {before: [0, 1], after: [0, 4], value: 0} : f32[2, 8]
add(%2, %3) : f32[2, 8]`,
    after: `${x}\n${y}
concat(%1, %0) {axis: 1} : f32[2, 6]
pad(%2) {before: [0, 1], after: [0, 1], value: 0} : f32[2, 8]`,
  },
  {
    equation: '(pad(x) + z) + pad(y) = pad(concat(x, y)) + z where x and y lie side by side among zeros',
    before: `${x}\n${y}\ninput {name: "z"} : f32[2, 8]
pad(%0) {before: [0, 4], after: [0, 1], value: 0} : f32[2, 8]
pad(%1) {before: [0, 1], after: [0, 4], value: 0} : f32[2, 8]
add(%2, %3) : f32[2, 8]
add(%5, %4) : f32[2, 8]`,
    after: `${x}\n${y}\ninput {name: "z"} : f32[2, 8]
concat(%1, %0) {axis: 1} : f32[2, 6]
pad(%3) {before: [0, 1], after: [0, 1], value: 0} : f32[2, 8]
add(%4, %2) : f32[2, 8]`,
  },
  {
    equation: 'slice(pad(x)) = pad(slice(x)) of what the two have in common, or the number where that is nothing',
    before: `${x}\npad(%0) {before: [1, 2], after: [0, 4], value: 5} : f32[3, 9]
slice(%1) {starts: [1, 1], sizes: [1, 3]} : f32[1, 3]
slice(%1) {starts: [1, 5], sizes: [1, 3]} : f32[1, 3]
add(%2, %3) : f32[1, 3]`,
    after: `${x}\nslice(%0) {starts: [0, 0], sizes: [1, 2]} : f32[1, 2]
pad(%1) {before: [0, 1], after: [0, 0], value: 5} : f32[1, 3]
constant {value: 5} : f32[1, 3]
add(%2, %3) : f32[1, 3]`,
  },
  {
    equation: 'slice(pad(x) + y) = slice(pad(x)) + slice(y)',
    before: `${x}\n${y}\npad(%0) {before: [0, 0], after: [1, 0], value: 0} : f32[3, 3]
pad(%1) {before: [1, 0], after: [0, 0], value: 0} : f32[3, 3]
pad(%0) {before: [1, 0], after: [0, 0], value: 0} : f32[3, 3]
sub(%3, %4) : f32[3, 3]
add(%2, %5) : f32[3, 3]
slice(%6) {starts: [1, 0], sizes: [2, 3]} : f32[2, 3]`,
    after: `${x}\n${y}\npad(%0) {before: [0, 0], after: [1, 0], value: 0} : f32[3, 3]
pad(%1) {before: [1, 0], after: [0, 0], value: 0} : f32[3, 3]
pad(%0) {before: [1, 0], after: [0, 0], value: 0} : f32[3, 3]
sub(%3, %4) : f32[3, 3]
slice(%2) {starts: [1, 0], sizes: [2, 3]} : f32[2, 3]
slice(%5) {starts: [1, 0], sizes: [2, 3]} : f32[2, 3]
add(%6, %7) : f32[2, 3]`,
  },
  {
    equation: 'sum(x) = max(x) = min(x) = reshape(x) over axes of 1',
    before: `input {name: "x"} : f32[2, 1]\nsum(%0) {axes: [1], keep: false} : f32[2]`,
    after: `input {name: "x"} : f32[2, 1]\nreshape(%0) {shape: [2]} : f32[2]`,
  },
  {
    equation: 'sum(reshape(x)) = sum(x) where the first axis of x is split, and all of it summed',
    before: `input {name: "x"} : f32[6, 5]\nreshape(%0) {shape: [2, 3, 5]} : f32[2, 3, 5]
sum(%1) {axes: [0, 1], keep: false} : f32[5]`,
    after: `input {name: "x"} : f32[6, 5]\nsum(%0) {axes: [0], keep: false} : f32[5]`,
  },
  {
    equation: 'matmul(transpose(x), y) = matmul(x, y, transposeA), and so for y',
    before: `${x}\n${y}\ntranspose(%1) {permutation: [1, 0]} : f32[3, 2]\nmatmul(%0, %2) ${plain} : f32[2, 2]`,
    after: `${x}\n${y}\nmatmul(%0, %1) {transposeA: false, transposeB: true} : f32[2, 2]`,
  },
  {
    equation: 'f(transpose(x), transpose(y), broadcast(z)) = transpose(f(x, y, broadcast(z))), and where most are',
    before: `${x}\n${y}\ninput {name: "z"} : f32[2]
transpose(%0) {permutation: [1, 0]} : f32[3, 2]
transpose(%1) {permutation: [1, 0]} : f32[3, 2]
broadcast(%2) {shape: [3, 2]} : f32[3, 2]
sub(%3, %5) : f32[3, 2]
add(%6, %4) : f32[3, 2]`,
    after: `${x}\n${y}\ninput {name: "z"} : f32[2]
reshape(%2) {shape: [1, 2]} : f32[1, 2]
transpose(%3) {permutation: [1, 0]} : f32[2, 1]
broadcast(%4) {shape: [2, 3]} : f32[2, 3]
sub(%0, %5) : f32[2, 3]
add(%6, %1) : f32[2, 3]
transpose(%7) {permutation: [1, 0]} : f32[3, 2]`,
  },
  {
    equation: 'sum(transpose(x)) = transpose(sum(x)) where the order of the terms stays, and so for max and min',
    before: `${image}\ntranspose(%0) {permutation: [0, 3, 1, 2]} : f32[2, 4, 3, 2]
sum(%1) {axes: [2], keep: false} : f32[2, 4, 2]`,
    after: `${image}\nsum(%0) {axes: [1], keep: false} : f32[2, 2, 4]
transpose(%1) {permutation: [0, 2, 1]} : f32[2, 4, 2]`,
  },
  {
    equation: 'pad(transpose(x)) = transpose(pad(x)), and so for slice',
    before: `${image}\ntranspose(%0) {permutation: [0, 3, 1, 2]} : f32[2, 4, 3, 2]
pad(%1) {before: [0, 0, 1, 2], after: [0, 0, 3, 4], value: 0} : f32[2, 4, 7, 8]`,
    after: `${image}\npad(%0) {before: [0, 1, 2, 0], after: [0, 3, 4, 0], value: 0} : f32[2, 7, 8, 4]
transpose(%1) {permutation: [0, 3, 1, 2]} : f32[2, 4, 7, 8]`,
  },
  {
    equation: 'reshape(transpose(x)) = transpose(reshape(x)) where it joins and splits what is neighbours in x',
    before: `${image}\ntranspose(%0) {permutation: [0, 3, 1, 2]} : f32[2, 4, 3, 2]
reshape(%1) {shape: [2, 2, 2, 6]} : f32[2, 2, 2, 6]`,
    after: `${image}\nreshape(%0) {shape: [2, 6, 2, 2]} : f32[2, 6, 2, 2]
transpose(%1) {permutation: [0, 2, 3, 1]} : f32[2, 2, 2, 6]`,
  },
  {
    equation: 'transpose(take(x, i)) = take(x, transpose(i)) where only axes of i move',
    before: `${x}\niota {shape: [2, 4], axis: 1} : i32[2, 4]\ntake(%0, %1) : f32[2, 4, 3]
transpose(%2) {permutation: [1, 0, 2]} : f32[4, 2, 3]`,
    after: `${x}\niota {shape: [2, 4], axis: 1} : i32[2, 4]\ntranspose(%1) {permutation: [1, 0]} : i32[4, 2]
take(%0, %2) : f32[4, 2, 3]`,
  },
  {
    equation: 'concat(reshape(x), reshape(y)) = reshape(concat(x, y)) along the first axis',
    before: `${x}\n${y}\nreshape(%0) {shape: [1, 2, 3]} : f32[1, 2, 3]\nreshape(%1) {shape: [1, 2, 3]} : f32[1, 2, 3]
concat(%2, %3) {axis: 0} : f32[2, 2, 3]`,
    after: `${x}\n${y}\nconcat(%0, %1) {axis: 0} : f32[4, 3]\nreshape(%2) {shape: [2, 2, 3]} : f32[2, 2, 3]`,
  },
];

/** Values at the leaves of both graphs, infinities and NaN among them where f32 isn't multiplied out. */
function leavesOf(graph: Graph): Tensors {
  const entries = graph.nodes
    .filter(n => n.op === 'input')
    .map((node, i) => {
      const tensor = randomTensor(node.type, node.type.dtype === 'bool' ? [0, 1] : [1, 2], i);
      if (node.type.dtype === 'f32')
        tensor.data.set([Number.NaN, Number.NEGATIVE_INFINITY].slice(0, tensor.data.length));
      return [String(node.attributes.name), tensor] as const;
    });
  return Object.fromEntries(entries);
}

describe('simplify', () => {
  it.each(cases)('$equation', ({ before, after }) => {
    const graph = graphOf(before);
    const simpler = dce(simplify(graph));
    expect(nodesOf(simpler)).toBe(trimmed(after));
    validateGraph(simpler, typeOf, 'simplify');
    const leaves = leavesOf(graph);
    const [expected, found] = [evaluateGraph(graph, leaves).y!, evaluateGraph(simpler, leaves).y!];
    expect(Array.from(found.data, Math.fround)).toEqual(Array.from(expected.data, Math.fround));
  });

  it('has a case for every rule, and no two rules of one name', () => {
    expect(new Set(cases.map(({ equation }) => equation))).toEqual(new Set(rules.map(({ equation }) => equation)));
    expect(new Set(rules.map(({ equation }) => equation)).size).toBe(rules.length);
  });

  it.each([
    ['x * 0, which is NaN for infinite x', `${x}\nconstant {value: 0} : f32[2, 3]\nmul(%0, %1) : f32[2, 3]`],
    ['x - x, likewise', `${x}\nsub(%0, %0) : f32[2, 3]`],
    ['x / 3, which a product rounds differently', `${x}\nconstant {value: 3} : f32[2, 3]\ndiv(%0, %1) : f32[2, 3]`],
    ['sums of fractions', 'constant {value: 0.1} : f32[7]\nsum(%0) {axes: [0], keep: false} : f32[]'],
    [
      'sums beyond what f32 counts',
      'constant {value: 1} : f32[5000, 5000]\nsum(%0) {axes: [0, 1], keep: false} : f32[]',
    ],
    ['0 - x of u32', 'input {name: "x"} : u32[2]\nconstant {value: 0} : u32[2]\nsub(%1, %0) : u32[2]'],
    ['u32 by a power of two', 'input {name: "x"} : u32[2]\nconstant {value: 256} : u32[2]\ndiv(%0, %1) : u32[2]'],
  ])('leaves alone %s', (_, nodes) => {
    expect(nodesOf(dce(simplify(graphOf(nodes))))).toBe(nodes);
  });
});
