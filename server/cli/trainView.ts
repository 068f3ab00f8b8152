/** Shows a run in the terminal: JSON lines, or a live progress line, a line an epoch, and a loss plot and what went wrong at the end. */
import type { DoneEvent, EpochEvent, Metrics, RunEvent, StartEvent, StepEvent } from '../../engine/train/events.ts';
import {
  count,
  duration,
  type LiveLine,
  liveLine,
  lossPlot,
  metricText,
  paint,
  progressBar,
  tableText,
} from './terminal.ts';

export interface TrainView {
  /** An engine is about to be started: it may compile for seconds before it says anything itself. */
  begin(): void;
  show(event: RunEvent): void;
  /** Says what went wrong, if anything did, and leaves the terminal to other text. Nothing is shown after it. */
  end(): void;
}

/** One JSON value a line, as in `metrics.jsonl`, from `start` on: that an engine is starting is nothing to a reader who started it. */
export function jsonView(write: (line: string) => void = line => void process.stdout.write(line)): TrainView {
  return {
    show: event => {
      if (event.type !== 'state' || event.state !== 'starting') write(`${JSON.stringify(event)}\n`);
    },
    begin: () => {},
    end: () => {},
  };
}

export function terminalView(stream: NodeJS.WriteStream = process.stdout): TrainView {
  const view = new ProgressView(liveLine(stream), line => void stream.write(`${line}\n`));
  return { begin: () => view.begin(), show: event => view.show(event), end: () => view.end() };
}

class ProgressView {
  private start: StartEvent | undefined;
  private readonly losses: [number, number][] = [];
  private began = { step: 0, time: 0 };
  private lastDraw = 0;
  private error: DoneEvent['error'];

  constructor(
    private readonly live: LiveLine,
    private readonly print: (line: string) => void,
  ) {}

  show(event: RunEvent): void {
    if (event.type === 'start') this.onStart(event);
    else if (event.type === 'step') this.onStep(event);
    else if (event.type === 'epoch') this.onEpoch(event);
    else if (event.type === 'done') this.onDone(event);
    else if (event.type === 'state' && event.state === 'starting') this.begin();
    else if (event.type === 'state' && event.state === 'paused')
      this.live.update(`paused at step ${count(event.step)}`);
  }

  begin(): void {
    this.live.update('starting: reading data, compiling the training step…');
  }

  end(): void {
    this.live.clear();
    // Below the chart and the folder, where it is looked for.
    if (this.error !== undefined)
      this.print(`${paint(['bold', 'red'], 'error')}[${this.error.code}]: ${this.error.message}`);
  }

  private onStart(event: StartEvent): void {
    this.live.clear();
    this.start = event;
    this.began = { step: event.fromStep, time: event.time };
    const validation = event.validationSamples > 0 ? ` + ${count(event.validationSamples)} validation` : '';
    this.print(`${paint('bold', event.name)}  ${count(event.parameters)} weights on ${event.device}`);
    this.print(
      paint(
        'dim',
        `${count(event.trainSamples)}${validation} samples, batch ${event.batch}, ${count(event.steps)} steps, seed ${event.seed}`,
      ),
    );
    if (event.fromStep > 0) this.print(paint('dim', `resumed at step ${count(event.fromStep)}`));
  }

  private onStep(event: StepEvent): void {
    this.losses.push([event.step, event.loss]);
    // Ten redraws a second are smooth; more only cost time.
    if (event.time - this.lastDraw < 100 || this.start === undefined) return;
    this.lastDraw = event.time;
    const rate = ((event.step - this.began.step) / Math.max(1, event.time - this.began.time)) * 1000;
    const eta = rate > 0 ? duration((this.start.steps - event.step) / rate) : '…';
    const bar = progressBar(event.step / this.start.steps, 20);
    const shown = metricsText({ loss: event.loss, ...event.metrics });
    this.live.update(`${bar} epoch ${event.epoch}/${this.start.epochs}  ${shown}  ${count(rate)} steps/s  eta ${eta}`);
  }

  private onEpoch(event: EpochEvent): void {
    this.live.clear();
    const of = this.start === undefined ? '' : `/${this.start.epochs}`;
    const validation = event.validation === undefined ? '' : `  validation ${metricsText(event.validation)}`;
    this.print(
      `epoch ${`${event.epoch}${of}`.padStart(5)}  ${metricsText(event.train)}${validation}  ${paint('dim', `${count(event.stepsPerSecond)} steps/s`)}`,
    );
  }

  private onDone(event: DoneEvent): void {
    this.live.clear();
    this.error = event.error;
    const chart = lossPlot(this.losses);
    if (chart !== '') this.print(`\n${paint('dim', 'loss')}\n${chart}`);
    // A run that fails while it loads has had no device yet.
    const device = event.device === '' ? '' : ` on ${event.device}`;
    const speed = event.step === 0 ? '' : `, ${count(event.stepsPerSecond)} steps/s`;
    const steps = `${count(event.step)} ${event.step === 1 ? 'step' : 'steps'}`;
    this.print(`${paint('bold', doneTexts[event.reason])} after ${steps}${speed}${device}`);
    const final = metricsText(event.metrics);
    if (final !== '') this.print(final);
    for (const [name, rows] of Object.entries(event.tables ?? {}))
      this.print(`\n${tableText(name, rows, event.classes?.[name.replace(/^.*\./, '')])}`);
  }
}

const doneTexts: Readonly<Record<DoneEvent['reason'], string>> = {
  finished: 'finished',
  stopped: 'stopped',
  'early-stop': 'stopped early: no more improvement',
  failed: 'failed',
};

function metricsText(metrics: Metrics): string {
  return Object.entries(metrics)
    .map(([name, value]) => `${name} ${metricText(name, value)}`)
    .join('  ');
}
