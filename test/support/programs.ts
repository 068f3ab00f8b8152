/** Programs built by hand: a multilayer perceptron over `features` and `label`, as the language would lower it. */
import { dimVar } from '../../engine/dim/dim.ts';
import type { Call, Objective, ParameterSpec, Program, RunPlan } from '../../engine/ir/program.ts';
import { PROGRAM_VERSION } from '../../engine/ir/program.ts';
import { GraphBuilder, type Value } from '../../engine/ops/builder.ts';
import { apply, call, type TestContext, testContext } from './macros.ts';

export interface MlpOptions {
  readonly sizes: readonly number[];
  readonly batch: number;
  readonly optimizer: Call;
  readonly run?: Partial<RunPlan>;
  readonly dropout?: number;
}

export const B = dimVar('B');

/** features [B, in] -> relu layers `net.fc1`, `net.fc2` … -> cross entropy with label, and accuracy. */
export function mlpProgram({ sizes, batch, optimizer, run, dropout }: MlpOptions): Program {
  const classes = sizes.at(-1)!;
  const parts = graphs(context => {
    const { b } = context;
    let x = b.input('features', { dtype: 'f32', shape: [B, sizes[0]!] });
    for (const [i, out] of sizes.slice(1).entries()) {
      context.scope = `net.fc${i + 1}.`;
      x = apply(context, 'linear', { x, out });
      if (i < sizes.length - 2) x = apply(context, 'relu', { x });
      if (dropout !== undefined && i < sizes.length - 2) x = apply(context, 'dropout', { x, rate: dropout });
    }
    const label = { logits: x, target: b.input('label', { dtype: 'i32', shape: [B] }), C: classes };
    return { loss: apply(context, 'cross_entropy', label), accuracy: apply(context, 'accuracy', label, 'metric') };
  });
  return {
    ...program(parts, batch, [{ loss: 'loss', over: parts.parameters.map(p => p.name), optimizer }], run),
    reports: [{ name: 'accuracy', better: 'higher' }],
  };
}

interface Parts {
  readonly train: Program['train'];
  readonly evaluate: Program['train'];
  readonly parameters: readonly ParameterSpec[];
}

/** The train and evaluate graphs of one body, and its parameters. */
export function graphs(body: (context: TestContext) => Readonly<Record<string, Value>>): Parts {
  const build = (name: string, training: boolean) => {
    const context = testContext(new GraphBuilder(), training);
    const results = Object.entries(body(context)).map(([name, value]) => ({ name, value }));
    const assigns = Object.entries(context.updates).map(([name, value]) => ({ name, value, kind: 'assign' as const }));
    return {
      graph: context.b.finish(name, [...results, ...(training ? assigns : [])]),
      parameters: context.parameters,
    };
  };
  const train = build('train', true);
  return { train: train.graph, evaluate: build('evaluate', false).graph, parameters: train.parameters };
}

/** A program around the graphs; data comes from buffers that the test fills. */
export function program(
  parts: Parts,
  batch: number,
  objectives: readonly Objective[],
  run: Partial<RunPlan> = {},
): Program {
  return {
    version: PROGRAM_VERSION,
    name: 'test',
    ...parts,
    data: {
      name: 'Test',
      source: call('digits', 'source', {}),
      split: {},
      batch,
      shuffle: false,
      columns: [],
      prepare: new GraphBuilder().finish('prepare', []),
    },
    objectives,
    reports: [],
    run: { seed: 1, device: 'cpu', ...(run.steps === undefined && { epochs: 1 }), ...run },
  };
}
