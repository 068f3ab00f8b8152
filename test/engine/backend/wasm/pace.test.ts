/** The choice between one thread and several follows what is faster, and returns when that changes. */
import { expect, test } from 'vitest';
import { createPace } from '../../../../engine/backend/wasm/pace.ts';

function simulated(costs: [number, number]) {
  let time = 0;
  const done = [0, 0];
  const way = (i: number) => (times: number) => {
    time += costs[i]! * times;
    done[i]! += times;
  };
  return { pace: createPace([way(0), way(1)], () => time), done, costs };
}

test('every step is run exactly once, whichever way', () => {
  const { pace, done } = simulated([3, 2]);
  for (const times of [1, 5, 8, 9, 100, 1, 1]) pace.run(times);
  expect(done[0]! + done[1]!).toBe(125);
});

test.each([
  [[1, 3], 0],
  [[3, 1], 1],
] as const)('costs %j: way %i gets nearly all steps', (costs, faster) => {
  const { pace, done } = simulated([...costs]);
  for (let i = 0; i < 100; i++) pace.run(50);
  expect(pace.preferred).toBe(faster);
  expect(done[faster]! / 5000).toBeGreaterThan(0.95);
});

test('when the machine gets busy the other way takes over', () => {
  const { pace, costs } = simulated([3, 1]);
  for (let i = 0; i < 50; i++) pace.run(50);
  costs[1] = 10;
  for (let i = 0; i < 50; i++) pace.run(50);
  expect(pace.preferred).toBe(0);
});
