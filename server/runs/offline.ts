/** Summaries of runs without reading their histories again and again: a server lists runs whenever one starts or ends. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { METRICS_FILE, readMetrics } from '../../engine/process/runFolder.ts';
import { type RunIdentity, summarize } from './history.ts';
import type { RunSummary } from './runs.ts';
import { hasCheckpoint } from './store.ts';

/** What the folder of a run says of it; `isLive` if an engine answers there. */
export type OfflineSummaries = (identity: RunIdentity, isLive?: boolean) => RunSummary;

/** The same summary is given again until the metrics file changes. */
export function createOfflineSummaries(): OfflineSummaries {
  const known = new Map<string, { readonly stamp: string; readonly summary: RunSummary }>();
  return (identity, isLive = false) => {
    const resumable = hasCheckpoint(identity.folder);
    const stamp = `${metricsStamp(identity.folder)} ${resumable} ${isLive}`;
    const last = known.get(identity.folder);
    if (last?.stamp === stamp) return last.summary;
    const summary = summarize(identity, readMetrics(identity.folder), isLive, resumable);
    known.set(identity.folder, { stamp, summary });
    return summary;
  };
}

function metricsStamp(folder: string): string {
  const stat = statSync(join(folder, METRICS_FILE), { throwIfNoEntry: false });
  return stat === undefined ? 'none' : `${stat.size}:${stat.mtimeMs}`;
}
