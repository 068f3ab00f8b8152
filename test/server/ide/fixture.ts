/** Fixtures of the editor features: a program with `$0` where the cursor is, or with `«…»` around a range. */

import { runSchemaJob } from '../../../server/data/schemaJob.ts';
import { analyze } from '../../../server/lang/analyze.ts';
import type { Analysis } from '../../../server/lang/api.ts';
import { createLangHost, type DiskHost } from '../../../server/runs/langHost.ts';
import { expectVariantsAlike } from '../../support/variants.ts';

/** Procedural sources alone: no test of the editor touches a disk. */
export const host: DiskHost = createLangHost({ run: runSchemaJob, workspaceOf: () => '/nowhere' });

export interface Fixture {
  readonly analysis: Analysis;
  readonly text: string;
  /** Of `$0`; 0 without one. */
  readonly offset: number;
}

export function fixture(marked: string, uri = 'file:///nowhere/file.strata'): Fixture {
  const offset = Math.max(marked.indexOf('$0'), 0);
  const text = marked.replace('$0', '');
  const analysis = analyze(uri, text, host);
  expectVariantsAlike(analysis, marked.includes('$0') ? offset : -1, host);
  return { analysis, text, offset };
}

/** Wraps a model body: `x` is `[B, 784]` and the result `[B, 10]`. */
export function body(lines: string): string {
  return `model Net(x: [B, 784]) -> [B, 10] {\n${lines}\n}\n`;
}

export const digits = `data Digits = digits() {
  image = image |> flatten
  split validation: 0.1, test: 0.1
  batch 64
}
`;

/** A whole program that trains, with `statement` in its train block. */
export function program(statement = 'report accuracy(logits, label)'): string {
  return `${body('  x |> linear(128) |> relu |> linear(10)')}
${digits}
train first on Digits {
  net = Net()
  logits = net(image)
  minimize cross_entropy(logits, label) using adam(lr: 0.001)
  ${statement}
  epochs 2
}
`;
}
