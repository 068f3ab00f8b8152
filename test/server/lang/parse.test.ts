/** The parser: what the grammar has, and how it gets on after an error. */
import { describe, expect, it } from 'vitest';
import type { AnyNode, Expression, Statement } from '../../../server/lang/syntax/ast.ts';
import { childrenOf } from '../../../server/lang/syntax/ast.ts';
import { lex } from '../../../server/lang/syntax/lexer.ts';
import { maxBytes, parse, parseChunk, parseSignature } from '../../../server/lang/syntax/parse.ts';

/** An expression as text with all its brackets. */
function show(e: Expression): string {
  switch (e.kind) {
    case 'name':
      return e.name;
    case 'number':
    case 'bool':
      return String(e.value);
    case 'string':
      return JSON.stringify(e.value);
    case 'missing':
      return '?';
    case 'binary':
      return `(${show(e.left)} ${e.op} ${show(e.right)})`;
    case 'unary':
      return `(${e.op}${show(e.operand)})`;
    case 'pipe':
      return `(${show(e.left)} |> ${show(e.stage)})`;
    case 'call':
      return `${show(e.callee)}(${e.args.map(a => (a.name ? `${a.name.name}: ` : '') + show(a.value)).join(', ')})`;
    case 'list':
      return `[${e.items.map(show).join(', ')}]`;
    case 'tuple':
      return `<${e.items.map(show).join(', ')}>`;
    case 'member':
      return `${show(e.object)}.${e.member.name}`;
    case 'index': {
      const items = e.items.map(i =>
        i.mode === 'ellipsis'
          ? '...'
          : `${i.from ? show(i.from) : ''}${i.mode === 'range' ? ':' : ''}${i.to ? show(i.to) : ''}${i.step ? `:${show(i.step)}` : ''}`,
      );
      return `${show(e.object)}[${items.join(', ')}]`;
    }
    case 'scan':
      return `scan ${e.variable.name} in ${show(e.over)} from ${e.states.map(s => `${s.name.name} = ${show(s.initial)}`).join(', ')}`;
  }
}

function showStatement(s: Statement): string {
  if (s.kind === 'bind') return `${s.targets.map(t => t.name).join(', ')} = ${show(s.value)}`;
  if (s.kind === 'result') return show(s.value);
  if (s.kind === 'repeat') return `repeat ${show(s.count)} {${s.body.statements.map(showStatement).join('; ')}}`;
  if (s.kind === 'if')
    return `if ${show(s.condition)} {${s.then.statements.map(showStatement).join('; ')}}${s.otherwise ? ' else' : ''}`;
  if (s.kind === 'broken') return 'broken';
  const clauses = [
    s.over && `over ${s.over.map(show).join(', ')}`,
    s.using && `using ${show(s.using)}`,
    s.from && `from ${show(s.from)}`,
  ];
  const args = s.args.map(a => (a.name ? `${a.name.name}: ` : '') + show(a.value)).join(', ');
  return [s.keyword.name, args, ...clauses].filter(Boolean).join(' ');
}

function statements(body: string, header = 'model M(x: [B, 4])') {
  const { declarations, problems } = parseChunk(`${header} {\n${body}\n}\n`);
  const [node] = declarations;
  const found = node && node.kind !== 'import' && node.kind !== 'const' ? (node.body?.statements ?? []) : [];
  return { shown: found.map(showStatement), problems: problems.map(p => p.expected) };
}

describe('expressions', () => {
  it.each([
    ['a + b * c - d', '((a + (b * c)) - d)'],
    ['-a ** 2', '(-(a ** 2))'],
    ['a |> f + g |> h', '((a |> (f + g)) |> h)'],
    ['f(x, 3, rate: 0.1)', 'f(x, 3, rate: 0.1)'],
    ['(a, b)', '<a, b>'],
    ['(a)', 'a'],
    ['x[:, 0]', 'x[:, 0]'],
    ['x[..., -1, 1:n]', 'x[..., (-1), 1:n]'],
    ['x[::2, 1:8:n, :-1:k + 1]', 'x[::2, 1:8:n, :(-1):(k + 1)]'],
    ['net(x)[:, 0] |> linear(2)', '(net(x)[:, 0] |> linear(2))'],
    ['a.b.c', 'a.b.c'],
    ['a == b && !c', '((a == b) && (!c))'],
    ['normal([B, 64]) |> g', '(normal([B, 64]) |> g)'],
    ['1_000 + 2e-4', '(1000 + 0.0002)'],
    ['x |> f\n    |> g', '((x |> f) |> g)'],
    ['f(\n    x,\n    3\n  )', 'f(x, 3)'],
    ['"a\\"b"', '"a\\"b"'],
  ])('%s', (text, expected) => {
    expect(statements(text)).toEqual({ shown: [expected], problems: [] });
  });
});

describe('statements', () => {
  it.each([
    ['y = x', 'model M()', 'y = x'],
    ['mu, s = enc(x)', 'model M()', 'mu, s = enc(x)'],
    ['repeat depth { x = x |> f }', 'model M()', 'repeat depth {x = (x |> f)}'],
    ['if a { b } else if c { d }', 'model M()', 'if a {b} else'],
    ['h = scan t in x from h = z, c = z { h }', 'model M()', 'h = scan t in x from h = z, c = z'],
    ['split validation: 0.1, test: 0.2', 'data D = d()', 'split validation: 0.1, test: 0.2'],
    ['test idx(a: "b")', 'data D = d()', 'test idx(a: "b")'],
    [
      'minimize bce(a, 1) + b over d, g using adam(lr: 1)',
      'train t on D',
      'minimize (bce(a, 1) + b) over d, g using adam(lr: 1)',
    ],
    ['init net from "pretrain"', 'train t on D', 'init net from "pretrain"'],
    ['report accuracy(a, b), top_k(a, b)', 'train t on D', 'report accuracy(a, b), top_k(a, b)'],
    ['sweep lr: [0.1, 0.2]', 'train t on D', 'sweep lr: [0.1, 0.2]'],
    ['epochs = 3', 'train t on D', 'epochs = 3'],
    ['clip -1', 'train t on D', 'clip (-1)'],
  ])('%s', (text, header, expected) => {
    expect(statements(text, header)).toEqual({ shown: [expected], problems: [] });
  });
});

describe('declarations', () => {
  it('are all there are', () => {
    const text = [
      'import A, B from "lib.strata"',
      'const width = 3 * 4',
      '/// Says what it is.\nmodel M(x: [..., D], y?: index(V)[B], n: int = 2) -> ([B], int[D]) where D % n == 0, n > 1 { x }',
      'data D = digits()',
      'train t on D { epochs 1 }',
    ].join('\n');
    const { chunks } = parse(text);
    expect(chunks.flatMap(c => c.chunk.problems)).toEqual([]);
    expect(chunks.flatMap(c => c.chunk.declarations.map(d => `${d.kind} ${d.name.name} ${d.doc}`.trim()))).toEqual([
      'import A',
      'const width',
      'model M Says what it is.',
      'data D',
      'train t',
    ]);
  });

  it('begin in the first column, whatever is open above', () => {
    const { chunks } = parse('model A(x: [B {\n  y = f((\nmodel B(x: [B, 4]) -> [B, 4] {\n  x\n}\n');
    expect(chunks[1]?.chunk.problems).toEqual([]);
  });

  it('end, also where the first line is empty and the next one a comment', () => {
    const { chunks } = parse('\n// note\nconst a = 1\n');
    expect(chunks.flatMap(c => c.chunk.declarations.map(d => d.name.name))).toEqual(['a']);
  });

  it('end, also where a word that begins no expression stands for an argument', () => {
    const { chunks } = parse('data D = digits() {\n  (where : 0.1, test: 0.1\n  batch 64\n}\n');
    expect(chunks.flatMap(c => c.chunk.problems).length).toBeGreaterThan(0);
  });

  it('are shared with the tree before where their text is the same', () => {
    const [a, b] = ['const a = 1\n', 'const b = 2\n'];
    const before = parse(a + b);
    const after = parse(`const c = 3\n${a}${b}`, before);
    expect(after.chunks.slice(1).map(c => c.chunk)).toEqual(before.chunks.map(c => c.chunk));
    expect(after.chunks[1]?.chunk).toBe(before.chunks[0]?.chunk);
  });
});

describe('recovery', () => {
  it.each<[string, string, readonly string[], readonly string[]]>([
    ['an unclosed call', 'a = f(1\n  b = 2', ['a = f(1)', 'b = 2'], [', or )']],
    ['an unclosed call before the result', 'a = f(1\n  x |> a', ['a = f(1)', '(x |> a)'], [', or )']],
    ['a comma too many at the end', 'a = f(1,\n  b = 2', ['a = f(1)', 'b = 2'], [')']],
    ['an argument that is damaged', 'a = f(1 2, 3)', ['a = f(1, 3)'], [', or )']],
    ['no operand', 'a = 1 +\n  b = 2', ['a = (1 + ?)', 'b = 2'], ['an expression']],
    ['no stage', 'x |>\n  b = 2', ['(x |> ?)', 'b = 2'], ['a layer or function']],
    ['no =', 'a linear(3)\n  b = 2', ['a = linear(3)', 'b = 2'], ['=']],
    ['a stray bracket', 'a = 1)\n  b = 2', ['a = 1', 'b = 2'], ['a new line']],
    ['a stray brace', 'a = 1 }\n  b = 2', ['a = 1', 'b = 2'], ['a statement']],
    ['an unclosed block', '  repeat 2 {\n    a = 1\n  b = 2', ['repeat 2 {a = 1}', 'b = 2'], ['}']],
    ['an unclosed string', 'a = f("x)\n  b = 2', ['a = f("x)")', 'b = 2'], ['a closing "']],
    ['what is no statement', '= 3\n  b = 2', ['broken', 'b = 2'], ['an expression']],
  ])('%s', (_, text, shown, problems) => {
    expect(statements(text)).toEqual({ shown, problems });
  });

  it.each([
    ['modle M(x: [B]) { x }', 'model', 'M'],
    ['M(x: [B]) { x }', 'model', 'M'],
    ['dat D = digits()', 'data', 'D'],
    ['trian t on D { epochs 1 }', 'train', 't'],
    ['cnst a = 3', 'const', 'a'],
  ])('takes %s for a %s', (text, kind, name) => {
    const { declarations, problems } = parseChunk(text);
    expect(declarations.map(d => [d.kind, d.name.name])).toEqual([[kind, name]]);
    expect(problems).toHaveLength(1);
  });
});

describe('limits', () => {
  it('of nesting are an error, not a stack overflow', () => {
    const { chunks } = parse(`const a = ${'('.repeat(50_000)}`);
    expect(chunks[0]?.chunk.limit).toEqual({ what: 'nesting', limit: 100 });
  });

  it('of bytes', () => {
    expect(parse('x'.repeat(maxBytes + 1)).limit?.what).toBe('bytes');
  });

  it('do not make long files slow', () => {
    const { chunks } = parse(`const a = [${'1, '.repeat(20_000)}]`);
    expect(chunks[0]?.chunk.problems).toEqual([]);
  });
});

describe('the tree', () => {
  const text =
    'model M(x: [B, 4], n: int = 2) -> [B, 4] where n > 1 {\n  y = f(x, a: 1)[:, 0]\n  if n > 2 { y } else { (x, -x) }\n}\n';
  it('holds every character in its tokens', () => {
    expect(
      lex(text)
        .map(t => t.text)
        .join(''),
    ).toBe(text);
    expect(parseChunk(text).tokens).toBe(lex(text).length);
  });
  it('nests: children lie within their parent, in order', () => {
    const visit = (node: AnyNode): void => {
      let from = node.start;
      for (const child of childrenOf(node)) {
        expect(child.start).toBeGreaterThanOrEqual(from);
        expect(child.end).toBeLessThanOrEqual(node.end);
        from = child.end;
        visit(child);
      }
    };
    parseChunk(text).declarations.forEach(visit);
  });
});

describe('tokens', () => {
  it.each([
    ['1..2', ['1', '.', '.', '2'].slice(0, 1)],
    ['a|>b', ['a', '|>', 'b']],
    ['[...,D]', ['[', '...', ',', 'D', ']']],
    ['2e-4', ['2e-4']],
    ['x.y', ['x', '.', 'y']],
    ['/// doc', ['/// doc']],
  ])('%s', (text, expected) => {
    expect(
      lex(text)
        .map(t => t.text)
        .slice(0, expected.length),
    ).toEqual(expected);
  });
});

describe('signatures of the library', () => {
  it('that are malformed are our mistake', () => {
    expect(() => parseSignature('f(x: [')).toThrow('internal error');
  });
});
