/** What a run shows at the end of an epoch: computes the values, draws the texts, writes them, tells of them. */
import type { HostArray } from '../backend/backend.ts';
import { bindGraph, concreteShape } from '../ir/bind.ts';
import type { Program, View } from '../ir/program.ts';
import type { SamplesEvent } from './events.ts';
import { demandCausal, drawText, type Score, textsOf } from './generate.ts';
import { shownSplit } from './layout.ts';
import { type Sample, writeSample, writeText } from './samples.ts';
import type { Session } from './session.ts';
import { type DrawnView, MOST_ITEMS, partOf, SHOW, scoreBuffers, tokenField, type ValueView, viewsOf } from './show.ts';

/** Epochs of a run that are shown: of longer runs every n-th, by its number, so that a resumed run shows the same ones. */
const MOST_EPOCHS = 100;

export function isShown({ views = [] }: Program, epoch: number, epochs: number): boolean {
  return views.length > 0 && (epoch === epochs || epoch % Math.ceil(epochs / MOST_EPOCHS) === 0);
}

export interface GalleryOptions {
  readonly program: Program;
  readonly session: Session;
  /** The run folder. */
  readonly folder: string;
  readonly epoch: number;
  readonly step: number;
  /** Awaited now and then; false when the run is to stop. */
  readonly goOn: () => Promise<boolean>;
}

/** Shows everything once, with the weights as they are; undefined when the run is stopped meanwhile. Throws `disk-full`. */
export async function showAll(options: GalleryOptions): Promise<readonly SamplesEvent[] | undefined> {
  const { values, drawn } = viewsOf(options.program);
  const events: SamplesEvent[] = [];
  const entries = [...(values.length > 0 ? [SHOW] : []), ...drawn.map(view => view.output)];
  if (!(await options.session.ready(entries, options.goOn))) return undefined;
  if (values.length > 0) {
    options.session.executable.run(SHOW, 1);
    await options.session.executable.sync();
  }
  for (const view of values) events.push(await showValue(options, view));
  for (const view of drawn) {
    const event = await showText(options, view);
    if (event === undefined) return undefined;
    events.push(event);
  }
  return (await options.goOn()) ? events : undefined;
}

async function showValue(options: GalleryOptions, view: ValueView): Promise<SamplesEvent> {
  const { program, session, folder } = options;
  const sample = sampleOf(program, view, session, await session.executable.read(view.output));
  const { kind, paths } = await writeSample(folder, fileName(options, view), sample);
  return eventOf(options, view, { kind, paths, items: sample.items });
}

function sampleOf(program: Program, { output, as }: ValueView, { layout }: Session, data: HostArray): Sample {
  const size = Math.min(MOST_ITEMS, layout.counts[shownSplit(layout.counts)]);
  const graph = bindGraph(partOf(program, [output]), { B: size });
  const shape = concreteShape(graph.nodes[graph.outputs[0]!.value]!.type);
  const column = as.kind === 'text' ? program.data.columns.find(each => each.name === as.column) : undefined;
  const texts = column && textsOf(program.data, column.name, column.classes ?? 0);
  return {
    as,
    shape: shape.slice(1),
    // A value without an axis is one item; rows beyond the batch are its own.
    items: Math.min(MOST_ITEMS, shape[0] ?? 1),
    data,
    ...(texts && { decode: texts.decode }),
  };
}

async function showText(options: GalleryOptions, view: DrawnView): Promise<SamplesEvent | undefined> {
  const { program, session, folder, goOn } = options;
  const graph = partOf(program, [view.output]);
  const { name, length } = tokenField(graph);
  let stopped = false;
  const pieces = drawText({
    window: length,
    texts: textsOf(program.data, name, vocabularyOf(graph)),
    drawing: view.as,
    seed: program.run.seed,
    score: scoreOf(session, view),
    async goOn() {
      stopped = !(await goOn());
      return !stopped;
    },
  });
  let text = '';
  for await (const piece of pieces) text += piece;
  if (stopped) return undefined;
  const paths = await writeText(folder, fileName(options, view), text);
  return eventOf(options, view, { kind: 'text', paths, items: 1 });
}

function scoreOf({ executable }: Session, { output }: View): Score {
  const buffers = scoreBuffers(output);
  return (tokens, at) => {
    executable.write(buffers.tokens, tokens);
    executable.write(buffers.at, Int32Array.of(at));
    executable.run(output, 1);
    return executable.read(buffers.scores);
  };
}

/** Looks ahead of training at what could only fail after it. Throws `unsupported`, `data-out-of-range`. */
export async function demandShowable(program: Program, session: Session): Promise<void> {
  for (const view of viewsOf(program).drawn) {
    const graph = partOf(program, [view.output]);
    const { name, length } = tokenField(graph);
    textsOf(program.data, name, vocabularyOf(graph)).encode(view.as.prompt);
    await session.executable.ready([view.output]);
    await demandCausal(scoreOf(session, view), length, vocabularyOf(graph));
  }
}

/** Tokens that scores [B, T, V] are for. */
export function vocabularyOf(graph: ReturnType<typeof partOf>): number {
  const { type } = bindGraph(graph, { B: 1 }).nodes[graph.outputs[0]!.value]!;
  return concreteShape(type).at(-1)!;
}

function fileName({ epoch }: GalleryOptions, { name }: View): string {
  return `epoch-${epoch}-${name.replaceAll(/[^\w-]/g, '_')}`;
}

function eventOf(
  { epoch, step }: GalleryOptions,
  { name }: View,
  what: Pick<SamplesEvent, 'kind' | 'paths' | 'items'>,
): SamplesEvent {
  return { type: 'samples', epoch, step, name, ...what, time: Date.now() };
}
