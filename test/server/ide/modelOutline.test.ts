/** The tree of layers: shapes, weights and operations, and where each stands. */
import { describe, expect, it } from 'vitest';
import { type LayerNode, modelOutline, printOutline } from '../../../server/ide/modelOutline.ts';
import { body, digits, fixture, program } from './fixture.ts';

const outlineOf = (text: string) => modelOutline(fixture(text).analysis, 'first')!;
const flat = (layers: readonly LayerNode[]): readonly LayerNode[] => layers.flatMap(l => [l, ...flat(l.children)]);
const find = (text: string, path: string) => flat(outlineOf(text).layers).find(l => l.path === path);

describe('the layers of a train block', () => {
  it('have shapes, weights and operations', () => {
    const text = program().replace(
      /model[^}]*\}/,
      body('  fc1 = linear(128)\n  x |> fc1 |> relu |> linear(10)').trimEnd(),
    );
    expect(find(text, 'net')).toMatchObject({ kind: 'Net', output: '[B, 10]', weights: 101_770 });
    // 2 * 784 * 128 for the product, 128 for the bias.
    expect(find(text, 'net.fc1')).toMatchObject({
      kind: 'linear',
      output: '[B, 128]',
      weights: 100_480,
      flops: 200_832,
    });
    expect(find(text, 'net.relu')).toMatchObject({ output: '[B, 128]', weights: 0, flops: 128 });
    expect(find(text, 'net.linear_1')).toMatchObject({ kind: 'linear', output: '[B, 10]', weights: 1290 });
  });
  it('come in order, a function without weights once for each application', () => {
    const text = program().replace(/model[^}]*\}/, body('  x |> relu |> linear(64) |> relu |> linear(10)').trimEnd());
    expect(outlineOf(text).layers[0]!.children.map(c => c.name)).toEqual(['relu', 'linear_1', 'relu', 'linear_2']);
  });
  it('of a model that is applied twice are listed once', () => {
    const text = program().replace('cross_entropy(logits', 'cross_entropy(logits + net(image)');
    expect(
      outlineOf(text)
        .layers.find(l => l.name === 'net')!
        .children.map(c => c.name),
    ).toEqual(['linear_1', 'relu', 'linear_2']);
  });
  it('are one number for a metric, whatever it is made of', () => {
    expect(find(program('report confusion(logits, label)'), 'confusion')).toMatchObject({ output: '[]' });
    expect(find(program('report accuracy(logits, label)'), 'accuracy')).toMatchObject({ output: '[]' });
  });
  it('lie where they are named, or called', () => {
    const text = `${body('  x |> Two |> linear(10)')}
model Two(x: [B, D]) -> [B, D] {
  fc = linear(D)
  repeat 2 { x = x |> linear(D) }
  x |> fc
}

${digits}
train first on Digits {
  net = Net()
  minimize cross_entropy(net(image), label) using adam()
  epochs 1
}
`;
    const at = (path: string) => {
      const { start, end } = find(text, path)!.location!;
      return [text.slice(start, end), start];
    };
    expect(at('net')).toEqual(['net', text.indexOf('net =')]);
    expect(at('net.Two_1')).toEqual(['Two', text.indexOf('Two |>')]);
    expect(at('net.Two_1.fc')).toEqual(['fc', text.indexOf('fc =')]);
    expect(at('net.Two_1.repeat_1.1.linear_1')[0]).toBe('linear');
    expect(at('net.linear_1')).toEqual(['linear', text.indexOf('linear(10)')]);
  });
  it('lie each where it is made, also behind branches and after loops', () => {
    const lines = [
      '  x = x |> relu |> linear(64)',
      '  if deep > 1 { x = x |> linear(64) } else { x = x |> linear(32) }',
      '  repeat 2 { fc = linear(32)',
      '    x = x |> fc }',
      '  fc = linear(10)',
      '  x |> relu |> fc',
    ];
    const text = `const deep = 1\n\n${program().replace(/model[^}]*\}/, body(lines.join('\n')).trimEnd())}`;
    const places = flat(outlineOf(text).layers)
      .filter(l => l.path.startsWith('net.'))
      .map(l => [l.path.slice(4), l.kind, l.location?.start]);
    const [first, last] = [text.indexOf('relu'), text.lastIndexOf('relu')];
    const turn = text.indexOf('fc = linear(32)');
    expect(places).toEqual([
      ['relu', 'relu', first],
      ['linear_1', 'linear', text.indexOf('linear(64)')],
      ['linear_2', 'linear', text.indexOf('linear(32)')],
      ['repeat_1', 'repeat', text.indexOf('repeat')],
      ['repeat_1.0', '', undefined],
      ['repeat_1.0.fc', 'linear', turn],
      ['repeat_1.1', '', undefined],
      ['repeat_1.1.fc', 'linear', turn],
      ['relu', 'relu', last],
      ['fc', 'linear', text.indexOf('fc = linear(10)')],
    ]);
  });
  it('are not told while there are errors', () => {
    expect(modelOutline(fixture(program().replace('linear(10)', 'linear(12)')).analysis, 'first')).toBeUndefined();
  });
  it('add up', () => {
    const { layers, weights, flops } = outlineOf(program());
    expect(layers.reduce((sum, l) => sum + l.weights, 0)).toBe(weights);
    expect(layers.reduce((sum, l) => sum + l.flops, 0)).toBe(flops);
    expect(printOutline(outlineOf(program()))).toContain('  net            Net     [B, 10]   101,770');
  });
});
