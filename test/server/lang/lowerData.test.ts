/** From data blocks to data plans: what is prepared, what is learnt first, what is drawn. */
import { describe, expect, it } from 'vitest';
import type { Graph } from '../../../engine/ir/graph.ts';
import type { Program } from '../../../engine/ir/program.ts';
import { parseProgram, printProgram } from '../../../engine/ir/programText.ts';
import { lower } from '../../../server/lang/lower/lower.ts';
import { fixture } from '../../support/fixture.ts';

function lowered(data: string, train: string) {
  return lower(
    fixture(`data Digits = digits() {\n${data}\n}\ntrain t on Digits {\n${train}\n  epochs 1\n}\n`).analysis,
  );
}

function program(data: string, train: string): Program {
  const result = lowered(data, train);
  if (result.kind !== 'program') throw new Error(JSON.stringify(result));
  return result.program;
}

const minimize = (loss: string) => `  minimize ${loss} using sgd()`;
const usual = minimize('cross_entropy(image |> flatten |> linear(10), label)');
const inputs = (graph: Graph | undefined) =>
  graph?.nodes.filter(n => n.op === 'input').map(n => String(n.attributes.name)) ?? [];
const outputs = (graph: Graph) => graph.outputs.map(o => o.name);

describe('what is learnt', () => {
  it('is named by field and transform, in order of dependence, its values outputs of prepare', () => {
    const { data } = program('  image = image |> fill_missing(median) |> standardize |> standardize', usual);
    expect(data.fits).toEqual([
      { name: 'image.fill_missing_1.median', statistic: { kind: 'median' } },
      { name: 'image.standardize_1.moments', statistic: { kind: 'moments' } },
      { name: 'image.standardize_2.moments', statistic: { kind: 'moments' } },
    ]);
    expect(outputs(data.prepare)).toEqual(['image', 'label', ...data.fits!.map(fit => fit.name)]);
    expect(inputs(data.prepare)).toEqual(
      expect.arrayContaining(['image', 'label', ...data.fits!.map(fit => fit.name)]),
    );
  });

  it('goes on counting where a field is bound again, and leaves out what no field in use needs', () => {
    const { data } = program(
      '  image = image |> standardize\n  other = image |> standardize\n  image = image |> standardize',
      usual,
    );
    expect(data.fits!.map(fit => fit.name)).toEqual(['image.standardize_1.moments', 'image.standardize_2.moments']);
    expect(program('  other = image |> standardize', usual).data.fits).toBeUndefined();
    expect(program('  image = image |> standardize(mean: 1, std: 2)', usual).data.fits).toBeUndefined();
  });

  it('by a train block is a weight that stays as it is', () => {
    const { data, parameters, objectives } = program(
      '',
      minimize('sum(balanced(label) * (image |> flatten |> linear(10)))'),
    );
    expect(data.fits).toEqual([{ name: 'balanced_1.weights', statistic: { kind: 'balance', classes: 10 } }]);
    expect(parameters.find(p => p.name === 'balanced_1.weights')).toEqual({
      name: 'balanced_1.weights',
      shape: [1, 10],
      init: { kind: 'fitted', fit: 'balanced_1.weights' },
      trainable: false,
    });
    expect(objectives[0]!.over).toEqual(['linear_1.weight', 'linear_1.bias']);
  });

  it('must come from a field', () => {
    const result = lowered(
      '',
      minimize('sum(balanced(label |> reshape([B, 1]) |> flatten |> reshape([B])) * (image |> flatten |> linear(10)))'),
    );
    expect(result).toMatchObject({
      kind: 'errors',
      facts: [{ code: 'type-mismatch', data: { expected: 'a field of the data block' } }],
    });
  });

  it('survives the text of the program', () => {
    const whole = program(
      '  image = image |> bucketize(5) |> one_hot\n  sample balanced(label)',
      usual.replace('linear', 'linear'),
    );
    const read = parseProgram(printProgram(whole), 'program.json');
    expect(read).toEqual(whole);
    expect(read.data).toMatchObject({
      balance: 'label',
      classes: { label: 10 },
      fits: [{ statistic: { kind: 'quantiles', count: 5 } }],
    });
  });
});

describe('fields', () => {
  it('that nothing reads are not prepared', () => {
    const { data, train } = program('  flat = image |> flatten', minimize('mean(flat |> linear(1))'));
    expect(outputs(data.prepare)).toEqual(['flat']);
    expect(inputs(train)).toEqual(['flat']);
  });

  it('that only augment or sample read are', () => {
    const { data, train } = program(
      '  clean = image\n  image = image |> flatten\n  augment { image = clean |> shift(1) |> flatten }\n  sample balanced(label)',
      minimize('mean(image |> linear(1))'),
    );
    expect(outputs(data.prepare).toSorted()).toEqual(['clean', 'image', 'label']);
    expect(inputs(data.augment)).toEqual(expect.arrayContaining(['clean', 'seed', 'step']));
    expect(inputs(data.augment)).not.toContain('image');
    expect(inputs(train)).toEqual(['image']);
  });
});
