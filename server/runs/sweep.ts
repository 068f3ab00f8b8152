/** The runs of a sweep, one after the other: each starts when the one before it has finished. */
import { never } from '../../engine/util/errors.ts';
import type { RunManager } from './manager.ts';
import type { RunSummary } from './runs.ts';
import type { NewRun } from './store.ts';

/**
 * Starts the first and resolves when its engine listens; rejects where that fails. The others follow by themselves, until one fails, is
 * stopped or can't start, which `refused` is told. They are started from here: with this process gone, the run that goes on is the last.
 */
export async function startSweep(
  manager: Pick<RunManager, 'start' | 'onEvents'>,
  [make, ...others]: readonly (() => NewRun)[],
  refused: (error: unknown) => void,
): Promise<RunSummary> {
  if (make === undefined) throw never('a sweep without runs');
  // A short run may be over before `start` has said which one it is.
  const endings = new Map<string, RunSummary['state']>();
  let own: string | undefined;
  const note = ({ folder, state }: RunSummary): void => {
    if (state === 'starting' || state === 'running' || state === 'paused') return;
    endings.set(folder, state);
    if (own === undefined || !endings.has(own)) return;
    unsubscribe();
    if (endings.get(own) === 'finished' && others.length > 0) startSweep(manager, others, refused).catch(refused);
  };
  const unsubscribe = manager.onEvents(note);
  try {
    const summary = await manager.start(make());
    own = summary.folder;
    note({ ...summary, state: endings.get(own) ?? summary.state });
    return summary;
  } catch (error) {
    unsubscribe();
    throw error;
  }
}
