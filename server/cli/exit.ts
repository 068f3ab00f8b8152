/** How commands end: exit codes, and one line for each kind of failure. */
import { EngineError } from '../../engine/util/errors.ts';
import { paint } from './terminal.ts';

/** 0: done. 1: the user's input has errors. 2: the command line is wrong. 3: the environment failed (file, device, disk). 70: our bug. */
export const exitCodes = { ok: 0, errors: 1, usage: 2, environment: 3, bug: 70 } as const;

/** The command line itself is wrong; `message` says what was expected. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Input with errors that have been printed already. */
export class ReportedError extends Error {
  override readonly name = 'ReportedError';
}

/** Runs a command and turns whatever it throws into a message on stderr and an exit code. */
export async function runCommand(action: () => unknown): Promise<void> {
  try {
    await action();
  } catch (error) {
    process.exitCode = report(error);
  }
}

function report(error: unknown): number {
  const prefix = paint(['bold', 'red'], 'error', process.stderr);
  if (error instanceof ReportedError) return exitCodes.errors;
  if (error instanceof UsageError) {
    console.error(`${prefix}: ${error.message}`);
    return exitCodes.usage;
  }
  if (error instanceof EngineError) {
    console.error(`${prefix}[${error.code}]: ${error.message}`);
    return exitCodes.environment;
  }
  console.error(`${prefix}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  return exitCodes.bug;
}
