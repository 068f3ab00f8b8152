import { describe, expect, it } from 'vitest';
import { dimVar } from '../../../engine/dim/dim.ts';
import type { Graph } from '../../../engine/ir/graph.ts';
import type { Program } from '../../../engine/ir/program.ts';
import { parseProgram, printProgram } from '../../../engine/ir/programText.ts';

const field: Graph = {
  name: 'prepare',
  nodes: [
    { op: 'input', inputs: [], attributes: { name: 'image' }, type: { dtype: 'u8', shape: [dimVar('B'), 28, 28] } },
  ],
  outputs: [{ name: 'image', value: 0, kind: 'result' }],
};

const program: Program = {
  version: 1,
  name: 'first',
  data: {
    name: 'Digits',
    source: { name: 'digits', args: { samples: 5000 } },
    split: { validation: 0.1 },
    batch: 64,
    shuffle: true,
    columns: [
      { name: 'image', dtype: 'u8', shape: [28, 28] },
      { name: 'label', dtype: 'i32', shape: [], classes: 10 },
    ],
    prepare: field,
    augment: field,
  },
  parameters: [{ name: 'net.fc1.weight', shape: [128, 784], init: { kind: 'uniform', bound: 0.03 }, trainable: true }],
  train: field,
  evaluate: field,
  objectives: [
    {
      loss: 'loss',
      over: ['net.fc1.weight'],
      optimizer: { name: 'adam', args: { lr: { name: 'step_decay', args: { lr: 0.001, every: 5, gamma: 0.1 } } } },
    },
  ],
  reports: [{ name: 'accuracy', better: 'higher' }],
  run: { epochs: 10, seed: 42, device: 'auto', stop: { monitor: 'validation.loss', patience: 5, minDelta: 0 } },
};

describe('programs as text', () => {
  it('come back as they were', () => {
    expect(parseProgram(printProgram(program), 'program.json')).toEqual(program);
  });

  const edited = (edit: (json: Record<string, object>) => void): string => {
    const json = JSON.parse(printProgram(program)) as Record<string, object>;
    edit(json);
    return JSON.stringify(json);
  };
  it.each([
    ['{', 'program.json is not JSON'],
    ['[]', 'expected program.json of version 1, found undefined'],
    [edited(j => Object.assign(j, { version: 2 })), 'expected program.json of version 1, found 2'],
    [edited(j => Object.assign(j, { train: ['graph g {'] })), 'program.json: train: line 1 of a graph: expected "}"'],
    [edited(j => Object.assign(j, { parameters: [{ name: 'w', shape: [-1] }] })), 'program.json: parameters.0.shape.0'],
    [edited(j => Object.assign(j.data!, { batch: 0 })), 'program.json: data.batch'],
  ])('refuse %s', (text, message) => {
    expect(() => parseProgram(text, 'program.json')).toThrow(message);
  });
});
