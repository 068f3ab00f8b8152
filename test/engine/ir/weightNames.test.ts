/** Which tensors of a file are a layer's weights, and what is said where they are not there. */
import { expect, it } from 'vitest';
import { matchWeights } from '../../../engine/ir/weightNames.ts';

const parameters = [
  { name: 'net.encoder.fc.weight', shape: [8, 4] },
  { name: 'net.encoder.fc.bias', shape: [8] },
  { name: 'net.head.weight', shape: [2, 8] },
];

it.each([
  ['the whole name', 'net.encoder.fc'],
  ['the name without the layer around', 'encoder.fc'],
])('a layer is found under %s', (_, prefix) => {
  const tensors = new Map([
    [`${prefix}.weight`, [8, 4]],
    [`${prefix}.bias`, [8]],
  ]);
  const match = matchWeights('net.encoder', parameters, tensors);
  expect(match.kind === 'matched' && [...match.names.values()]).toEqual([...tensors.keys()]);
});

it.each<[string, [string, number[]][], string]>([
  [
    'a layer of another name',
    [
      ['teacher.encoder.fc.weight', [8, 4]],
      ['teacher.encoder.fc.bias', [8]],
    ],
    'expected "net.encoder.fc.weight" [8, 4], found "teacher.encoder.fc.weight": the layer has another name there',
  ],
  ['nothing alike', [['other', [8, 4]]], 'expected "net.encoder.fc.weight" [8, 4], found no tensor of that name'],
])('%s is a flaw', (_, tensors, message) => {
  expect(matchWeights('net.encoder', parameters, new Map(tensors))).toEqual({ kind: 'flaw', message });
});
