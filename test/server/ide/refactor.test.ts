/** Refactorings: what they make of a text, that none adds a diagnostic, and that the program stays what it was where that is promised. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { printProgram } from '../../../engine/ir/programText.ts';
import { runSchemaJob } from '../../../server/data/schemaJob.ts';
import { type ActionKind, codeActions } from '../../../server/ide/codeActions.ts';
import { analyze, reanalyze } from '../../../server/lang/analyze.ts';
import type { Analysis } from '../../../server/lang/api.ts';
import { lower } from '../../../server/lang/lower/lower.ts';
import { applyEdits } from '../../../server/lang/text.ts';
import { analyzeSettled, createLangHost } from '../../../server/runs/langHost.ts';
import { orderless } from '../../support/orderless.ts';
import { body, digits, host, program } from './fixture.ts';

/** The text with `«…»` selected (or `$0`, the cursor), and what the first action of that kind whose title matches makes of it. */
function act(marked: string, kind: ActionKind, title: RegExp = /./): string | undefined {
  const start = marked.search(/«|\$0/);
  const end = marked.includes('»') ? marked.indexOf('»') - 1 : start;
  const text = marked.replace(/«|»|\$0/g, '');
  const analysis = analyze('file:///nowhere/file.strata', text, host);
  const action = codeActions(analysis, { start, end }, k => k === kind).find(a => title.test(a.title));
  return action && applyEdits(text, action.edits);
}

const extract = (marked: string) => act(marked, 'refactor.extract', /^extract/);
const named = (marked: string) => act(marked, 'refactor.extract', /^name/);
const inlined = (marked: string) => act(marked, 'refactor.inline');
const split = (marked: string) => act(marked, 'refactor.rewrite', /^split/);
const joined = (marked: string) => act(marked, 'refactor.rewrite', /^join/);
const annotated = (marked: string) => act(marked, 'refactor.rewrite', /^add/);

describe('extract to a model', () => {
  it('takes stages of a pipeline', () => {
    expect(extract(body('  x |> «linear(128) |> relu» |> linear(10)'))).toBe(
      `model Part(x: [B, 784]) -> [B, 128] {\n  x |> linear(128) |> relu\n}\n\n${body('  x |> Part |> linear(10)')}`,
    );
  });
  it('leaves the comments of a declaration with it', () => {
    const text = `// Of the file.\n\n/// The net.\n/// Its second line.\n${body('  x |> «linear(128) |> relu» |> linear(10)')}`;
    expect(extract(text)).toBe(
      `// Of the file.\n\nmodel Part(x: [B, 784]) -> [B, 128] {\n  x |> linear(128) |> relu\n}\n\n/// The net.\n/// Its second line.\n${body('  x |> Part |> linear(10)')}`,
    );
  });
  it('takes an expression with what it reads', () => {
    const text =
      'model Net(x: [B, T, D], y: [B, T, D], rate: float = 0.1) -> [B, T, D] {\n  x + «(dropout(y, rate) |> linear(2 * D) |> linear(D))»\n}\n';
    expect(extract(text)).toBe(
      `model Part(y: [B, T, D], rate: float) -> [B, T, D] {\n  (dropout(y, rate) |> linear(2 * D) |> linear(D))\n}\n\n${text.replace(/«.*»/, 'Part(y, rate: rate)')}`,
    );
  });
  it('takes statements; what is read later comes back', () => {
    const text = body('  «h = x |> linear(64)\n  a = h |> relu\n  b = h |> gelu»\n  a + b |> linear(10)');
    expect(extract(text)).toBe(
      `model Part(x: [B, 784]) -> ([B, 64], [B, 64]) {\n  h = x |> linear(64)\n  a = h |> relu\n  b = h |> gelu\n  (a, b)\n}\n\n${body('  a, b = Part(x)\n  a + b |> linear(10)')}`,
    );
  });
  it('names sizes that a header can not state', () => {
    const text =
      'model Net(x: [B, D], width: int) -> [B, 1] {\n  h = x |> linear(2 * width)\n  h |> «relu |> linear(1)»\n}\n';
    expect(extract(text)).toContain('model Part(h: [B, N]) -> [B, 1] {\n  h |> relu |> linear(1)\n}');
  });
  it('takes part of a train block, with the types of the data', () => {
    expect(extract(program().replace('net(image)', '«net(image) |> relu»'))).toBeUndefined();
    const out = extract(program().replace('net(image)', 'net(«image |> relu»)'));
    expect(out).toContain('model Part(image: [B, 784]) -> [B, 784] {\n  image |> relu\n}\n\ntrain first');
    expect(out).toContain('net(Part(image))');
  });
  it.each([
    ['a layer made elsewhere, whose weights would move', body('  f = linear(10)\n  x |> «f |> relu»')],
    ['half an expression', body('  x |> linear(1«28) |> relu» |> linear(10)')],
    ['a single name', body('  «x» |> linear(10)')],
    ['a comment', body('  «h = x |> relu // why\n  k = h |> gelu»\n  k |> linear(10)')],
    ['a statement of training', program().replace('epochs 2', '«epochs 2»')],
  ])('leaves %s alone', (_, text) => expect(extract(text)).toBeUndefined());
});

describe('name a stage', () => {
  it.each([
    [
      'a layer',
      '  x |> lin$0ear(128) |> relu |> linear(10)',
      '  linear1 = linear(128)\n  x |> linear1 |> relu |> linear(10)',
    ],
    [
      'a layer without arguments',
      '  x |> layer_n$0orm |> linear(10)',
      '  layer_norm1 = layer_norm()\n  x |> layer_norm1 |> linear(10)',
    ],
  ])('%s', (_, before, after) => expect(named(body(before))).toBe(body(after)));
  it('within a repeat', () => {
    expect(named(body('  repeat 2 { x = x |> linear($0784) }\n  x |> linear(10)'))).toBe(
      body('  repeat 2 { linear1 = linear(784)\n  x = x |> linear1 }\n  x |> linear(10)'),
    );
  });
  it('has nothing to say of functions without weights', () => {
    expect(named(body('  x |> re$0lu |> linear(10)'))).toBeUndefined();
  });
});

describe('inline', () => {
  it.each([
    ['a layer', '  f$0c = linear(10)\n  x |> fc', '  x |> linear(10)'],
    ['a layer that is called', '  fc = linear(10)\n  f$0c(x)', '  linear(x, 10)'],
    ['a tensor', '  h$0 = x |> linear(10)\n  h |> relu', '  x |> linear(10) |> relu'],
    ['a sum in a product', '  s$0 = x + x\n  s * x |> linear(10)', '  (x + x) * x |> linear(10)'],
    ['a number, everywhere', '  n$0 = 10\n  x |> linear(n) |> linear(n)', '  x |> linear(10) |> linear(10)'],
  ])('%s', (_, before, after) => expect(inlined(body(before))).toBe(body(after)));
  it.each([
    ['a layer that is shared', '  f$0c = linear(784)\n  x |> fc |> fc |> linear(10)'],
    ['what reads a name that is bound anew', '  h$0 = x + 1\n  x = x |> relu\n  h + x |> linear(10)'],
    ['weights into a loop', '  h$0 = x |> linear(784)\n  y = x\n  repeat 2 { y = y + h }\n  y |> linear(10)'],
    ['weights past others', '  h$0 = x |> linear(784)\n  k = x |> linear(784)\n  k + h |> linear(10)'],
    ['a parameter', '  x$0 |> linear(10)'],
  ])('leaves %s alone', (_, before) => expect(inlined(body(before))).toBeUndefined());
  it('leaves what is reported under its name alone', () => {
    expect(inlined(program('di$0stance = mae(logits, 0)\n  report distance'))).toBeUndefined();
  });
});

describe('pipelines', () => {
  const pipeline = body('  y = x |> linear(64) |> relu\n    |> linear(10)\n  y');
  const bindings = body('  h1 = x |> linear(64)\n  h2 = h1 |> relu\n  y = h2 |> linear(10)\n  y');
  it('become bindings, one a stage', () => expect(split(pipeline.replace('relu', 're$0lu'))).toBe(bindings));
  it('come back from them, from wherever among them', () => {
    const line = body('  y = x |> linear(64) |> relu |> linear(10)\n  y');
    for (const place of ['h1 =', 'h2 =', 'y =']) expect(joined(bindings.replace(place, `$0${place}`))).toBe(line);
  });
  it('a binding that is read twice stays', () => {
    expect(joined(body('  h$0 = x |> relu\n  y = h |> gelu\n  y + h |> linear(10)'))).toBeUndefined();
  });
  it('line ends stay as they are', () => {
    const out = split(pipeline.replace('relu', 're$0lu').replaceAll('\n', '\r\n'));
    expect(out).toBe(bindings.replaceAll('\n', '\r\n'));
  });
});

describe('the result type', () => {
  it.each([
    ['(x: [B, 784])', '(x: [B, 784]) -> [B, 10]', '  x |> linear(10)'],
    [
      '(x: [B, 784], n: int = min(1, 2)) where n >= 1',
      '(x: [B, 784], n: int = min(1, 2)) -> ([B, n], [B, 784]) where n >= 1',
      '  (x |> linear(n), x)',
    ],
  ])('of %s', (before, after, lines) => {
    expect(annotated(`model N$0et${before} {\n${lines}\n}\n`)).toBe(`model Net${after} {\n${lines}\n}\n`);
  });
  it('is added once', () => expect(annotated(body('  x |> linear(10)').replace('Net', 'N$0et'))).toBeUndefined());
});

describe('imports', () => {
  const files: Readonly<Record<string, string>> = {
    'file:///w/a.strata': body('  x |> linear(10)').replaceAll('Net', 'A'),
    'file:///w/b.strata': `${body('  x |> linear(10)').replaceAll('Net', 'B')}\n${body('  x |> linear(10)').replaceAll('Net', 'C')}`,
  };
  const sorted = (text: string) => {
    const analysis = analyze('file:///w/main.strata', text, { ...host, readText: uri => files[uri] });
    const [action] = codeActions(analysis, { start: 0, end: 0 }, kind => kind === 'source.organizeImports');
    return action && applyEdits(text, action.edits);
  };
  const rest = `\n${body('  x |> A')}\n${body('  x |> B').replaceAll('Net', 'Two')}`;
  it('are sorted, joined and rid of what nothing reads', () => {
    const messy = 'import C from "b.strata"\nimport B from "b.strata"\n\nimport A from "a.strata"\n';
    expect(sorted(messy + rest)).toBe(`import A from "a.strata"\nimport B from "b.strata"\n${rest}`);
  });
  it.each([
    ['in order', `import A from "a.strata"\nimport B from "b.strata"\n${rest}`],
    ['with comments among them', `import B from "b.strata"\n// first\nimport A from "a.strata"\n${rest}`],
    ['with a mistake', `import B, Z from "b.strata"\nimport A from "a.strata"\n${rest}`],
  ])('%s stay', (_, text) => expect(sorted(text)).toBeUndefined());
});

const root = fileURLToPath(new URL('../../../examples/', import.meta.url));
const examples = readdirSync(root).filter(name => name.endsWith('.strata'));

/** Programs of all train blocks, with weights told by their order alone where `anonymous`. */
function programs(analysis: Analysis, anonymous: boolean): readonly string[] {
  return analysis.trains.map(({ name }) => {
    const lowered = lower(analysis, name);
    if (lowered.kind !== 'program') return lowered.kind;
    const text = printProgram(lowered.program);
    if (!anonymous) return text;
    const names = new Map(lowered.program.parameters.map((p, i) => [p.name, `p${i}`]));
    const unlabelled = text.replaceAll(/ {2}\/\/ [^"\\]*/g, '');
    return orderless(unlabelled.replaceAll(/[\w.]+/g, word => names.get(word) ?? word));
  });
}

describe.each(examples)('over %s', async name => {
  const text = readFileSync(join(root, name), 'utf8');
  const langHost = createLangHost({ run: runSchemaJob, workspaceOf: () => root });
  const analysis = await analyzeSettled(pathToFileURL(join(root, name)).href, text, langHost);
  /** Every place, and a selection from each place to some that follow it. */
  const ranges = [...text.matchAll(/[A-Za-z_]\w*/g)].flatMap((m, i, all) =>
    [0, 2, 5].map(n => ({
      start: m.index,
      end: n === 0 ? m.index : (all[i + n]?.index ?? m.index) + (all[i + n]?.[0].length ?? 0),
    })),
  );
  it('no action adds an error, and rewriting keeps the program', { timeout: 60_000 }, () => {
    // A data set that has to be fetched first is missing, and stays so.
    const codes = ({ facts }: Analysis) => facts.map(f => f.code);
    const seen = new Set<string>();
    const before = programs(analysis, false);
    const unnamed = programs(analysis, true);
    for (const range of ranges) {
      for (const action of codeActions(analysis, range)) {
        const changed = applyEdits(text, action.edits);
        if (seen.has(changed)) continue;
        seen.add(changed);
        const after = reanalyze(analysis, changed);
        expect(codes(after), `${action.title}:\n${changed}`).toEqual(codes(analysis));
        if (action.kind === 'refactor.rewrite') expect(programs(after, false), changed).toEqual(before);
        if (action.kind === 'refactor.inline') expect(programs(after, true), changed).toEqual(unnamed);
      }
    }
    expect(seen.size).toBeGreaterThan(0);
  });
});

it('data blocks offer no refactoring', () => {
  expect(act(digits.replace('flatten', 'fl$0atten'), 'refactor.rewrite')).toBeUndefined();
});
