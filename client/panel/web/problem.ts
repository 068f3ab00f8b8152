/** The card that tells why a run failed and what to do about it. */
import type { EngineErrorCode } from '../../../engine/util/errors.ts';
import { t } from './l10n.ts';
import type { RunStore } from './store.ts';

export interface Problem {
  readonly heading: string;
  readonly message: string;
  readonly code?: string;
  readonly remedy?: string;
}

/** What to do next, by code. The message itself names the file and the place. */
const remedies: Readonly<Record<EngineErrorCode, string>> = {
  'data-missing': t('Put the file there or correct the path in the data block, then train again.'),
  'data-malformed': t('Replace the file with an intact copy of the expected format, then train again.'),
  'data-out-of-range': t('Correct the values in the file, or the number of classes that the program declares.'),
  'data-not-finite': t('Remove or fill the missing values in the file, then train again.'),
  'data-empty': t('Choose a source that has at least one sample.'),
  'path-outside-workspace': t('Keep data below the workspace folder and refer to it with a relative path.'),
  'split-empty': t('Give the split a larger share, or leave it out.'),
  'batch-too-large': t('Choose a batch no larger than the training split.'),
  'checkpoint-malformed': t('The checkpoint is damaged: train anew, or resume from another run.'),
  'checkpoint-mismatch': t('The checkpoint belongs to another model: undo the change to the model, or train anew.'),
  'checkpoint-missing': t('This run has no checkpoint to continue from: train anew.'),
  'program-malformed': t('The run folder is damaged: train anew from the source file.'),
  'disk-full': t('Free some space; what was saved last is intact and can be resumed.'),
  'run-missing': t('The run folder was moved or deleted.'),
  'run-busy': t('Wait until the run has ended, or stop it first.'),
  'socket-taken': t('Another process holds the run’s socket: stop it, then train again.'),
  'no-adapter': t(
    'Choose the CPU with the setting strata.device, or install a graphics driver with Vulkan, Metal or D3D12.',
  ),
  'device-lost': t(
    'Resume from the last checkpoint; if it happens again, choose the CPU with the setting strata.device.',
  ),
  'out-of-memory': t('Choose a smaller batch or model, or the CPU with the setting strata.device.'),
  'not-finite': t('The last good weights are kept. Try a smaller learning rate, or standardize the inputs.'),
  'engine-died': t('Resume from the last checkpoint; the log tells how the process ended.'),
  unsupported: t('See the documentation for what this device and this version can do.'),
};

function remedyOf(code: string): string | undefined {
  return code in remedies ? remedies[code as EngineErrorCode] : undefined;
}

/** From a refusal of the server, before or instead of a run. */
export function refused(message: string, code?: string): Problem {
  const remedy = code === undefined ? undefined : remedyOf(code);
  return {
    heading: t('Training could not start'),
    message,
    ...(code === undefined ? {} : { code }),
    ...(remedy === undefined ? {} : { remedy }),
  };
}

/** From the run itself; undefined while it is well. */
export function problemOf(store: RunStore): Problem | undefined {
  const error = store.done?.error;
  if (error && store.state === 'failed')
    return { ...refused(error.message, error.code), heading: t('Training failed') };
  if (store.state === 'failed')
    return { heading: t('Training failed'), message: t('the log of the language server tells more') };
  if (store.state !== 'died') return undefined;
  return {
    heading: t('The engine process is gone'),
    message: store.summary?.resumable
      ? t('the process ended without a word; everything up to the last checkpoint is safe')
      : t('the process ended before it wrote a checkpoint'),
    code: 'engine-died',
    remedy: store.summary?.resumable ? remedies['engine-died'] : t('Train again; the log tells how the process ended.'),
  };
}
