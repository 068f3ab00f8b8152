/** Models of other files: offered while typing and as the fix of an unknown name, with the import they need. */
import { describe, expect, it } from 'vitest';
import { codeActions } from '../../../server/ide/codeActions.ts';
import { completion } from '../../../server/ide/completion.ts';
import { declaredFile } from '../../../server/ide/declared.ts';
import { analyze } from '../../../server/lang/analyze.ts';
import { applyEdits } from '../../../server/lang/text.ts';
import { host } from './fixture.ts';

const block =
  '/// Once around.\nmodel Block(x: [B, D], heads: int) -> [B, D] where D % heads == 0 {\n  x |> linear(D)\n}\n';
const image = 'model Bright(x: [B, 1, 28, 28]) -> [B, 1, 28, 28] {\n  x * 2\n}\n';
const files: Readonly<Record<string, string>> = {
  'file:///w/parts/block.strata': block,
  'file:///w/image.strata': image,
  'file:///w/circle.strata': 'import Net from "nets/main.strata"\n\nmodel Bend(x: [B, D]) -> [B, D] {\n  x |> Net\n}\n',
};
const others = Object.entries(files).map(([uri, text]) => declaredFile(uri, text));
const main = 'file:///w/nets/main.strata';

function at(marked: string) {
  const offset = marked.indexOf('$0');
  const text = marked.replace('$0', '');
  const analysis = analyze(main, text, { ...host, readText: uri => files[uri] });
  return { analysis, offset, text };
}
const net = (stage: string, head = '') => `${head}model Net(x: [B, 784]) -> [B, 784] {\n  x |> ${stage}\n}\n`;

describe('completion', () => {
  const items = (marked: string) => {
    const { analysis, offset } = at(marked);
    return completion(analysis, offset, undefined, others).items.filter(item => item.also);
  };
  it('offers models of other files, what fits first, none whose file imports this one', () => {
    const found = items(net('B$0'));
    expect([...found].sort((a, b) => (a.sort < b.sort ? -1 : 1)).map(i => i.label)).toEqual(['Block', 'Bright']);
    expect(found.find(i => i.label === 'Block')).toMatchObject({ doc: 'Once around.', insert: 'Block($0)' });
    expect(found[0]!.detail).toContain('from "../');
    expect(found.map(i => i.sort[0])).toEqual(['0', '2']);
  });
  it('waits for the first letter, and says that there is more', () => {
    const { analysis, offset } = at(net('$0'));
    const list = completion(analysis, offset, undefined, others);
    expect(list.items.filter(i => i.also)).toEqual([]);
    expect(list.isIncomplete).toBe(true);
  });
  it.each([
    ['above everything', '', 'import Block from "../parts/block.strata"\n\n'],
    [
      'below the comment of the file',
      '// What this is.\n\n',
      '// What this is.\n\nimport Block from "../parts/block.strata"\n\n',
    ],
    [
      'below other imports',
      'import Bright from "../image.strata"\n\n',
      'import Bright from "../image.strata"\nimport Block from "../parts/block.strata"\n\n',
    ],
  ])('imports %s', (_, head, expected) => {
    const { text } = at(net('B$0', head));
    const [edit] = items(net('B$0', head))
      .filter(i => i.label === 'Block')
      .map(i => i.also!);
    expect(applyEdits(text, [edit!])).toBe(net('B', expected));
  });
  it('offers no model that is here already', () => {
    expect(items(net('B$0', 'import Block from "../parts/block.strata"\n\n')).map(i => i.label)).toEqual(['Bright']);
  });
  it('offers none where no model can stand', () => {
    expect(items('data D = digits() {\n  image = image |> b$0\n}\n')).toEqual([]);
  });
});

it('an unknown name can be imported', () => {
  const { analysis, text } = at(`$0${net('Block(heads: 4)')}`);
  const actions = codeActions(analysis, { start: 0, end: text.length }, kind => kind === 'quickfix', others);
  const action = actions.find(a => a.title === 'import Block from "../parts/block.strata"')!;
  const mended = applyEdits(text, action.edits);
  expect(at(`$0${mended}`).analysis.facts).toEqual([]);
});
