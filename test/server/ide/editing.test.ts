/** The features that change text or find names: completion, rename, references, formatting, quick fixes. */
import { describe, expect, it } from 'vitest';
import { codeActions } from '../../../server/ide/codeActions.ts';
import { completion, spaceAsks } from '../../../server/ide/completion.ts';
import { formatting, onTypeFormatting } from '../../../server/ide/formatting.ts';
import { definition, highlights, linkedEditing, references, typeDefinition } from '../../../server/ide/navigation.ts';
import { prepareRename, rename } from '../../../server/ide/rename.ts';
import { applyEdits } from '../../../server/lang/text.ts';
import { body, digits, fixture, program } from './fixture.ts';

const layers = body('  fc1 = linear(128)\n  fc2 = linear(10)\n  x |> fc1 |> relu |> fc2');

describe('completion', () => {
  const labels = (marked: string) => {
    const { analysis, offset } = fixture(marked);
    const { items } = completion(analysis, offset);
    return [...items].sort((a, b) => (a.sort < b.sort ? -1 : 1)).map(item => item.label);
  };
  it('offers layers, functions and bindings behind a pipe', () => {
    const list = labels(body('  fc1 = linear(10)\n  x |> $0'));
    expect(list).toEqual(expect.arrayContaining(['fc1', 'relu', 'linear', 'flatten']));
    expect(list).not.toContain('adam');
  });
  it('puts what takes the flowing shape first', () => {
    const list = labels(body('  x |> $0'));
    expect(list.indexOf('relu')).toBeLessThan(list.indexOf('embedding'));
  });
  it.each([
    ['using', program().replace('adam(lr: 0.001)', '$0'), ['adam', 'sgd'], ['relu']],
    ['report', program('report $0'), ['accuracy'], ['adam']],
    ['a statement of train', program('$0'), ['stop', 'seed'], ['batch']],
    ['a statement of data', digits.replace('  batch', '  $0\n  batch'), ['augment'], ['epochs']],
    ['a field', digits.replace('|> flatten', '|> $0'), ['flatten', 'scale'], ['adam']],
    ['the top of a file', `${layers}\n$0`, ['data', 'train', 'model'], ['relu']],
    ['the name of a data block', program().replace('on Digits', 'on $0'), ['Digits'], ['Net']],
    ['words of an argument', digits.replace('|> flatten', '|> resize(9, 9, method: $0)'), ['bilinear', 'nearest'], []],
    ['words by position', digits.replace('|> flatten', '|> resize(9, 9, $0)'), ['nearest', 'method'], []],
    ['arguments by name', program().replace('lr: 0.001', '$0'), ['lr', 'beta1', 'step_decay'], ['relu', 'logits']],
    ['the splits', program().replace('validation: 0.1, test: 0.1', '$0'), ['validation', 'test'], ['image', 'scale']],
    ['the other split', program().replace('test: 0.1', '$0'), ['test'], ['validation', 'scale']],
    ['limits of gradients', program('clip 1, $0'), ['value'], ['adam']],
    ['checkpoints', program('checkpoint every: 2, $0'), ['keep'], ['every', 'adam']],
    ['devices', program('device $0'), ['auto', 'webgpu', 'cpu'], ['relu']],
    [
      'what to monitor',
      program('report accuracy(logits, label)\n  stop early(monitor: $0)'),
      ['validation.loss', 'validation.accuracy'],
      ['relu'],
    ],
    ['models behind a pipe', `${layers}\n${layers.replace('Net', 'Other').replace('|> fc2', '|> $0')}`, ['Net'], []],
  ])('%s', (_, marked, present, absent) => {
    const list = labels(marked);
    expect(list).toEqual(expect.arrayContaining(present));
    for (const name of absent) expect(list).not.toContain(name);
  });
  it('puts layers made for the shape before those made for another', () => {
    const list = labels(body('  fits = linear(10)\n  narrow = linear(10)\n  y = x |> linear(7) |> narrow\n  x |> $0'));
    expect(list.indexOf('fits')).toBeLessThan(list.indexOf('relu'));
    expect(list.indexOf('relu')).toBeLessThan(list.indexOf('narrow'));
  });
  it.each([
    ['what takes the shape before what has another rank', body('  x |> $0'), 'relu', 'conv2d'],
    [
      'what the sizes allow before what they forbid',
      `${body('  x |> $0')}\nmodel Wide(x: [B, 800]) -> [B, 800] {\n  x\n}\n\nmodel Same(x: [B, 784]) -> [B, 784] {\n  x\n}\n`,
      'Same',
      'Wide',
    ],
    [
      'what meets a requirement',
      `${body('  x |> $0')}\nmodel Odd(x: [B, D]) -> [B, D] where D % 3 == 0 {\n  x\n}\n\nmodel Zeal(x: [B, D]) -> [B, D] where D % 4 == 0 {\n  x\n}\n`,
      'Zeal',
      'Odd',
    ],
    [
      'arguments of the right kind',
      program().replace('cross_entropy(logits, label)', 'cross_entropy(logits, $0)'),
      'label',
      'image',
    ],
    ['tensors of the right shape', program().replace('net(image)', 'net($0)'), 'image', 'label'],
  ])('puts %s first', (_, marked, first, second) => {
    const list = labels(marked);
    expect(list.indexOf(first)).toBeGreaterThanOrEqual(0);
    expect(list.indexOf(first)).toBeLessThan(list.indexOf(second));
  });
  it('puts statements first where a statement begins', () => {
    expect(labels(program('$0')).slice(0, 3)).toContain('minimize');
  });
  it('replaces the word at the cursor', () => {
    const { analysis, offset, text } = fixture(body('  x |> rel$0u |> linear(10)'));
    const { replace } = completion(analysis, offset);
    expect(text.slice(replace.start, replace.end)).toMatch(/^relu?$/);
  });
  it('is silent in comments', () => {
    expect(labels(body('  // x |> $0\n  x |> linear(10)'))).toEqual([]);
  });
  it('offers the files of the folder typed so far', () => {
    const { analysis, offset, text } = fixture('data D = csv("data/tr$0") {\n  batch 4\n}\n');
    const asked: string[] = [];
    const { items, replace } = completion(analysis, offset, path => {
      asked.push(path);
      return [
        { name: 'train.csv', folder: false },
        { name: 'more', folder: true },
      ];
    });
    expect(asked).toEqual(['data/']);
    expect(items.map(item => item.insert)).toEqual(['train.csv', 'more/']);
    expect(text.slice(replace.start, replace.end)).toBe('tr');
  });
  it.each([
    ['x |> ', true],
    ['  minimize l using ', true],
    ['fc1 = ', true],
    ['lr: ', true],
    ['x ', false],
    ['// x |> ', false],
  ])('a space behind %j asks for a list: %s', (line, asks) => {
    expect(spaceAsks(`model\n${line}`, 6 + line.length)).toBe(asks);
  });
});

describe('navigation', () => {
  it.each([
    ['a layer', layers.replace('|> fc1', '|> f$0c1'), 'fc1'],
    ['a parameter', layers.replace('  x |>', '  $0x |>'), 'x'],
    ['a model', program().replace('= Net', '= N$0et'), 'Net'],
    ['a data block', program().replace('on Dig', 'on $0Dig'), 'Digits'],
    ['a binding of a train block', program().replace('= net(', '= $0net('), 'net'],
  ])('finds the definition of %s', (_, marked, name) => {
    const { analysis, offset, text } = fixture(marked);
    const found = definition(analysis, offset);
    expect(text.slice(found!.to.start, found!.to.end)).toBe(name);
    expect(found!.to.start).toBeLessThan(found!.from.start);
  });
  it('finds none for what is built in', () => {
    const { analysis, offset } = fixture(layers.replace('relu', 'r$0elu'));
    expect(definition(analysis, offset)).toBeUndefined();
  });
  it('highlights each use and marks the definition', () => {
    const { analysis, offset } = fixture(layers.replace('|> fc1', '|> f$0c1'));
    expect(highlights(analysis, offset).map(h => h.written)).toEqual([true, false]);
  });
  it('references come with or without the declaration', () => {
    const { analysis, offset } = fixture(program().replace('= Net', '= N$0et'));
    expect(references(analysis, offset, [analysis], true)).toHaveLength(2);
    expect(references(analysis, offset, [analysis], false)).toHaveLength(1);
  });
  it('the type of a layer is its model, of a field its data block', () => {
    const model = fixture(program().replace('= net(', '= n$0et('));
    const type = typeDefinition(model.analysis, model.offset);
    expect(model.text.slice(type!.to.start, type!.to.end)).toBe('Net');
    const field = fixture(program().replace('net(image)', 'net(im$0age)'));
    const data = typeDefinition(field.analysis, field.offset);
    expect(field.text.slice(data!.to.start - 5, data!.to.end)).toBe('data Digits');
    const library = fixture(layers.replace('|> fc1', '|> f$0c1'));
    expect(typeDefinition(library.analysis, library.offset)).toBeUndefined();
  });
  it.each([
    ['a binding', layers.replace('|> fc1', '|> f$0c1'), 2],
    ['a dimension', layers.replace('[B, 784', '[$0B, 784'), 2],
    ['a model, which others may use', program().replace('= Net', '= N$0et'), 0],
  ])('%s is edited in all its places at once', (_, marked, count) => {
    const { analysis, offset } = fixture(marked);
    expect(linkedEditing(analysis, offset)).toHaveLength(count);
  });
  it('two bindings of one name in two models are two things', () => {
    const { analysis, offset } = fixture(`${layers.replace('|> fc1', '|> f$0c1')}\n${layers.replace('Net', 'Other')}`);
    expect(references(analysis, offset, [analysis], true)).toHaveLength(2);
  });
});

describe('rename', () => {
  const argument = (from: string, to: string) => {
    const text = body(`  ${from} = linear(out: 10)\n  x |> ${from}`);
    return [text.replace(`|> ${from}`, `|> $0${from}`), to, text.replaceAll(from, to)] as const;
  };
  const other = 'model Other(x: [B, 4]) -> [B, 4] {\n  fc2 = linear(4)\n  x |> fc2\n}\n';
  const one = body('  fc = linear(10)\n  x |> fc');
  const twice = [
    `${one.replace('|> fc', '|> $0fc')}\n${other}`,
    'fc2',
    `${one.replaceAll('fc', 'fc2')}\n${other}`,
  ] as const;
  it.each([
    ['a layer', layers.replace('|> fc1', '|> f$0c1'), 'hidden', layers.replaceAll('fc1', 'hidden')],
    [
      'a parameter',
      layers.replace('(x', '($0x'),
      'pixels',
      layers.replace('(x', '(pixels').replace('  x |>', '  pixels |>'),
    ],
    ['a dimension', layers.replace('[B, 784', '[$0B, 784'), 'N', layers.replaceAll('[B,', '[N,')],
    ['a model', program().replace('= Net', '= N$0et'), 'Two', program().replaceAll('Net', 'Two')],
    ['a layer, to the name of an argument', ...argument('fc', 'out')],
    ['a layer, to what another model has', ...twice],
  ])('%s everywhere', (_, marked, name, expected) => {
    const { analysis, offset, text } = fixture(marked);
    const result = rename(analysis, offset, name, [analysis]);
    expect(result.kind).toBe('edits');
    if (result.kind === 'edits') expect(applyEdits(text, result.files.get(analysis.uri) ?? [])).toBe(expected);
  });
  it.each([
    ['what is built in', layers.replace('relu', 'r$0elu'), 'x', /^relu is built in/],
    ['to no name', layers.replace('|> fc1', '|> f$0c1'), '1st', /^expected a name/],
    ['to a word of the language', layers.replace('|> fc1', '|> f$0c1'), 'model', /a word of the language/],
    ['a dimension to lower case', layers.replace('[B, 784', '[$0B, 784'), 'n', /upper-case/],
    ['nothing', `${layers}\n$0\n`, 'x', /^nothing here/],
    ['to the name of another layer', layers.replace('|> fc1', '|> f$0c1'), 'fc2', /found fc2, which means something/],
    ['to a function that stands there', layers.replace('|> fc1', '|> f$0c1'), 'relu', /found relu/],
    ['a parameter to a name of its model', layers.replace('(x', '($0x'), 'fc1', /found fc1/],
    ['a dimension to one that is there', layers.replace('[B, 784', '[$0B, H').replace('10]', 'H]'), 'H', /found H/],
    ['a model to a data block', program().replace('= Net', '= N$0et'), 'Digits', /found Digits/],
  ])('refuses %s', (_, marked, name, reason) => {
    const { analysis, offset } = fixture(marked);
    expect(rename(analysis, offset, name, [analysis])).toMatchObject({
      kind: 'refused',
      reason: expect.stringMatching(reason),
    });
  });
  it('prepares with the name at the cursor', () => {
    const { analysis, offset } = fixture(layers.replace('|> fc1', '|> f$0c1'));
    expect(prepareRename(analysis, offset)).toMatchObject({ kind: 'name', name: 'fc1' });
  });
});

describe('formatting', () => {
  const messy = 'model   Net(x:[B,784])->[B,10]{\n      fc1=linear( 128 )\n  x|>fc1|>relu|>linear(10)\n}\n';
  const tidy = 'model Net(x: [B, 784]) -> [B, 10] {\n  fc1 = linear(128)\n  x |> fc1 |> relu |> linear(10)\n}\n';
  it('the whole document', () => {
    const { analysis, text } = fixture(messy);
    expect(applyEdits(text, formatting(analysis))).toBe(tidy);
  });
  it('leaves a tidy one alone', () => {
    expect(formatting(fixture(tidy).analysis)).toEqual([]);
  });
  it('a range touches nothing outside of it', () => {
    const { analysis, text } = fixture(messy);
    const start = text.indexOf('      fc1');
    const edits = formatting(analysis, { start, end: start + 10 });
    const line = text.indexOf('\n', start);
    expect(edits.every(({ span }) => span.start >= start && span.end <= line + 1)).toBe(true);
    expect(applyEdits(text, edits)).toContain('\n  fc1 = linear(128)\n');
  });
  it('a newline formats the line just finished', () => {
    const { analysis, text, offset } = fixture(messy.replace('128 )\n', '128 )\n$0'));
    expect(applyEdits(text, onTypeFormatting(analysis, offset, '\n'))).toContain('\n  fc1 = linear(128)\n  x|>fc1');
  });
  it('a closing brace formats its block', () => {
    const { analysis, text } = fixture(messy);
    expect(applyEdits(text, onTypeFormatting(analysis, text.lastIndexOf('}') + 1, '}'))).toBe(tidy);
  });
});

describe('code actions', () => {
  it('mend a misspelt name', () => {
    const { analysis, text, offset } = fixture(body('  x |> re$0llu |> linear(10)'));
    const actions = codeActions(analysis, { start: offset, end: offset });
    expect(actions.map(a => a.title)).toContain('change to relu');
    expect(applyEdits(text, actions.find(a => a.title === 'change to relu')!.edits)).toContain('|> relu |>');
  });
  it('flatten what is passed to a model for flat inputs', () => {
    const { analysis, text } = fixture(program().replace('  image = image |> flatten\n', ''));
    const actions = codeActions(analysis, { start: 0, end: text.length });
    const mended = applyEdits(text, actions.find(a => a.title.startsWith('flatten'))?.edits ?? []);
    expect(mended).toContain('net(image |> flatten)');
    expect(fixture(mended).analysis.facts).toEqual([]);
  });
  it('are those of the selection', () => {
    const { analysis } = fixture(body('  x |> rellu |> linear(10)'));
    expect(codeActions(analysis, { start: 0, end: 0 }).filter(a => a.kind === 'quickfix')).toEqual([]);
  });
  it.each([
    ['a wrong size', body('  x |> linear(12)')],
    ['softmax before cross_entropy', program().replace('net(image)', 'net(image) |> softmax')],
    ['a missing flatten', program().replace('  image = image |> flatten\n', '')],
  ])('for %s, no fix adds an error', (_, text) => {
    const { analysis } = fixture(text);
    const before = analysis.facts.length;
    expect(before).toBeGreaterThan(0);
    for (const action of codeActions(analysis, { start: 0, end: text.length })) {
      expect(fixture(applyEdits(text, action.edits)).analysis.facts.length).toBeLessThanOrEqual(before);
    }
  });
});
