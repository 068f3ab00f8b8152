/** Training as a service of the language server: commands and run notifications for any client, lenses that offer them. */

import * as v from 'valibot';
import { type Command, ErrorCodes, MessageType, ResponseError, ShowMessageNotification } from 'vscode-languageserver';
import type { Choice, Program } from '../../engine/ir/program.ts';
import { EngineError } from '../../engine/util/errors.ts';
import { codeLenses, type Lens, type ResumableRun, trainProblem } from '../ide/codeLens.ts';
import { renderFact } from '../ide/diagnostics/registry.ts';
import type { Analysis } from '../lang/api.ts';
import { lower } from '../lang/lower/lower.ts';
import type { RunManager } from '../runs/manager.ts';
import type { RunSummary } from '../runs/runs.ts';
import { startSweep } from '../runs/sweep.ts';
import { parse, refused, replying, settledAnalysis } from './commands.ts';
import { fetchCommand } from './fetching.ts';
import { attachRequest, runNotification, runsRequest, serverCommands } from './protocol.ts';
import { refresh } from './refresh.ts';
import { createRunProgress } from './runProgress.ts';
import { answerSettled, logFailure, type Session, settingsFor } from './session.ts';

const trainArguments = v.object({
  uri: v.string(),
  train: v.optional(v.string()),
  device: v.optional(v.picklist(['auto', 'webgpu', 'cpu'])),
});
const runArguments = v.object({ folder: v.string() });

export interface Training {
  /** Attaches to the runs that live in the workspace folders; called when they are known. */
  attach(): void;
  dispose(): void;
}

export function registerTraining(session: Session): Training {
  const { connection, host, options } = session;
  const runs = host.createRuns?.({
    engine: options.engine,
    runtime: () => session.settings.runtime,
    log: message => connection.console.log(message),
  });
  const resumable = new Map<string, readonly RunSummary[]>();
  /** Reads the run folders again; cheap enough for the moments when one starts or ends. */
  const recount = async (): Promise<void> => {
    if (runs === undefined) return;
    for (const folder of host.folders()) resumable.set(folder, (await runs.list(folder)).filter(isResumable));
    refresh(session, 'codeLens');
  };
  const progress = runs === undefined ? undefined : createRunProgress(session, runs);
  const unsubscribe = runs?.onEvents((summary, events) => {
    void connection.sendNotification(runNotification, { summary, events });
    progress?.update(summary, events);
    // A run is resumable when its engine has left, a moment after its last event.
    if (summary.resumable || events.some(e => e.type === 'start'))
      void recount().catch(error => logFailure(connection, error));
  });
  registerCommands(session, runs);
  registerRequests(session, runs);
  registerLenses(session, uri => resumableOf(session, uri, resumable));
  return {
    attach: () => {
      const work = async (): Promise<void> => {
        await Promise.all(host.folders().map(folder => runs?.attachAll(folder)));
        await recount();
      };
      void work().catch(error => logFailure(connection, error));
    },
    dispose: () => {
      unsubscribe?.();
      runs?.dispose();
    },
  };
}

/** Why nothing may be trained from a file, or undefined if it may. */
function refusal({ settings, host, say }: Session, uri: string): string | undefined {
  if (!settings.trusted) return say('untrusted');
  if (host.createRuns === undefined) return say('browser');
  if (host.trainingPlace(uri) === undefined) return say('unsaved');
  return undefined;
}

function registerCommands(session: Session, runs: RunManager | undefined): void {
  const { connection, say } = session;
  connection.onExecuteCommand(({ command, arguments: args }) =>
    replying(session, async () => {
      if (command === serverCommands.train) return train(session, runs, args?.[0]);
      if (command === serverCommands.fetch) return fetchCommand(session, args?.[0]);
      const action = runAction(command);
      if (action === undefined) throw refused(`no command is called ${command}`, ErrorCodes.InvalidParams);
      const folder = ownFolder(session, args?.[0]);
      if (action === 'resume' && !session.settings.trusted) throw refused(say('cantResume', say('untrusted')));
      return demand(session, runs)[action](folder);
    }),
  );
}

async function train(session: Session, runs: RunManager | undefined, argument: unknown): Promise<RunSummary> {
  const { workspace, host, say } = session;
  const wanted = parse(trainArguments, argument);
  const reason = refusal(session, wanted.uri);
  if (reason !== undefined) throw refused(say('cantTrain', reason));
  const analysis = await settledAnalysis(workspace, wanted.uri);
  const place = host.trainingPlace(wanted.uri);
  if (analysis === undefined || place === undefined) throw refused(say('noFile', wanted.uri));
  const lowered = lower(analysis, wanted.train);
  if (lowered.kind === 'unknown-train') {
    const names = lowered.names.join(', ');
    throw refused(names === '' ? say('noBlock') : say('noBlockCalled', wanted.train ?? '', names));
  }
  if (lowered.kind === 'errors') {
    const block = analysis.trains.find(t => wanted.train === undefined || t.name === wanted.train);
    throw refused(say('cantTrain', (block && trainProblem(block, say)) ?? say('hasErrors')));
  }
  const device = wanted.device ?? settingsFor(session, wanted.uri).device;
  const rest = {
    text: analysis.text,
    source: place.source,
    request: { workspace: place.workspace, base: place.base, ...(device === undefined ? {} : { device }) },
  };
  if (lowered.choices.length === 0) return demand(session, runs).start({ program: lowered.program, ...rest });
  const sweep = lowered.choices.map(choice => () => ({
    program: programOf(session, analysis, wanted.train, choice),
    ...rest,
  }));
  return startSweep(demand(session, runs), sweep, error => tellEnd(session, error));
}

/** Why a later run of a sweep did not start: nobody waits for an answer there. */
function tellEnd({ connection, say }: Session, error: unknown): void {
  const known = error instanceof ResponseError || error instanceof EngineError;
  const message = say('sweepEnds', known ? error.message : say('failed'));
  if (!known) logFailure(connection, error);
  void connection.sendNotification(ShowMessageNotification.type, { type: MessageType.Error, message });
}

/** Of one run of a sweep, whose first has been lowered without errors; what other numbers make wrong ends the sweep there. */
function programOf({ say }: Session, analysis: Analysis, train: string | undefined, choice: Choice): Program {
  const lowered = lower(analysis, train, choice);
  if (lowered.kind === 'program') return lowered.program;
  const fact = lowered.kind === 'errors' ? lowered.facts[0] : undefined;
  const why = fact === undefined ? say('hasErrors') : renderFact(fact).message;
  throw refused(say('cantTrainWith', JSON.stringify(choice), why));
}

function registerRequests(session: Session, runs: RunManager | undefined): void {
  const { connection, host } = session;
  connection.onRequest(runsRequest, () =>
    replying(session, async () => {
      if (runs === undefined) return [];
      const lists = await Promise.all(host.folders().map(folder => runs.list(folder)));
      return lists.flat().sort((a, b) => b.started - a.started);
    }),
  );
  connection.onRequest(attachRequest, (params: unknown) =>
    replying(session, () => demand(session, runs).history(ownFolder(session, params))),
  );
}

function registerLenses(session: Session, resumableRuns: (uri: string) => readonly ResumableRun[]): void {
  const { connection, convert, say } = session;
  connection.onCodeLens(({ textDocument: { uri } }, token) =>
    answerSettled(session, uri, token, [], analysis => {
      if (!settingsFor(session, uri).codeLens) return [];
      const reason = refusal(session, uri);
      const context = { say, resumable: resumableRuns(uri), ...(reason === undefined ? {} : { refusal: reason }) };
      return codeLenses(analysis, context).map(lens => ({
        range: convert.range(analysis.lines, lens.span),
        command: lensCommand(session, lens, uri),
      }));
    }),
  );
}

/** With icons where the client draws `$(play)`; others would show the letters. */
function lensCommand({ say, options }: Session, lens: Lens, uri: string): Command {
  const icon = (name: string) => (options.icons === true ? `$(${name}) ` : '');
  switch (lens.kind) {
    case 'train':
      return {
        title: icon('play') + (lens.runs > 1 ? say('trainRuns', lens.runs) : say('train')),
        command: serverCommands.train,
        arguments: [{ uri, train: lens.train }],
      };
    case 'resume': {
      const [step, steps] = [lens.step, lens.steps].map(n => n.toLocaleString('en'));
      return {
        title: icon('debug-continue') + say('resume', step!, steps!),
        command: serverCommands.resume,
        arguments: [{ folder: lens.folder }],
      };
    }
    case 'fetch':
      return {
        title: icon('cloud-download') + say('fetch', lens.files.join(', ')),
        command: serverCommands.fetch,
        arguments: [{ uri }],
      };
    case 'note':
      return { title: lens.title, command: '', ...(lens.explanation === '' ? {} : { tooltip: lens.explanation }) };
  }
}

/** Only a run that stopped early has something left to do. */
function isResumable(run: RunSummary): boolean {
  return run.resumable && run.state !== 'finished';
}

function resumableOf(
  { host }: Session,
  uri: string,
  resumable: ReadonlyMap<string, readonly RunSummary[]>,
): readonly ResumableRun[] {
  const place = host.trainingPlace(uri);
  if (place === undefined) return [];
  return (resumable.get(place.workspace) ?? []).filter(run => run.source === place.source);
}

function runAction(command: string): 'resume' | 'pause' | 'continue' | 'stop' | undefined {
  return (['resume', 'pause', 'continue', 'stop'] as const).find(action => serverCommands[action] === command);
}

/** The folder named by a client; one that is no run of the workspace is refused. */
function ownFolder({ host, say }: Session, argument: unknown): string {
  const { folder } = parse(runArguments, argument);
  if (!host.ownsRun(folder)) throw refused(say('noRun', folder));
  return folder;
}

function demand({ say }: Session, runs: RunManager | undefined): RunManager {
  if (runs === undefined) throw refused(say('noMachine'));
  return runs;
}
