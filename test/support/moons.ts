/** A small whole Program over the `moons` source: data to metrics, without the language. */
import { dimVar } from '../../engine/dim/dim.ts';
import type { DataPlan, Program, RunPlan } from '../../engine/ir/program.ts';
import { GraphBuilder } from '../../engine/ops/builder.ts';
import { call } from './macros.ts';
import { mlpProgram } from './programs.ts';

export interface MoonsOptions {
  readonly run?: Partial<RunPlan>;
  readonly data?: Partial<DataPlan>;
  readonly lr?: number;
  readonly hidden?: number;
}

/** 2 -> hidden -> 2 with dropout on 200 points; 20 for validation, 20 for testing, so 160 are trained on in batches of 32, or what `data` says. */
export function moonsProgram({ run, data, lr = 0.05, hidden = 8 }: MoonsOptions = {}): Program {
  const optimizer = call('adam', 'optimizer', { lr });
  const base = mlpProgram({ sizes: [2, hidden, 2], batch: 30, optimizer, dropout: 0.1 });
  return {
    ...base,
    name: 'moons',
    data: {
      ...base.data,
      source: { name: 'moons', args: { samples: 200, noise: 0.1, seed: 0 } },
      split: { validation: 0.1, test: 0.1 },
      shuffle: true,
      columns: [
        { name: 'point', dtype: 'f32', shape: [2] },
        { name: 'label', dtype: 'i32', shape: [], classes: 2 },
      ],
      prepare: moonsPrepare(),
      ...data,
    },
    run: { seed: 7, device: 'cpu', ...(run?.steps === undefined && { epochs: 3 }), ...run },
  };
}

/** `point` becomes `features`, times 2; `label` stays. */
function moonsPrepare(): DataPlan['prepare'] {
  const b = new GraphBuilder();
  const B = dimVar('B');
  const point = b.input('point', { dtype: 'f32', shape: [B, 2] });
  const label = b.input('label', { dtype: 'i32', shape: [B] });
  return b.finish('prepare', [
    { name: 'features', value: b.mul(point, 2) },
    { name: 'label', value: label },
  ]);
}
