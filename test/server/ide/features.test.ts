/** The features that show something at a place: hover, signatures, hints, lenses, outline, folds, links. */
import { describe, expect, it } from 'vitest';
import { codeLenses } from '../../../server/ide/codeLens.ts';
import { declaredFile, declaredNames } from '../../../server/ide/declared.ts';
import { documentLinks } from '../../../server/ide/documentLinks.ts';
import { hover } from '../../../server/ide/hover.ts';
import { defaultInlays, inlayHints } from '../../../server/ide/inlayHints.ts';
import { documentSymbols, workspaceSymbols } from '../../../server/ide/symbols.ts';
import { body, digits, fixture, program } from './fixture.ts';

const layers = body('  fc1 = linear(128)\n  fc2 = linear(10)\n  x |> fc1 |> relu |> fc2');

describe('hover', () => {
  const check = (marked: string, ...expected: readonly (string | RegExp)[]) => {
    const { analysis, offset } = fixture(marked);
    const markdown = hover(analysis, offset)?.markdown ?? '';
    for (const part of expected) expect(markdown).toMatch(part);
  };
  const loop = '  repeat 3 { x = x |> lin$0ear(784) }\n  x |> linear(10)';
  it('a layer of a loop costs what a turn of it costs, and says how often it is made', () =>
    check(body(loop), /615,440 weights/, /made 3 times/));
  it('a layer behind a branch that is not taken has its own weights', () =>
    check(
      `const deep = 1\n\n${body('  if deep > 1 { x = x |> linear(784) }\n  x |> lin$0ear(10)')}`,
      /7,850 weights/,
      /15,690 FLOPs a sample/,
    ));
  it('a layer that is applied twice has its weights once', () =>
    check(body('  f$0c = linear(784)\n  x |> fc |> relu |> fc |> linear(10)'), /615,440 weights/));

  it('a parameter has its shape', () => check(layers.replace('(x:', '($0x:'), /x: \[B, 784\]/));
  it('a layer has its shapes and weights', () =>
    check(layers.replace('fc1 =', '$0fc1 ='), /\[B, 784\] -> \[B, 128\]/, /100,480/));
  it('a layer has the operations of a sample', () =>
    check(layers.replace('fc1 =', '$0fc1 ='), /200,832 FLOPs a sample/));
  it('a stage without a name has its own', () =>
    check(body('  x |> linear(128) |> relu |> lin$0ear(10)'), /1,290 weights/, /2,570 FLOPs a sample/));
  it('a model has what it costs by itself', () =>
    check(layers.replace('Net', 'N$0et'), /101,770 weights/, /203,530 FLOPs a sample/));
  it('sizes that are not known stay symbolic', () =>
    check('model N$0et(x: [B, T, 8]) -> [B, T, 8] {\n  x |> relu\n}\n', /8 \* T FLOPs a sample/));
  it('a library function has its signature and text', () => check(layers.replace('relu', 'r$0elu'), /relu\(/, /max/i));
  it('a model has its header and doc comment', () =>
    check(`/// What it is.\n${layers}`.replace('Net', 'N$0et'), /model Net|Net\(x: \[B, 784\]\)/, /What it is\./));
  it('a data set tells its fields and samples', () => check(digits.replace('Digits', 'Dig$0its'), /image/, /5,000/));
  it('the name of an argument has its type and default', () =>
    check(program().replace('lr:', 'l$0r:'), /lr: schedule = 0\.001/, /adam/));
  it('says nothing over blank space', () => {
    const { analysis, offset } = fixture(`${layers}\n$0\n\n${digits}`);
    expect(hover(analysis, offset)).toBeUndefined();
  });
});

describe('signature help', () => {
  const active = (marked: string) => {
    const { analysis, offset } = fixture(marked);
    const info = analysis.signature(offset);
    return info?.active === undefined ? info?.name : info.parameters[info.active]?.name;
  };
  it.each([
    ['x |> linear($0)', 'out'],
    ['x |> linear(12$08)', 'out'],
    ['x |> linear(128, $0)', 'bias'],
    ['x |> linear(128, bias: $0true)', 'bias'],
    ['x |> linear($0', 'out'],
  ])('%s is about %s', (line, name) => {
    expect(active(body(`  ${line}`))).toBe(name);
  });
  it('is silent outside of calls', () => {
    expect(active(body('  $0x |> linear(10)'))).toBeUndefined();
  });
});

describe('inlay hints', () => {
  const hints = (text: string, settings = defaultInlays) => {
    const { analysis } = fixture(text);
    return inlayHints(analysis, undefined, settings).map(hint => hint.text);
  };
  it('give the shape after each stage and the weights of layers', () => {
    expect(hints(layers)).toEqual(expect.arrayContaining(['[B, 128]', '[B, 10]', '100,480 weights', '1,290 weights']));
  });
  it('are quiet about parameter names unless asked', () => {
    expect(hints(layers)).not.toContain('out:');
    expect(hints(layers, { shapes: false, counts: false, parameters: true })).toContain('out:');
  });
  it('are those of the visible part', () => {
    const { analysis, text } = fixture(`${layers}\n${program().replaceAll('Net', 'Other')}`);
    const all = inlayHints(analysis, undefined, defaultInlays);
    const within = inlayHints(analysis, { start: 0, end: layers.length }, defaultInlays);
    expect(within).toEqual(all.filter(hint => hint.offset <= layers.length));
    expect(all.every(hint => hint.offset <= text.length)).toBe(true);
  });
});

describe('code lenses', () => {
  const run = { folder: '/runs/1', name: 'first', step: 3, steps: 9 };
  it('say how many runs a sweep is', () => {
    const sweep = 'sweep a: [1, 2, 3], b: [1, 2, 3, 4]';
    const runs = (line: string) =>
      codeLenses(fixture(program(line)).analysis, { resumable: [] }).flatMap(l => (l.kind === 'train' ? l.runs : []));
    expect(['clip 1', sweep, `${sweep}, runs: 5`, `${sweep}, runs: 50`].map(runs)).toEqual([[1], [12], [5], [12]]);
  });

  it('offer training and show the weights of models', () => {
    const { analysis } = fixture(program());
    const lenses = codeLenses(analysis, { resumable: [] });
    expect(lenses.map(l => (l.kind === 'note' ? l.title : l.kind))).toEqual(['101,770 weights', 'train']);
  });
  it('offer to resume the newest run of the block', () => {
    const { analysis } = fixture(program());
    const lenses = codeLenses(analysis, { resumable: [{ ...run, name: 'other' }, run, { ...run, folder: '/runs/0' }] });
    expect(lenses.find(l => l.kind === 'resume')).toMatchObject({ folder: '/runs/1', step: 3, steps: 9 });
  });
  it('say which error stands in the way, and offer nothing', () => {
    const { analysis } = fixture(program().replace('linear(10)', 'linear(12)'));
    const lenses = codeLenses(analysis, { resumable: [run] });
    expect(lenses.some(l => l.kind === 'train' || l.kind === 'resume')).toBe(false);
    expect(lenses.map(l => (l.kind === 'note' ? l.title : ''))).toContainEqual(
      expect.stringMatching(/^can't train: .*expected/),
    );
  });
  it("say why the place doesn't allow it", () => {
    const { analysis } = fixture(program());
    const lenses = codeLenses(analysis, { resumable: [run], refusal: 'the workspace is not trusted' });
    expect(lenses.at(-1)).toMatchObject({ kind: 'note', title: "can't train: the workspace is not trusted" });
  });
});

describe('symbols', () => {
  it('outline a file by its declarations and what is in them', () => {
    const { analysis } = fixture(program());
    const outline = documentSymbols(analysis);
    expect(outline.map(s => [s.kind, s.name])).toEqual([
      ['model', 'Net'],
      ['data', 'Digits'],
      ['train', 'first'],
    ]);
    expect(outline[2]?.children.map(c => c.name)).toEqual(expect.arrayContaining(['net', 'logits', 'epochs']));
    for (const { span, nameSpan } of outline) {
      expect(span.start).toBeLessThanOrEqual(nameSpan.start);
      expect(nameSpan.end).toBeLessThanOrEqual(span.end);
    }
  });
  it('leave out what has no name yet', () => {
    expect(documentSymbols(fixture('model (x: [B]) {\n  x\n}\n').analysis)).toEqual([]);
  });
  it.each([
    ['', ['Net', 'Digits', 'first']],
    ['dig', ['Digits']],
    ['dgt', ['Digits']],
    ['xyz', []],
  ])('search for %j finds %j', (query, names) => {
    const file = declaredFile('file:///a.strata', program());
    expect(
      workspaceSymbols([file], query)
        .map(s => s.name)
        .sort(),
    ).toEqual([...names].sort());
  });
});

describe('the names of a file', () => {
  it.each([' ', '\u00a0', '\t '])('are read off its text as the parser finds them, behind %j', space => {
    const text = `/// What it is.\n${program().replace('data ', `data${space}`)}\n// model Inner\nmodelling = 1\n`;
    const names = declaredNames(text);
    const { declarations } = fixture(text).analysis;
    expect(names.map(n => [n.kind, n.name, n.nameSpan])).toEqual(declarations.map(d => [d.kind, d.name, d.nameSpan]));
    expect(names[0]).toMatchObject({ header: 'Net(x: [B, 784]) -> [B, 10]', doc: 'What it is.' });
  });
});

describe('document links', () => {
  it('are the paths of sources and imports', () => {
    const { analysis } = fixture(
      'import Net from "other.strata"\n\ndata D = csv("data/a.csv", target: "species") {\n  batch 4\n}\n',
    );
    expect(documentLinks(analysis).map(l => l.path)).toEqual(['other.strata', 'data/a.csv']);
  });
  it('are not addresses', () => {
    const { analysis } = fixture('data D = csv("https://example.org/a.csv") {\n  batch 4\n}\n');
    expect(documentLinks(analysis)).toEqual([]);
  });
});

describe('folding and selection', () => {
  it('each declaration folds', () => {
    const { analysis, text } = fixture(program());
    const lines = text.split('\n');
    expect(analysis.folds.map(f => [lines[f.startLine]?.split(' ')[0], lines[f.endLine]])).toEqual(
      expect.arrayContaining([
        ['model', expect.stringMatching(/^( {2}.*|\})$/)],
        ['train', expect.stringMatching(/^( {2}.*|\})$/)],
      ]),
    );
  });
  it('selections grow from the word to the file, each around the one before', () => {
    const { analysis, offset, text } = fixture(layers.replace('linear(128)', 'lin$0ear(128)'));
    const spans = analysis.selection(offset);
    expect(text.slice(spans[0]!.start, spans[0]!.end)).toBe('linear');
    for (const [i, span] of spans.slice(1).entries()) {
      expect(span.start).toBeLessThanOrEqual(spans[i]!.start);
      expect(span.end).toBeGreaterThanOrEqual(spans[i]!.end);
    }
    expect(spans.at(-1)!.end - spans.at(-1)!.start).toBeGreaterThan(40);
  });
});
