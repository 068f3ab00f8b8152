/** What is wrong in a program: one mistake, one fact, at the smallest span. */
import { describe, expect, it } from 'vitest';
import { expectMarked, fixture, shapesByLine } from '../../support/fixture.ts';

const data = 'data Digits = digits() {\n  image = image |> flatten\n  batch 64\n}\n';
const net = 'model Net(x: [B, 784]) -> [B, 10] {\n  x |> linear(128) |> relu |> linear(10)\n}\n';

/** A model body from `x: [B, 784]` to `[B, 10]`. */
const body = (lines: string) => `model M(x: [B, 784]) -> [B, 10] {\n${lines}\n}\n`;
/** A train block on Digits, with net and logits. */
const train = (lines: string, rest = '  epochs 2') =>
  `${net}${data}train t on Digits {\n  net = Net()\n  logits = net(image)\n${lines}\n${rest}\n}\n`;
const minimize = '  minimize cross_entropy(logits, label) using adam()';

/** Each is a program with the marks of its facts; without marks it is right. */
const cases: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'sizes in models': {
    'a right model': body('  fc1 = linear(128)\n  x |> fc1 |> relu |> linear(10)'),
    'a wrong last layer': body('  x |> linear(12)\n//     ^^^^^^^^^^ error[shape-mismatch]: "foundSize":"12"'),
    'a wrong last layer by name': body(
      '  fc = linear(12)\n  x |> fc\n//     ^^ error[shape-mismatch]: "expectedSize":"10"',
    ),
    'a wrong rank': body('  x |> sum(axis: 1)\n//     ^^^^^^^^^^^^ error[shape-mismatch]: "found":"[B]"'),
    'operands that differ': body(
      '  a = x |> linear(3)\n  b = x |> linear(4)\n  a + b |> linear(10)\n//    ^ error[shape-mismatch]: "expectedSize":"3","foundSize":"4"',
    ),
    'a size of 1 repeats': body('  (x |> linear(10)) + (x |> linear(1))'),
    'a matrix product that does not fit': body(
      '  (x |> linear(3)) @ transpose(x |> linear(4))\n//                   ^^^^^^^^^^^^^^^^^^^^^^^^^ error[shape-mismatch]: "subject":"@"',
    ),
    'a layer used for two sizes': body(
      '  f = linear(10)\n  y = x |> linear(3) |> f\n  z = x |> f\n//         ^ error[layer-reuse]: "expected":"[B, 3]","found":"[B, 784]"\n  y + z',
    ),
    'a model in a model': `${net}model Twice(x: [B, 784]) -> [B, 10] {\n  x |> linear(28) |> Net\n//                   ^^^ error[shape-mismatch]: "foundSize":"28"\n}\n`,
    'no result': 'model M(x: [B, 784]) -> [B, 10] {\n//    ^ error[model-without-result]\n  _y = x |> linear(10)\n}\n',
    'a layer as the result': body('  linear(10)\n//^^^^^^^^^^ error[type-mismatch]: a layer'),
  },
  'rigid dimensions': {
    'a variable is not a number':
      'model M(x: [B, D]) -> [B, D] {\n  x |> linear(64)\n//     ^^^^^^^^^^ error[shape-mismatch]: "expectedSize":"D"\n}\n',
    'sizes of variables': 'model M(x: [B, D]) -> [B, 4 * D] {\n  x |> linear(2 * D + 2 * D)\n}\n',
    'any leading dimensions':
      'model M(x: [..., D]) -> [..., D] {\n  x + (x |> linear(4 * D) |> gelu |> linear(D))\n}\n',
    'leading dimensions at a call':
      'model F(x: [..., D]) -> [..., 2 * D] {\n  x |> linear(2 * D)\n}\nmodel M(x: [B, T, 8]) -> [B, T, 16] {\n  x |> F\n}\n',
    'a requirement at a call with numbers':
      'model H(x: [B, D], heads: int) -> [B, D / heads] where D % heads == 0 {\n  x |> linear(D / heads)\n}\n' +
      'model M(x: [B, 130]) -> [B, 32] {\n  x |> H(heads: 4)\n//     ^ error[requirement-failed]: "remainder":"2"\n}\n',
    'a requirement that floats':
      'model H(x: [B, D], heads: int) -> [B, D / heads] where D % heads == 0 {\n  x |> linear(D / heads)\n}\n' +
      'model M(x: [B, D]) {\n  x |> H(heads: 4)\n}\nmodel N(x: [B, 130]) {\n  x |> M\n//     ^ error[requirement-failed]: "left":"130","right":"4"\n}\n',
    'equal sizes as a requirement':
      'model Add(x: [B, D], y: [B, E]) -> [B, D] {\n  x + y\n}\nmodel M(x: [B, 3], y: [B, 4]) -> [B, 3] {\n  Add(x, y)\n//^^^ error[requirement-failed]\n}\n',
    'equal sizes of what is concatenated':
      'model Join(x: [B, D, 2], y: [B, E, 3]) -> [B, D, 5] {\n  concat(x, y)\n}\nmodel M(x: [B, 3, 2], y: [B, 4, 3]) -> [B, 3, 5] {\n  Join(x, y)\n//^^^^ error[requirement-failed]\n}\n',
    'the caller has a variable of the same name':
      'model F(x: [T, B]) -> [B, T] {\n  x |> transpose\n}\nmodel M(x: [B, T]) -> [T, B] {\n  x |> F\n}\n',
  },
  names: {
    'an unknown value': body('  y = z\n//    ^ error[unknown-name]\n  y |> linear(10)'),
    'a misspelt function': body('  x |> rleu |> linear(10)\n//     ^^^^ error[unknown-name]: "candidates":["relu"'),
    'a misspelt binding silences what follows': body(
      '  layer = linear(10)\n  y = x |> lyer\n//         ^^^^ error[unknown-name]: "candidates":["layer"\n  y |> layer',
    ),
    'unknown data':
      'train t on Digitz {\n//         ^^^^^^ error[unknown-name]\n  minimize mean(image) using adam()\n  epochs 1\n}\ndata Digits = digits()\n',
    'two declarations of one name': `${net}${net.replace('Net', 'Net').replace('model Net(x: [B, 784]) -> [B, 10] {', 'model Net(x: [B, 784]) -> [B, 10] {\n//    ^^^ error[duplicate-name]')}`,
    'data as a value': `${data}${body('  Digits |> linear(10)\n//^^^^^^ error[not-a-value]')}`,
    'a call of a number': body('  n = 3\n  x |> n\n//     ^ error[not-callable]'),
    'an unused layer': body('  fc1 = linear(10)\n//^^^ warning[unused-binding]: "what":"layer"\n  x |> linear(10)'),
    'an unused parameter':
      'model M(x: [B, 4], y: [B, 4]) -> [B, 4] {\n//                 ^ warning[unused-binding]: "what":"parameter"\n  x\n}\n',
    'underscores are meant to be unused': body('  _a = linear(10)\n  x |> linear(10)'),
    'a model inside itself': 'model M(x: [B, 4]) -> [B, 4] {\n  x |> M\n//     ^ error[recursive-model]\n}\n',
  },
  arguments: {
    'a misspelt name': body(
      '  x |> linear(10, bais: false)\n//                ^^^^ error[unknown-argument]: "candidates":["bias"]',
    ),
    'a missing one': body('  x |> linear()\n//     ^^^^^^ error[missing-argument]: "parameter":"out"'),
    'one too many': body('  x |> relu(3)\n//          ^ error[too-many-arguments]'),
    'one twice': body('  x |> linear(10, out: 10)\n//                ^^^ error[duplicate-name]: "argument"'),
    'of another kind': body(
      '  x |> linear("10")\n//            ^^^^ error[type-mismatch]: "expected":"a whole number"',
    ),
    'not whole': body('  x |> linear(10.5)\n//            ^^^^ error[type-mismatch]: "found":"10.5"'),
    'out of range': body('  x |> dropout(1.5) |> linear(10)\n//     ^^^^^^^ error[value-out-of-range]'),
    'an axis out of range': body('  x |> sum(axis: 3)\n//     ^^^ error[value-out-of-range]'),
    'whole numbers are floats too': body('  x |> leaky_relu(slope: 1) |> linear(10)'),
    'pipe and call are the same': body('  relu(linear(x, 10))'),
    'a user parameter':
      'model M(x: [B, 4], width: int = 8) -> [B, width] {\n  x |> linear(width)\n}\nmodel N(x: [B, 4]) -> [B, 6] {\n  x |> M(width: 6)\n}\n',
  },
  statements: {
    'repeat keeps shapes': 'model M(x: [B, D], n: int) -> [B, D] {\n  repeat n { x = x |> linear(D) }\n  x\n}\n',
    'repeat that changes them':
      'model M(x: [B, D], n: int) -> [B, D] {\n  repeat n { x = x |> linear(2 * D) }\n//       ^ error[shape-mismatch]: "subject":"x"\n  x |> linear(D)\n}\n',
    'repeat a known number of times':
      'model M(x: [B, 64]) -> [B, 8] {\n  repeat 3 { x = x[:, 0:8] |> linear(8) }\n  x\n}\n',
    'if with a known condition': 'model M(x: [B, 4]) -> [B, 4] {\n  if 1 > 2 { x = x |> linear(9) }\n  x\n}\n',
    'branches that disagree':
      'model M(x: [B, 4], deep: bool) -> [B, 4] {\n  if deep { x = x |> linear(9) }\n//   ^^^^ error[shape-mismatch]: "[B, 9]"\n  x |> linear(4)\n}\n',
    'several results':
      'model Enc(x: [B, 8]) -> ([B, 2], [B, 3]) {\n  (x |> linear(2), x |> linear(3))\n}\nmodel M(x: [B, 8]) -> [B, 3] {\n  _mu, s = Enc(x)\n  s\n}\n',
    'too few results':
      'model M(x: [B, 8]) -> [B, 8] {\n  a, b = x |> relu\n//       ^^^^^^^^^ error[type-mismatch]\n  a + b\n}\n',
    slices: 'model M(x: [B, T, D]) -> [B, D] {\n  x[:, 0]\n}\n',
    'negative slices': 'model M(x: [B, 5, D]) -> [B, 2, D] {\n  x[:, -3:-1]\n}\n',
    'a slice out of range': 'model M(x: [B, 5]) -> [B] {\n  x[:, 5]\n//     ^ error[value-out-of-range]\n}\n',
    scan: 'model R(x: [B, T, 3]) -> [B, T, 8] {\n  scan t in x from h = (x[:, 0] |> linear(8)) {\n    h = tanh((t |> linear(8)) + (h |> linear(8)))\n    h\n  }\n}\n',
    'a constant': 'const width = 4 * 8\nmodel M(x: [B, width]) -> [B, 32] {\n  x |> relu\n}\n',
  },
  data: {
    'a missing file':
      'data D = idx(images: "missing.gz", labels: "l.gz") {\n//                   ^^^^^^^^^^^^ error[data-missing]\n  image = image |> flatten\n}\ntrain t on D {\n  minimize mean(image |> linear(1)) using adam()\n  epochs 1\n}\n',
    'an unknown source': 'data D = digitz()\n//       ^^^^^^ error[unknown-name]: "digits"\n',
    'an unknown field':
      'data D = digits() {\n  image = imag |> flatten\n//        ^^^^ error[unknown-name]: "image"\n}\n',
    'a random transform among the fixed':
      'data D = digits() {\n  image = image |> shift(2)\n//                 ^^^^^ error[misplaced-transform]\n}\n',
    'augment keeps the shape':
      'data D = digits() {\n  augment { image = image |> flatten }\n//                  ^^^^^^^^^^^^^^^^ error[shape-mismatch]\n}\n',
    'a batch larger than the data':
      'data D = digits(samples: 100) {\n  split validation: 0.5\n  batch 64\n//      ^^ error[batch-too-large]: "samples":50\n}\n',
    'a split beyond the data':
      'data D = digits(samples: 100) {\n  split validation: 1.5\n//                  ^^^ error[split-out-of-range]\n}\n',
    'an empty split':
      'data D = digits(samples: 100) {\n  split validation: 0.001\n//                  ^^^^^ error[split-out-of-range]\n}\n',
    'splits that leave nothing':
      'data D = digits() {\n  split validation: 0.5, test: 0.5\n//                             ^^^ error[split-out-of-range]\n}\n',
    'an unknown setting': 'data D = digits() {\n  bacth 64\n//^^^^^ error[unknown-name]: "batch"\n}\n',
    'a setting twice': 'data D = digits() {\n  batch 64\n  batch 32\n//^^^^^ error[duplicate-name]\n}\n',
    'a batch that is no number': 'data D = digits() {\n  batch 0\n//      ^ error[value-out-of-range]\n}\n',
    'a schema that is not read yet is silent':
      'data D = csv("x.csv") {\n  y = z |> scale(2)\n}\ntrain t on D {\n  minimize mse(y, z) using adam()\n  epochs 1\n}\n',
  },
  training: {
    'a right block': train(minimize),
    'labels of other classes': train(minimize)
      .replaceAll('10', '12')
      .replace('(logits, label)', '(logits, label)')
      .replace(
        minimize,
        `${minimize}\n//                               ^^^^^ error[class-mismatch]: "classes":"10","logits":"12"`,
      ),
    'softmax twice': train(minimize)
      .replace('net(image)', 'net(image) |> softmax')
      .replace(minimize, `${minimize}\n//                       ^^^^^^ warning[softmax-before-cross-entropy]`),
    'softmax inside the model': train(minimize)
      .replace('|> linear(10)', '|> linear(10) |> softmax')
      .replace(minimize, `${minimize}\n//                       ^^^^^^ warning[softmax-before-cross-entropy]`),
    'no loss': train('  report accuracy(logits, label)')
      .replace('train t', 'train t')
      .replace('{\n  net =', '{\n//    ^ error[missing-statement]: minimize\n  net ='),
    'no length': train(minimize, '').replace('{\n  net =', '{\n//    ^ error[missing-statement]: epochs\n  net ='),
    'no optimiser': train('  minimize cross_entropy(logits, label)\n//^^^^^^^^ error[missing-statement]: using'),
    'a loss that is no number': train(
      '  minimize logits using adam()\n//         ^^^^^^ error[type-mismatch]: "found":"a tensor [B, 10]"',
    ),
    'a misspelt optimiser': train(
      '  minimize cross_entropy(logits, label) using adamm()\n//                                            ^^^^^ error[unknown-name]: "adam',
    ),
    'a misspelt schedule': train(
      '  minimize cross_entropy(logits, label) using adam(lr: cosin(0.1))\n//                                                     ^^^^^ error[unknown-name]: "cosine"',
    ),
    'an unknown metric': train(
      `${minimize}\n  report acuracy(logits, label)\n//       ^^^^^^^ error[unknown-name]: "accuracy"`,
    ),
    'a monitor that is not reported': train(
      `${minimize}\n  stop early(monitor: validation.acuracy)\n//                    ^^^^^^^^^^^^^^^^^^ error[unknown-name]`,
    ),
    'a monitor without a validation split': train(
      `${minimize}\n  stop early(patience: 3)\n//     ^^^^^^^^^^^^^^^^^^ error[missing-statement]: "split validation"`,
    ),
    'a difference that stretches': train(
      `  gap = sum(logits, axis: 1) - sum(logits, axis: 1, keep: true)\n//                           ^ warning[broadcast-target]: "prediction":"[B]","target":"[B, 1]"\n  minimize mean(gap) using adam()`,
    ),
    'epochs and steps': train(`${minimize}\n  steps 5\n//^^^^^ error[duplicate-name]`, '').replace(
      '  steps',
      '  epochs 2\n  steps',
    ),
    'an unknown device': train(`${minimize}\n  device gpu\n//       ^^^ error[unknown-name]: "webgpu"`),
    'one model anonymously twice': train(
      `  other = image |> Net\n  third = image |> Net\n//                 ^^^ warning[unshared-weights]\n${minimize.replace('logits,', 'logits + other + third,')}`,
    ),
    'an unknown precision': train(`${minimize}\n  precision fp16\n//          ^^^^ error[unknown-name]: "mixed"`),
    'settings of updates': train(
      `${minimize}\n  accumulate 0\n//           ^ error[value-out-of-range]\n  average 1\n//        ^ error[value-out-of-range]\n  clip size: 1\n//     ^^^^ error[unknown-argument]: norm\n  checkpoint every: 0.5\n//                  ^^^ error[value-out-of-range]`,
    ),
    'objectives over parts': train(`${minimize.replace(' using', ' over net using')}`),
    'targets that would broadcast':
      `${data}train t on Digits {\n  minimize mse(image |> linear(1), label)\n//                                 ^^^^^ error[type-mismatch]\n    using adam()\n  epochs 1\n}\n`
        .replace('\n    using adam()', ' using adam()')
        .replace(
          'label)\n//                                 ^^^^^ error[type-mismatch] using adam()',
          'label) using adam()\n//                                 ^^^^^ error[type-mismatch]',
        ),
  },
  syntax: {
    'an unclosed bracket': body(
      '  a = linear(128\n//              ^ error[syntax-error]: ", or )"\n  x |> a |> linear(10)',
    ),
    'a missing stage': body('  y = x |>\n//        ^ error[syntax-error]\n  x |> linear(10)'),
    'a missing =': body('  fc linear(10)\n//   ^^^^^^ error[syntax-error]: "="\n  x |> fc'),
    'two words': body('  x relu\n//  ^^^^ error[syntax-error]'),
    'a misspelt keyword': ' modle M(x: [B, 4]) -> [B, 4] {\n//^^^^ error[syntax-error]: "model"\n  x\n}\n'.replace(
      ' modle',
      '  modl',
    ),
  },
};

for (const [group, programs] of Object.entries(cases)) {
  describe(group, () => {
    it.each(Object.entries(programs))('%s', (_, marked) => {
      expectMarked(marked);
    });
  });
}

describe('headers', () => {
  it.each<[string, string]>([
    [
      'a parameter twice',
      'model M(x: [B, 4], x: [B, 4]) -> [B, 4] {\n//                 ^ error[duplicate-name]: "parameter"\n  x\n}\n',
    ],
    [
      'a default of another kind',
      'model M(x: [B, 4], n: int = "4") -> [B, 4] {\n//                          ^^^ error[type-mismatch]\n  x |> linear(4 * n / n)\n}\n',
    ],
    [
      'a default that speaks of an earlier parameter',
      'model M(x: [B, 4], n: int = 4, m: int = 2 * n) -> [B, m] {\n  x |> linear(n) |> linear(m)\n}\nmodel N(x: [B, 4]) -> [B, 6] {\n  x |> M(n: 3)\n}\n',
    ],
    ['an unknown type', 'model M(x: tensor[B, 4]) -> [B, 4] {\n//         ^^^^^^ error[unknown-name]\n  x\n}\n'],
    [
      'an annotation',
      'const width = 5\nmodel M(x: [B, 4]) -> [B, 4] {\n  y: [B, width] = x |> linear(6)\n//                ^^^^^^^^^^^^^^ error[shape-mismatch]: "expected":"[B, 5]"\n  y |> linear(4)\n}\n',
    ],
  ])('%s', (_, marked) => {
    expectMarked(marked);
  });
});

describe('programs that would never end', () => {
  const codes = (text: string) => fixture(text).analysis.facts.map(f => f.code);
  it('a size that explodes', () => {
    const sum = '(A + C + D + E + F + G + H)';
    const text = `model M(x: [A, C, D, E, F, G, H]) {\n  n = ${Array(12).fill(sum).join(' * ')}\n  x |> linear(n)\n}\n`;
    expect(codes(text)).toEqual(['limit-exceeded']);
  });
  it('loops in loops', () => {
    const loops = `${'repeat 100 { '.repeat(8)}x = concat(x, x) ${'}'.repeat(8)}`;
    expect(codes(`model M(x: [B, 4]) {\n  ${loops}\n  x\n}\n`)).toContain('limit-exceeded');
  });
  it('models that double', () => {
    const models = Array.from(
      { length: 30 },
      (_, i) => `model M${i + 1}(x: [B, 4]) -> [B, 4] {\n  x |> M${i} |> M${i}\n}\n`,
    );
    const text = `model M0(x: [B, 4]) -> [B, 4] {\n  x |> linear(4)\n}\n${models.join('')}`;
    expect(fixture(text).analysis.parameterCount('M30')).toBeUndefined();
  });
});

describe('fixes', () => {
  it('put the right number in place of a wrong literal', () => {
    const [fact] = fixture(body('  fc = linear(12)\n  x |> fc')).analysis.facts;
    expect(fact?.fix?.map(f => f.text)).toEqual(['10']);
    expect(fact?.related.map(r => r.role)).toEqual(['declaration', 'size']);
  });

  it('are not offered where the size comes from elsewhere', () => {
    const [fact] = fixture('model M(x: [B, D]) -> [B, 10] {\n  x\n}\n').analysis.facts;
    expect(fact?.code).toBe('shape-mismatch');
    expect(fact?.fix).toBeUndefined();
  });
});

describe('shapes', () => {
  it('stand behind every binding and stage', () => {
    const { analysis } = fixture(train(minimize));
    expect(Object.fromEntries(shapesByLine(analysis))).toEqual({
      'x |> linear(128) |> relu |> linear(10)': '[B, 128] [B, 128] [B, 10]',
      'image = image |> flatten': '[784]',
      'net = Net()': '[B, 784] -> [B, 10]',
      'logits = net(image)': '[B, 10]',
    });
  });
});

describe('imports', () => {
  const files = { 'file:///project/lib/net.strata': `${net}const width = 3\n` };
  it('bring models and constants', () => {
    expectMarked(
      'import Net, width from "lib/net.strata"\nmodel M(x: [B, 784]) -> [B, 13] {\n  x |> Net |> linear(10 + width)\n}\n',
      files,
    );
  });
  it('name what is not there', () => {
    expectMarked(
      'import Nett from "lib/net.strata"\n//     ^^^^ error[unknown-name]: "Net"\n'.replace(
        '//     ^^^^',
        '//     ^^^^',
      ),
      files,
    );
    expectMarked(
      'import Net from "lib/no.strata"\n//              ^^^^^^^^^^^^^^^ error[invalid-import]: "missing"\n',
      files,
    );
  });
  it('may not go in circles', () => {
    const circle = { 'file:///project/a.strata': 'import Main from "main.strata"\n' };
    expectMarked('import Other from "a.strata"\n//                ^^^^^^^^^^ error[invalid-import]: "cycle"\n', circle);
  });
});
