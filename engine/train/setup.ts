/** From a Program to a session that can train: data loaded, step graphs built, a backend chosen, weights in place. */
import type { Backend } from '../backend/backend.ts';
import { loadData } from '../data/dataset.ts';
import type { Fitted } from '../data/fit.ts';
import type { ResolvePath } from '../data/paths.ts';
import type { Program } from '../ir/program.ts';
import { type Checkpoint, demandSameData, restoreFitted, restoreWeights } from './checkpoint.ts';
import { stepsOf } from './compile.ts';
import { chooseDevice, type GpuOptions, type Openers, openers, type Trial } from './devices.ts';
import { initializeFrom } from './initFrom.ts';
import { initialParameters } from './initialize.ts';
import { openSession, type Session, type Weights } from './session.ts';
import { passOf, type StepLayout, type Steps } from './step.ts';

export interface SetupOptions {
  readonly program: Program;
  readonly resolvePath: ResolvePath;
  /** A checkpoint to go on from, and its path for messages. */
  readonly resumeFrom?: { readonly checkpoint: Checkpoint; readonly path: string };
  /** Backends to choose from; those of this build by default. */
  readonly open?: Openers;
}

export interface Prepared {
  readonly session: Session;
  readonly steps: Steps;
  /** What transforms learnt from the data. */
  readonly fitted: Fitted;
}

/** Milliseconds and steps that `auto` spends on timing a device, after a first step that warms it up. */
const TRIAL_MS = 60;
const TRIAL_STEPS = 32;

/** Loads, compiles and chooses; data is prepared on the CPU whatever the run's device. Throws EngineError for whatever is wrong with data, checkpoint or machine. */
export async function prepareTraining({
  program,
  resolvePath,
  resumeFrom,
  open = openers,
}: SetupOptions): Promise<Prepared> {
  const host = await open.wasm();
  const fitted = resumeFrom && restoreFitted(resumeFrom.checkpoint, program.data, resumeFrom.path);
  const loading = { resolvePath, seed: program.run.seed, backend: host, ...(fitted && { fitted }) };
  const data = await loadData(program.data, loading);
  const steps = stepsOf(program, data.counts);
  const weights = await initialWeights(program, steps.layout, data.fitted, resolvePath, resumeFrom);
  const tryOn = async (backend: Backend, measure: boolean): Promise<Trial<Session>> => {
    const session = await openSession(program, steps, data, backend);
    const msPerStep = measure ? await timeSteps(session, weights) : 0;
    session.writeWeights(weights);
    return { value: session, msPerStep, dispose: session.dispose };
  };
  const before = resumeFrom?.checkpoint.state.backend;
  const mixed = program.run.precision === 'mixed';
  const opening = { wasm: async () => host, webgpu: (options: GpuOptions) => open.webgpu({ ...options, mixed }) };
  const session = await chooseDevice(program.run.device, before, opening, tryOn);
  if (session.backend !== host) await host.dispose();
  return { session, steps, fitted: data.fitted };
}

async function initialWeights(
  program: Program,
  layout: StepLayout,
  fitted: Fitted,
  resolvePath: ResolvePath,
  resumeFrom: SetupOptions['resumeFrom'],
): Promise<Weights> {
  if (resumeFrom === undefined) {
    const names = program.parameters.map(parameter => parameter.name);
    const buffers = initialParameters(layout, names, program.run.seed, fitted);
    await initializeFrom(program, layout, resolvePath, buffers);
    return { step: 0, buffers: { ...buffers, ...averages(layout, buffers) } };
  }
  demandSameData(resumeFrom.checkpoint.state, layout, resumeFrom.path);
  return restoreWeights(resumeFrom.checkpoint, layout, resumeFrom.path);
}

/** Moving averages start as the weights themselves. */
function averages({ groups }: StepLayout, buffers: Weights['buffers']): Weights['buffers'] {
  const pairs = groups.flatMap(({ buffer, average }) =>
    average === undefined ? [] : [[average, buffers[buffer]!] as const],
  );
  return Object.fromEntries(pairs);
}

/** Milliseconds a step, from the run's own first batches; the weights must be written again afterwards. */
async function timeSteps(session: Session, weights: Weights): Promise<number> {
  // What is compiled beside the steps would be timed with them.
  await session.executable.ready();
  session.writeWeights({ ...weights, step: 0 });
  session.setOrder(0);
  session.train(0, 1);
  await session.executable.sync();
  const most = Math.min(TRIAL_STEPS, passOf(session.layout, 'train').full - 1);
  const start = performance.now();
  let done = 0;
  while (done < most && performance.now() - start < TRIAL_MS) {
    session.train(done + 1, 1);
    await session.executable.sync();
    done++;
  }
  return done === 0 ? 0 : (performance.now() - start) / done;
}
