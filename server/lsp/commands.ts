/** What commands have in common: arguments that are checked, refusals for people, failures of ours that go to the log. */
import * as v from 'valibot';
import { ErrorCodes, LSPErrorCodes, ResponseError } from 'vscode-languageserver';
import { EngineError } from '../../engine/util/errors.ts';
import type { Analysis } from '../lang/api.ts';
import { logFailure, type Session } from './session.ts';
import type { Workspace } from './workspace.ts';

/** The argument of a command or request. Rejects as malformed. */
export function parse<T>(schema: v.GenericSchema<unknown, T>, value: unknown): T {
  const parsed = v.safeParse(schema, value);
  if (parsed.success) return parsed.output;
  throw refused(`malformed argument: ${parsed.issues[0].message}`, ErrorCodes.InvalidParams);
}

/** An answer for people. */
export function refused(message: string, code: number = LSPErrorCodes.RequestFailed): ResponseError<void> {
  return new ResponseError(code, message);
}

/** Errors of the environment go to the client as they are, for they are written for people; ours go to the log. */
export async function replying<R>({ connection, say }: Session, work: () => Promise<R>): Promise<R> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ResponseError) throw error;
    if (error instanceof EngineError) {
      throw new ResponseError(LSPErrorCodes.RequestFailed, error.message, { code: error.code });
    }
    logFailure(connection, error);
    throw refused(say('failed'), ErrorCodes.InternalError);
  }
}

/** Once all data is known: reading it may take longer than an answer to an editor waits. */
export async function settledAnalysis(workspace: Workspace, uri: string): Promise<Analysis | undefined> {
  workspace.analysis(uri);
  await workspace.settled(60_000);
  return workspace.analysis(uri);
}
