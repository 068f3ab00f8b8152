/** A trained model put to use: a graph compiled with the weights of a checkpoint in place. */
import type { Backend, Executable, HostArray } from '../backend/backend.ts';
import { briefly } from '../backend/flags.ts';
import { concreteShape } from '../ir/bind.ts';
import type { Graph } from '../ir/graph.ts';
import type { Drawing, Program } from '../ir/program.ts';
import { scheduleGraph } from '../kernel/schedule.ts';
import { GraphBuilder } from '../ops/builder.ts';
import { optimize } from '../passes/pipeline.ts';
import { EngineError } from '../util/errors.ts';
import type { Checkpoint } from './checkpoint.ts';
import { vocabularyOf } from './gallery.ts';
import { demandCausal, drawText, type Score, textsOf } from './generate.ts';
import { fieldsOf } from './layout.ts';
import { partOf, scoreBuffers, scoresEntry, tokenField } from './show.ts';

/** A program with the weights of one of its runs. */
export interface TrainedModel {
  readonly program: Program;
  readonly checkpoint: Checkpoint;
  /** Of the checkpoint, for messages. */
  readonly path: string;
}

export interface Inference {
  readonly executable: Executable;
  /** Writes an input of the graph; those that it doesn't read are passed over. */
  write(name: string, data: HostArray): void;
}

/** Compiles a bound graph whose states are parameters. Throws `checkpoint-mismatch` where one is not in the checkpoint. */
export async function openInference(model: TrainedModel, graph: Graph, backend: Backend): Promise<Inference> {
  const { checkpoint, path, program } = model;
  const schedule = briefly(() => scheduleGraph(optimize(graph)));
  const executable = await backend.compile([schedule]);
  const held = new Map(schedule.buffers.flatMap(b => (b.kind === 'temporary' ? [] : [[b.name, b.kind] as const])));
  for (const { op, attributes, type } of graph.nodes) {
    const name = String(attributes.name);
    if (op !== 'state' || !held.has(name)) continue;
    const found = checkpoint.tensors.get(name);
    const shape = concreteShape(type);
    if (!(found?.data instanceof Float32Array) || found.shape.join() !== shape.join())
      throw mismatch(path, name, shape, found?.shape);
    executable.write(name, found.data);
  }
  const write = (name: string, data: HostArray): void => {
    if (held.get(name) === 'input') executable.write(name, data);
  };
  write('seed', Int32Array.of(program.run.seed));
  write('step', Int32Array.of(0));
  return { executable, write };
}

function mismatch(path: string, name: string, shape: readonly number[], found?: readonly number[]): EngineError {
  const what = found === undefined ? 'no tensor of that name' : `[${found.join(', ')}]`;
  return new EngineError(
    'checkpoint-mismatch',
    `${path}: expected "${name}" f32 [${shape.join(', ')}], found ${what}; use the checkpoint of the same run`,
  );
}

/** How text is drawn from a model: the first `generate` of its program, or the first prediction that scores the next token at each position. */
export function drawable(program: Program): { readonly output: string; readonly drawing: Drawing } | undefined {
  const view = program.views?.find(each => each.as.kind === 'generate');
  if (view?.as.kind === 'generate') return { output: view.output, drawing: view.as };
  const scores = program.predictions?.find(({ output }) => {
    const graph = partOf(program, [output]);
    const [field, ...others] = fieldsOf(graph);
    const { dtype, shape } = graph.nodes[graph.outputs[0]!.value]!.type;
    const tokens = field?.dtype === 'i32' && field.shape.length === 1 && others.length === 0;
    return tokens && dtype === 'f32' && shape.length === 3 && shape[1] === field.shape[0];
  });
  return scores && { output: scores.output, drawing: { prompt: '', tokens: 200, temperature: 1 } };
}

/** Draws a text with the model, piece by piece. Throws `unsupported` where the model does not score tokens, `data-out-of-range` for a prompt it can't read. */
export async function* writeWith(
  model: TrainedModel,
  wishes: Partial<Drawing> & { readonly seed?: number },
  backend: Backend,
): AsyncGenerator<string, void> {
  const { program } = model;
  const found = drawable(program);
  if (found === undefined)
    throw new EngineError(
      'unsupported',
      `train ${program.name}: expected scores [B, T, V] of the token after each token of one field, found none; text can only be drawn from a language model`,
    );
  const graph = partOf(program, [found.output]);
  const field = tokenField(graph);
  const buffers = scoreBuffers(found.output);
  const { executable, write } = await openInference(
    model,
    scoresEntry(new GraphBuilder(), graph, found.output, {}),
    backend,
  );
  const { seed = program.run.seed, ...drawing } = wishes;
  const classes = vocabularyOf(graph);
  const score: Score = (tokens, at) => {
    write(buffers.tokens, tokens);
    write(buffers.at, Int32Array.of(at));
    executable.run(found.output, 1);
    return executable.read(buffers.scores);
  };
  try {
    await demandCausal(score, field.length, classes);
    const texts = textsOf(program.data, field.name, classes);
    yield* drawText({ window: field.length, texts, drawing: { ...found.drawing, ...drawing }, seed, score });
  } finally {
    executable.dispose();
  }
}
