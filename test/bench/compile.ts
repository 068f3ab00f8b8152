/** `npm run bench:compile [NAME…]`: what each example and workload takes to compile for the CPU, in a process of its own as a run has it: the training step alone, and all that a run needs, stage by stage. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { wasmBackend } from '../../engine/backend/wasm/index.ts';
import { loadData } from '../../engine/data/dataset.ts';
import { workspacePaths } from '../../engine/data/paths.ts';
import { parseProgram, printProgram } from '../../engine/ir/programText.ts';
import { schedulesOf, stepsOf } from '../../engine/train/compile.ts';
import type { StepLayout } from '../../engine/train/step.ts';
import { programNamed, programNames } from './programs.ts';

/** Milliseconds of each stage. */
interface Stages {
  readonly passes: number;
  readonly scheduler: number;
  readonly backend: number;
  readonly kernels: number;
}

const ROUNDS = 3;
const BAR_MS = 300;

/** The child: a Program and the sizes of its splits on stdin, the stages on stdout. */
async function measure(): Promise<void> {
  const { text, counts } = JSON.parse(readFileSync(0, 'utf8')) as { text: string; counts: StepLayout['counts'] };
  const program = parseProgram(text, 'program.json');
  const backend = await wasmBackend();
  const marks = [performance.now()];
  const mark = () => marks.push(performance.now());
  const steps = stepsOf(program, counts);
  mark();
  const schedules = schedulesOf(steps, backend.memory);
  mark();
  await backend.compile(schedules);
  mark();
  const [passes, scheduler, compiler] = marks.slice(1).map((time, i) => time - marks[i]!);
  const kernels = schedules.reduce((n, each) => n + each.kernels.length, 0);
  console.log(JSON.stringify({ passes, scheduler, backend: compiler, kernels }));
  process.exit();
}

/** The round that took least, which other work on the machine has disturbed least. */
function stagesOf(script: string, text: string, counts: StepLayout['counts']): Stages {
  const rounds = Array.from({ length: ROUNDS }, () => {
    const child = spawnSync(process.execPath, [script, '', '--measure'], {
      input: JSON.stringify({ text, counts }),
      encoding: 'utf8',
    });
    if (child.status !== 0) throw new Error(child.stderr);
    return JSON.parse(child.stdout) as Stages;
  });
  return rounds.reduce((a, b) => (totalOf(a) <= totalOf(b) ? a : b));
}

const totalOf = ({ passes, scheduler, backend }: Stages) => passes + scheduler + backend;

async function main(script: string, folder: string, names: readonly string[]): Promise<void> {
  const load = loadavg()[0]!.toFixed(1);
  console.log(
    `${cpus()[0]?.model}, ${availableParallelism()} cores, load ${load}, Node ${process.version}; bar ${BAR_MS} ms`,
  );
  console.log(
    'step: training on a full batch; run: the batch at the end of an epoch, the other splits and what is shown too',
  );
  console.log(`${'program'.padEnd(20)}step ms   run ms   passes  scheduler  backend  kernels`);
  const examples = join(folder, '..', '..', 'examples');
  for (const name of programNames(examples, names)) {
    const program = await programNamed(examples, name);
    const resolvePath = workspacePaths(examples);
    const options = { resolvePath, seed: program.run.seed, backend: await wasmBackend() };
    const { counts } = await loadData(program.data, options);
    const { views: _, ...unseen } = program;
    const oneBatch = { train: program.data.batch, validation: 0, test: 0 };
    const step = stagesOf(script, printProgram(unseen), oneBatch);
    report(name, step, stagesOf(script, printProgram(program), counts));
  }
  process.exit();
}

function report(name: string, step: Stages, run: Stages): void {
  const times = [totalOf(step), totalOf(run), run.passes, run.scheduler, run.backend];
  const columns = times.map(ms => ms.toFixed(0).padStart(8));
  const verdict = totalOf(step) <= BAR_MS ? '' : '  above the bar';
  console.log(`${name.padEnd(18)}${columns.join(' ')} ${String(run.kernels).padStart(8)}${verdict}`);
}

const [script, folder, ...args] = process.argv.slice(1);
if (args.includes('--measure') || folder === '') await measure();
else await main(script!, folder!, args);
