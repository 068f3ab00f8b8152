/** What the editor asks of an analysis: names, hover, completion, signatures, outline, and the reuse of what has not changed. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { analyze } from '../../../server/lang/analyze.ts';
import type { LangHost, SchemaResult } from '../../../server/lang/api.ts';
import { fixture, testHost, testUri } from '../../support/fixture.ts';

const first = readFileSync(new URL('../../../examples/first.strata', import.meta.url), 'utf8');
const at = (place: string, text = first) => fixture(text.replace(place.replace('$0', ''), place));

describe('symbols', () => {
  it.each([
    ['x |> fc1 |> re$0lu', 'library', undefined],
    ['x |> f$0c1', 'binding', 'fc1'],
    ['net    = Simple$0Net()', 'model', 'SimpleNet'],
    ['train digits on Dig$0its', 'data', 'Digits'],
    ['logits = net(im$0age)', 'field', 'image'],
    ['x$0 |> fc1', 'parameter', 'x'],
  ])('%s is a %s', (place, kind, definition) => {
    const { analysis, cursor, text } = at(place);
    const symbol = analysis.symbol(cursor);
    expect(symbol?.kind).toBe(kind);
    expect(symbol?.definition && text.slice(symbol.definition.start, symbol.definition.end)).toBe(definition);
  });

  it('have their uses, the definition first', () => {
    const { analysis, cursor, text } = at('net    = Simple$0Net()');
    const spans = analysis.references(analysis.symbol(cursor)!);
    expect(spans.map(s => text.slice(s.start, s.end))).toEqual(['SimpleNet', 'SimpleNet']);
    expect(spans[0]!.start).toBeLessThan(spans[1]!.start);
  });

  it('of dimensions are those of the header', () => {
    const { analysis, cursor } = fixture('model M(x: [B, $0D]) -> [B, 2 * D] {\n  x |> linear(2 * D)\n}\n');
    expect(analysis.references(analysis.symbol(cursor)!)).toHaveLength(3);
  });

  it('in imported files are found there', () => {
    const files = { 'file:///project/lib.strata': '// one line\nmodel Net(x: [B, 4]) -> [B, 4] {\n  x\n}\n' };
    const { analysis, cursor } = fixture(
      'import Net from "lib.strata"\nmodel M(x: [B, 4]) -> [B, 4] {\n  x |> N$0et\n}\n',
      files,
    );
    expect(analysis.symbol(cursor)?.definition).toEqual({ uri: 'file:///project/lib.strata', start: 18, end: 21 });
  });
});

describe('hover', () => {
  it.each([
    ['x |> f$0c1', 'fc1 = linear  [B, 784] -> [B, 128]'],
    ['x$0 |> fc1', 'x: [B, 784]'],
    ['log$0its = net', 'logits: [B, 10]'],
    ['net    = Simple$0Net()', 'model SimpleNet(x: [B, 784]) -> [B, 10]'],
    ['fc1 = lin$0ear(128)', 'linear(x: [..., in], out: int, bias: bool = true) -> [..., out]'],
    ['epo$0chs', 'epochs 10'],
  ])('on %s', (place, code) => {
    const { analysis, cursor } = at(place);
    expect(analysis.hover(cursor)?.code).toBe(code);
  });

  it.each([
    ['rearrange("b$0 t (h d) -> b h t d", h: n)', 'b: B'],
    ['rearrange("b t (h d) -> b$0 h t d", h: n)', 'b: B'],
    ['rearrange("b t (h d$0) -> b h t d", h: n)', 'd: D / n'],
    ['rearrange("... (h d) -> h ..$0. d", h: 2)', '...: [B, T]'],
    ['einsum("b t d, b s d -> b t s$0", x, y)', 's: 5'],
    ['rearrange("b t (h x) ->$0 b h t d", h: n)', '"b t (h x) -> b h t d"'],
  ])('in %s', (stage, code) => {
    const { analysis, cursor } = fixture(
      `model H(x: [B, T, D], y: [B, 5, D], n: int) {\n  _y = y\n  ${stage.startsWith('e') ? '' : 'x |> '}${stage}\n}\n`,
    );
    expect(analysis.hover(cursor)?.code).toBe(code);
  });

  it('shows doc comments and requirements', () => {
    const text =
      '/// Splits.\nmodel H(x: [B, D], n: int) -> [B, D / n] where D % n == 0 {\n  x |> linear(D / n)\n}\nmodel M(x: [B, E]) {\n  x |> H(4)\n}\nmodel N(x: [B, 8]) {\n  x |> $0M\n}\n';
    const { analysis, cursor } = fixture(text);
    expect(analysis.hover(cursor)?.notes).toEqual(['requires E % 4 == 0']);
    expect(analysis.hover(text.indexOf('H(4)'))?.doc).toBe('Splits.');
  });
});

describe('completion', () => {
  it('offers what keeps the shape where a layer is wanted', () => {
    const { analysis, cursor } = fixture(
      'model Block(x: [B, D], act: layer = relu) -> [B, D] {\n  x |> act\n}\nmodel N(x: [B, 4]) -> [B, 4] {\n  x |> Block(act: $0)\n}\n',
    );
    const first = analysis.completion(cursor).items.filter(i => i.rank === 0);
    const found = first.map(i => i.snippet);
    expect(found).toEqual(expect.arrayContaining(['relu', 'gelu', 'layer_norm', 'Block']));
    expect(found).not.toContain('linear');
  });
  const names = (place: string) => {
    const { analysis, cursor } = at(place);
    return analysis.completion(cursor);
  };
  it('after |> offers what takes what flows', () => {
    const info = names('x |> fc1 |> $0relu |> fc2');
    expect(info.flowing).toBe('[B, 128]');
    expect(info.items.slice(0, 3).map(i => i.name)).toEqual(expect.arrayContaining(['fc2', 'relu']));
  });
  it.each([
    ['using a$0dam(', ['adam', 'sgd'], ['relu', 'linear']],
    ['image = image |> $0flatten', ['flatten', 'scale'], ['linear', 'adam']],
    ['stop     $0early', ['early'], ['relu']],
    ['report   $0accuracy', ['accuracy', 'logits'], ['adam']],
    ['data Digits = $0digits()', ['digits', 'idx', 'csv'], ['relu']],
    ['train digits on $0Digits', ['Digits'], ['SimpleNet', 'relu']],
    ['lr: $0step_decay', ['step_decay', 'cosine'], ['adam']],
    ['linear(128$0)', ['bias', 'out'], []],
    ['logits = net($0image)', ['image', 'label', 'net'], []],
  ])('at %s', (place, has, hasNot) => {
    const found = new Set(names(place).items.map(i => i.name));
    expect(has.filter(n => !found.has(n))).toEqual([]);
    expect(hasNot.filter(n => found.has(n))).toEqual([]);
  });
  it('is quiet in comments and strings', () => {
    expect(names('// Press Tr$0ain above').items).toEqual([]);
  });
  it('works in a line that is not finished', () => {
    const { analysis, cursor } = fixture('model M(x: [B, 4]) -> [B, 4] {\n  y = x |> $0\n  y\n}\n');
    expect(analysis.completion(cursor).flowing).toBe('[B, 4]');
  });
});

describe('signature help', () => {
  it.each([
    ['fc1 = linear($0128)', 'out'],
    ['cross_entropy($0logits, label)', 'logits'],
    ['cross_entropy(logits, $0label)', 'target'],
    ['step_decay(0.001, every: $05', 'every'],
    ['early(patience: 5, monitor: $0', 'monitor'],
  ])('at %s', (place, parameter) => {
    const { analysis, cursor } = at(place);
    const info = analysis.signature(cursor)!;
    expect(info.parameters[info.active ?? -1]?.name).toBe(parameter);
    const { span } = info.parameters[info.active ?? -1]!;
    expect(info.label.slice(span.start, span.end)).toMatch(new RegExp(`^${parameter}\\b`));
  });
});

describe('outline', () => {
  const { analysis } = fixture(first);
  it('has declarations with their parts', () => {
    expect(analysis.declarations.map(d => [d.kind, d.name, d.children.map(c => c.name).join(' ')])).toEqual([
      ['model', 'SimpleNet', 'x fc1 fc2'],
      ['data', 'Digits', 'image split batch'],
      ['train', 'digits', 'net logits minimize report stop epochs seed'],
    ]);
    expect(analysis.declarations[0]?.doc).toBe('Two linear layers, 784 -> 128 -> 10.');
  });
  it('has blocks for lenses', () => {
    expect(analysis.trains.map(t => [t.name, t.data, t.errors])).toEqual([['digits', 'Digits', 0]]);
    expect(analysis.data[0]?.fields).toEqual([
      { name: 'image', type: '[784]' },
      { name: 'label', type: 'index(10)[]' },
    ]);
    expect(analysis.parameterCount('SimpleNet')).toBe(101_770);
    expect(analysis.folds.length).toBe(4);
  });
  it('says what stands in the way of training', () => {
    const broken = fixture(first.replace('linear(10)', 'linear(12)')).analysis;
    expect(broken.trains[0]?.errors).toBe(1);
    expect(broken.trains[0]?.firstError?.code).toBe('shape-mismatch');
  });
});

describe('weights', () => {
  it.each([
    ['model M(x: [B, T, D]) -> [B, T, 8] {\n  x |> linear(8)\n}\n', undefined],
    [
      'model M(tokens: index(10)[B, T], dim: int = 4) -> [B, T, 10] {\n  embedding(tokens, dim) |> linear(10)\n}\n',
      10 * 4 + 50,
    ],
    ['model M(x: [B, 4]) -> [B, 5] {\n  x\n}\n', undefined],
  ])('are counted where the sizes are known', (text, count) => {
    expect(fixture(text).analysis.parameterCount('M')).toBe(count);
  });
});

describe('a new analysis', () => {
  it('sees a data file that has come', () => {
    let result: SchemaResult = { kind: 'problem', code: 'data-missing', message: 'no file at a.gz' };
    const host: LangHost = { ...testHost(), readSchema: () => result };
    const text = 'data D = idx(images: "a.gz", labels: "b.gz")\n';
    const before = analyze(testUri, text, host);
    expect(before.facts.map(f => f.code)).toEqual(['data-missing']);
    result = { kind: 'schema', columns: [] };
    expect(analyze(testUri, text, host, before).facts).toEqual([]);
  });

  it('sees an imported file that has come', () => {
    const text = 'import Net from "lib.strata"\n';
    const before = analyze(testUri, text, testHost());
    expect(before.imports).toEqual(['file:///project/lib.strata']);
    const host = testHost({ 'file:///project/lib.strata': 'model Net(x: [B, 4]) -> [B, 4] {\n  x\n}\n' });
    expect(before.facts).toHaveLength(1);
    expect(analyze(testUri, text, host, before).facts).toEqual([]);
  });

  it('checks callers again when a signature changes', () => {
    const before = analyze(testUri, first, testHost());
    const after = analyze(testUri, first.replace('[B, 784]) -> [B, 10]', '[B, 780]) -> [B, 10]'), testHost(), before);
    expect(after.facts.map(f => f.code)).toEqual(['shape-mismatch']);
  });

  it('leaves the one before as it was', () => {
    const before = analyze(testUri, first, testHost());
    const inlays = before.inlays();
    analyze(testUri, `const a = 1\n${first}`, testHost(), before);
    expect(before.inlays()).toEqual(inlays);
  });
});
