/** Measures a checkpoint on one of its splits, without training. */

import { EngineError } from '../util/errors.ts';
import { tableClasses } from './classNames.ts';
import type { Metrics, Tables } from './events.ts';
import { prepareTraining, type SetupOptions } from './setup.ts';
import type { SplitName } from './step.ts';

export interface Evaluation {
  readonly split: SplitName;
  readonly samples: number;
  readonly device: string;
  /** `loss` and the reports. */
  readonly metrics: Metrics;
  /** Of the reports that have one. */
  readonly tables: Tables;
  /** Names of their rows and columns, by report, where the data has names for its classes. */
  readonly classes: Readonly<Record<string, readonly string[]>>;
}

/** Loss and reports of a checkpoint over `split`. Throws `split-empty` where the data has no such split, and what data, checkpoint and device may throw. */
export async function evaluateSplit(
  options: Required<Pick<SetupOptions, 'resumeFrom'>> & SetupOptions,
  split: SplitName,
): Promise<Evaluation> {
  const { session } = await prepareTraining(options);
  try {
    const { counts } = session.layout;
    const samples = counts[split];
    if (samples === 0) {
      const others = Object.keys(counts).filter(name => counts[name as SplitName] > 0);
      throw new EngineError(
        'split-empty',
        `expected samples in the ${split} split, found none; choose ${others.join(' or ')}, or train anew with \`split ${split}: 0.1\` in the data`,
      );
    }
    const measured = await session.evaluate(split, async () => true);
    const { metrics = {}, tables = {} } = measured ?? {};
    return {
      split,
      samples,
      device: session.backend.description,
      metrics,
      tables,
      classes: tableClasses(options.program),
    };
  } finally {
    await session.dispose();
  }
}
