/** Summaries from disk follow the metrics file, and are not made again while it stands still. */
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { createOfflineSummaries } from '../../../server/runs/offline.ts';

const folder = mkdtempSync(join(tmpdir(), 'strata-offline-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const identity = { id: '1', folder, name: 'first', source: 'first.strata', started: 0 };
const step = (n: number) =>
  `${JSON.stringify({ type: 'step', step: n, epoch: 1, loss: 1 / n, lr: 1, metrics: {}, time: 0 })}\n`;

it('reads a run again only when its metrics have grown or an engine answers', () => {
  const summaryOf = createOfflineSummaries();
  expect(summaryOf(identity).step).toBe(0);
  writeFileSync(join(folder, 'metrics.jsonl'), step(1));
  const one = summaryOf(identity);
  expect(one).toMatchObject({ step: 1, state: 'died' });
  expect(summaryOf(identity)).toBe(one);
  appendFileSync(join(folder, 'metrics.jsonl'), step(2));
  expect(summaryOf(identity)).toMatchObject({ step: 2, loss: 0.5 });
  expect(summaryOf(identity, true).state).not.toBe('died');
});
