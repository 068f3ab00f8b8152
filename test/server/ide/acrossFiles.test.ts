/** Features that span files: call hierarchy, references through imports, paths after renames. */
import { describe, expect, it } from 'vitest';
import { callItem, incomingCalls, outgoingCalls } from '../../../server/ide/callHierarchy.ts';
import { fileRenameEdits } from '../../../server/ide/fileRename.ts';
import { declaration, definition } from '../../../server/ide/navigation.ts';
import { prepareRename, rename } from '../../../server/ide/rename.ts';
import { analyze, analyzeOnDemand } from '../../../server/lang/analyze.ts';
import type { Analysis } from '../../../server/lang/api.ts';
import { applyEdits } from '../../../server/lang/text.ts';
import { host } from './fixture.ts';

/** Analyses of a workspace whose files import each other. */
function files(texts: Readonly<Record<string, string>>): readonly Analysis[] {
  const read = (uri: string) => texts[uri.replace('file:///w/', '')];
  return Object.entries(texts).map(([name, text]) => analyze(`file:///w/${name}`, text, { ...host, readText: read }));
}

const block = 'model Block(x: [B, D]) -> [B, D] {\n  x |> linear(D) |> relu\n}\n';
const nets = `import Block from "parts/block.strata"

model Net(x: [B, 2]) -> [B, 2] {
  x |> Block |> Block
}

data Points = moons() {
  batch 50
}

train first on Points {
  net = Net()
  minimize cross_entropy(net(point), label) using adam(lr: 0.001)
  epochs 2
}
`;
const workspace = files({ 'nets.strata': nets, 'parts/block.strata': block });
const [main, part] = workspace as [Analysis, Analysis];
const itemOf = (analysis: Analysis, word: string) => callItem(analysis, analysis.text.indexOf(word), workspace)!;

describe('a file that is analysed on demand', () => {
  const read = (uri: string) => (uri.endsWith('block.strata') ? block : undefined);
  const own = 'model Two(x: [B, D]) -> [B, D] {\n  Block = linear(D)\n  x |> Block\n}\n';
  const text = `${nets}\n${own}\n// Block\nmodel Three(x: [B, D]) -> [B, D] {\n  x |> Two |> Block\n}\n`;
  const uri = 'file:///w/nets.strata';
  const eager = analyze(uri, text, { ...host, readText: read });

  it('has the references of one that is checked at once, of every name', () => {
    const names = [...text.matchAll(/[A-Za-z_]\w*/g)].map(m => m.index);
    for (const symbol of names.flatMap(at => eager.symbol(at) ?? [])) {
      const lazy = analyzeOnDemand(uri, text, { ...host, readText: read });
      expect(lazy.references(symbol)).toEqual(eager.references(symbol));
    }
    const found = part.references(part.symbol(block.indexOf('Block'))!);
    const uses = eager.references(part.symbol(block.indexOf('Block'))!).map(s => s.start);
    expect(found.length).toBe(1);
    // Not the layer of that name, nor the comment.
    expect(uses).toEqual([7, text.indexOf('Block |>'), text.indexOf('Block\n}'), text.lastIndexOf('Block')]);
  });
  it('has the facts and declarations too, and knows what it imports', () => {
    const lazy = analyzeOnDemand(uri, text, { ...host, readText: read });
    expect(lazy.imports).toEqual(eager.imports);
    expect(lazy.declarations).toEqual(eager.declarations);
    expect(lazy.facts).toEqual(eager.facts);
  });
});

describe('call hierarchy', () => {
  it('the callers of a model are models and train blocks of any file', () => {
    expect(incomingCalls(itemOf(part, 'Block'), part, workspace).map(c => [c.item.name, c.places.length])).toEqual([
      ['Net', 2],
    ]);
    expect(incomingCalls(itemOf(main, 'Net('), main, workspace).map(c => [c.item.kind, c.item.name])).toEqual([
      ['train', 'first'],
    ]);
  });
  it('the callees are the models inside', () => {
    expect(
      outgoingCalls(itemOf(main, 'Net('), main, workspace).map(c => [c.item.uri, c.item.name, c.places.length]),
    ).toEqual([['file:///w/parts/block.strata', 'Block', 2]]);
    expect(outgoingCalls(itemOf(main, 'first'), main, workspace).map(c => c.item.name)).toEqual(['Net']);
    expect(outgoingCalls(itemOf(part, 'Block'), part, workspace)).toEqual([]);
  });
  it('starts at a use as at the declaration', () => {
    expect(itemOf(main, 'Block |>')).toEqual(itemOf(part, 'Block'));
    expect(callItem(main, main.text.indexOf('adam'), workspace)).toBeUndefined();
  });
});

it('what is imported is declared by its import and defined in its file', () => {
  const use = nets.indexOf('Block |>');
  const [said, made] = [declaration(main, use)!.to, definition(main, use)!.to];
  expect([said.uri, nets.slice(said.start, said.end), said.start]).toEqual([main.uri, 'Block', nets.indexOf('Block')]);
  expect([made.uri, made.start]).toEqual([part.uri, block.indexOf('Block')]);
  expect(declaration(main, nets.indexOf('Net()'))!.to.start).toBe(nets.indexOf('Net('));
});

describe('renaming a model', () => {
  const [importing, imported] = [nets.indexOf('Block'), nets.indexOf('Block |>')];
  it.each([
    ['where it is declared', part, block.indexOf('Block')],
    ['where it is imported', main, importing],
    ['where it is used', main, imported],
  ])('%s renames it in all files', (_, file, offset) => {
    expect(prepareRename(file, offset)).toMatchObject({ kind: 'name', name: 'Block' });
    const result = rename(file, offset, 'Layer', workspace);
    expect(result.kind).toBe('edits');
    if (result.kind !== 'edits') return;
    expect(applyEdits(main.text, result.files.get(main.uri) ?? [])).toBe(nets.replaceAll('Block', 'Layer'));
    expect(applyEdits(part.text, result.files.get(part.uri) ?? [])).toBe(block.replaceAll('Block', 'Layer'));
  });

  it('goes through a file that hands it on', () => {
    const hands = files({
      'block.strata': block,
      'between.strata': 'import Block from "block.strata"\n',
      'user.strata': 'import Block from "between.strata"\n\nmodel Net(x: [B, 2]) -> [B, 2] {\n  x |> Block\n}\n',
    });
    const user = hands[2]!;
    const result = rename(user, user.text.indexOf('Block'), 'Layer', hands);
    expect(result.kind === 'edits' && [...result.files].map(([file, edits]) => [file, edits.length])).toEqual([
      ['file:///w/block.strata', 1],
      ['file:///w/between.strata', 1],
      ['file:///w/user.strata', 2],
    ]);
  });

  it.each([
    ['what another declaration of an importing file is called', 'Net', /found Net, which .* in nets.strata/],
    ['what stands beside it there', 'adam', undefined],
    ['a function that its file calls', 'relu', /found relu, which .* in block.strata/],
  ])('to %s', (_, name, reason) => {
    const result = rename(part, block.indexOf('Block'), name, [part, main]);
    if (reason === undefined) expect(result.kind).toBe('edits');
    else expect(result).toMatchObject({ kind: 'refused', reason: expect.stringMatching(reason) });
  });

  it('that no file has is refused', () => {
    const [file] = files({ 'a.strata': 'import Gone from "gone.strata"\n' });
    expect(prepareRename(file!, 8)).toMatchObject({ kind: 'refused' });
  });
});

describe('renamed files', () => {
  const uri = (name: string) => `file:///w/${name}`;
  const table = 'data T = csv("data/a%20b.csv") {\n  batch 1\n}\n';
  it.each([
    ['an imported file', nets, 'parts/block.strata', 'parts/layer.strata', 'parts/layer.strata'],
    ['the folder of an imported file', nets, 'parts', 'layers/deep', 'layers/deep/block.strata'],
    ['the importing file', nets, 'nets.strata', 'models/nets.strata', '../parts/block.strata'],
    ['a data file', table, 'data/a%2520b.csv', 'data/c d.csv', 'data/c d.csv'],
  ])('%s', (_, text, from, to, path) => {
    const [file] = files({ 'nets.strata': text });
    const edits = fileRenameEdits([file!], [{ oldUri: uri(from), newUri: uri(to) }]).get(uri('nets.strata'));
    expect(edits?.map(e => e.text)).toEqual([path]);
  });
  it('change nothing else', () => {
    expect(fileRenameEdits(workspace, [{ oldUri: uri('other'), newUri: uri('another') }]).size).toBe(0);
    expect(fileRenameEdits(workspace, [{ oldUri: uri('part'), newUri: uri('whole') }]).size).toBe(0);
  });
});
