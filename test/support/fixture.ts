/** Programs with markers: `$0` is the cursor, and a comment line under the code, `//  ^^^ error[code]: part of the fact`, says what is wrong there. */
import { expect } from 'vitest';
import type { Call } from '../../engine/ir/program.ts';
import { analyze } from '../../server/lang/analyze.ts';
import type { Analysis, DiagnosticFact, LangHost, SchemaResult } from '../../server/lang/api.ts';
import { expectVariantsAlike } from './variants.ts';

const image = { name: 'image', dtype: 'u8', shape: [28, 28] } as const;
const label = { name: 'label', dtype: 'i32', shape: [], classes: 10 } as const;
const point = { name: 'point', dtype: 'f32', shape: [2] } as const;

/** Sources that need no disk; a path that contains "missing" isn't there. */
function schemaOf({ name, args }: Call): SchemaResult {
  const missing = Object.entries(args).find(([, value]) => typeof value === 'string' && value.includes('missing'));
  if (missing)
    return { kind: 'problem', code: 'data-missing', message: `no file at ${String(missing[1])}`, argument: missing[0] };
  if (name === 'digits' || name === 'idx')
    return { kind: 'schema', columns: [image, label], samples: Number(args.samples ?? 5000) };
  if (name === 'csv') return { kind: 'pending' };
  if (name === 'sequences') {
    const column = { dtype: 'i32', shape: [Number(args.length)], classes: Number(args.symbols) } as const;
    return { kind: 'schema', columns: ['tokens', 'next'].map(each => ({ name: each, ...column })), samples: 2000 };
  }
  return { kind: 'schema', columns: [point, { ...label, classes: 2 }], samples: Number(args.samples ?? 1000) };
}

/** One run, whose weights are those of a `linear(64)` over 784 called `encoder`. */
const pretrain = new Map<string, readonly number[]>([
  ['encoder.weight', [64, 784]],
  ['encoder.bias', [64]],
]);

/** A host without a disk. What would be logged as our mistake fails the test. */
export function testHost(files: Readonly<Record<string, string>> = {}): LangHost {
  return {
    readText: uri => files[uri],
    readSchema: schemaOf,
    readWeights: from =>
      from === 'pretrain'
        ? { kind: 'weights', shapes: pretrain }
        : { kind: 'problem', code: 'data-missing', message: `${from}: expected a run of this workspace` },
    internalError: error => {
      throw error;
    },
  };
}

export const testUri = 'file:///project/main.strata';

export interface Fixture {
  readonly analysis: Analysis;
  readonly text: string;
  /** Of `$0`; -1 without one. */
  readonly cursor: number;
}

export function fixture(marked: string, files?: Readonly<Record<string, string>>): Fixture {
  const cursor = marked.indexOf('$0');
  const text = cursor < 0 ? marked : marked.slice(0, cursor) + marked.slice(cursor + 2);
  const host = testHost(files);
  const analysis = analyze(testUri, text, host);
  expectVariantsAlike(analysis, cursor, host);
  return { analysis, text, cursor };
}

interface Marker {
  readonly line: number;
  readonly start: number;
  readonly end: number;
  readonly code: string;
  readonly part: string;
}

const markerLine = /^(\s*\/\/\s*)(\^+)\s*(?:error|warning)\[([\w-]+)\](?::\s*(.*))?$/;

function markersOf(text: string): readonly Marker[] {
  const lines = text.split('\n');
  let code = -1;
  return lines.flatMap((line, i) => {
    const m = markerLine.exec(line);
    if (!m) {
      code = i;
      return [];
    }
    const start = m[1]!.length;
    return [{ line: code, start, end: start + m[2]!.length, code: m[3]!, part: m[4] ?? '' }];
  });
}

/** The facts of a marked program are exactly those marked. A fact without width is marked by one `^` at its place. */
export function expectMarked(marked: string, files?: Readonly<Record<string, string>>): readonly DiagnosticFact[] {
  const { analysis, text } = fixture(marked, files);
  const expected = markersOf(text).map(m => `${m.line + 1}:${m.start}-${m.end} ${m.code}`);
  const found = analysis.facts.map(f => {
    const from = analysis.lines.position(f.span.start);
    const width = Math.max(1, f.span.end - f.span.start);
    return `${from.line + 1}:${from.character}-${from.character + width} ${f.code}`;
  });
  expect(found).toEqual(expected);
  for (const [i, { part }] of markersOf(text).entries())
    expect(JSON.stringify(analysis.facts[i]!.data)).toContain(part);
  return analysis.facts;
}

/** Inlay texts by the trimmed source line that they stand on. */
export function shapesByLine(analysis: Analysis): ReadonlyMap<string, string> {
  const lines = analysis.text.split('\n');
  const shapes = new Map<string, string>();
  for (const { offset, kind, text } of analysis.inlays()) {
    if (kind !== 'shape') continue;
    const line = lines[analysis.lines.position(offset).line]!.trim();
    shapes.set(line, `${shapes.get(line) ?? ''} ${text}`.trim());
  }
  return shapes;
}
