/** Every example checks without a word, and most train to their bars; where a run starts from another, both do. */
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { events, examples, strata, temporaryFolder } from '../server/cli/cli.ts';
import { sharedData } from '../support/data.ts';

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
  cpSync(examples, folder.path, { recursive: true });
});
afterEach(() => folder.remove());

const names = readdirSync(examples).filter(name => name.endsWith('.strata'));
const mnist = sharedData('mnist');

it.each(names)('%s has neither errors nor warnings', async name => {
  // Its data is downloaded by whoever wants it; without, the one thing to say is that it is missing.
  if (name === 'mnist.strata' && mnist !== undefined) cpSync(mnist, join(folder.path, 'data'), { recursive: true });
  const { out } = await strata(['check', name], folder.path);
  if (name === 'mnist.strata' && mnist === undefined)
    expect(out.match(/error\[\S+\]/g)).toContain('error[data-missing]');
  else expect(out).toBe('1 file checked: 0 errors, 0 warnings\n');
});

type Bar = readonly [block: string, metric: string, enough: (value: number) => boolean];
const above = (bar: number) => (value: number) => value > bar;
const below = (bar: number) => (value: number) => value < bar;

/** Files and train blocks, and what they must reach. */
const bars: readonly Bar[] = [
  ['spirals', 'test.accuracy', above(0.97)],
  ['blossoms', 'test.accuracy', above(0.85)],
  // Saying that no pump fails is worth 0.93.
  ['pumps', 'test.accuracy', above(0.96)],
  ['imbalanced', 'test.f1', above(0.9)],
  // The noise in the table alone is worth 0.06.
  ['heating', 'test.mae', below(0.15)],
  // Who sees one symbol alone stays above 2; the best possible is 0.80.
  ['recurrent vanilla', 'validation.loss', below(1.5)],
  ['recurrent gated', 'validation.loss', below(1.35)],
  ['recurrent by_hand', 'validation.loss', below(1.35)],
  ['reviews', 'test.accuracy', above(0.97)],
  ['transformer', 'test.accuracy', above(0.97)],
  // Signs of dates that were not seen before; the best guess without reading is right for half of them.
  ['translation', 'test.accuracy', above(0.98)],
  // Of the stars' variance; the noise and the rounding leave 0.94.
  ['recommender', 'test.r2', above(0.7)],
  // The image alone, or the table alone, tells half of the mushrooms.
  ['multimodal', 'test.accuracy', above(0.85)],
  ['commands', 'test.accuracy', above(0.8)],
  // Who knows only how many words are replaced is at 0.32.
  ['electra', 'validation.telling', below(0.29)],
  // Before training the mean drawing is 0.36 away.
  ['dcgan', 'distance', below(0.25)],
];

it.each(bars)('%s reaches its %s', { timeout: 120_000 }, async (block, metric, enough) => {
  expect((await trained(block))[metric]).toSatisfy(enough);
});

it('what RoBERTa has learnt makes a few labels enough', { timeout: 120_000 }, async () => {
  const alone = without('bert', /^ {2}init .*\n/m);
  await trained('bert roberta');
  const { 'test.accuracy': pretrained } = await trained('bert finetune');
  const { 'test.accuracy': fresh } = await trained(`${alone} finetune`);
  expect(pretrained).toBeGreaterThan(0.88);
  expect(pretrained! - fresh!).toBeGreaterThan(0.1);
});

it('a student learns from a teacher what the labels would teach', { timeout: 120_000 }, async () => {
  await trained('distil teacher');
  const student = await trained('distil student');
  expect(student['test.agreement']).toBeGreaterThan(0.95);
  expect(student['test.accuracy']).toBeGreaterThan(0.95);
});

it('frozen features serve a new task better than fresh ones', { timeout: 120_000 }, async () => {
  const fresh = without('transfer', /^ {2}init .*\n|^ {2}freeze .*\n/gm);
  await trained('transfer pretrain');
  const { 'test.accuracy': transferred } = await trained('transfer transfer');
  const { 'test.accuracy': scratch } = await trained(`${fresh} transfer`);
  expect(transferred).toBeGreaterThan(0.83);
  expect(transferred! - scratch!).toBeGreaterThan(0.04);
});

const recordings = sharedData('fsdd');
it.skipIf(recordings === undefined)('commands learns spoken digits too', { timeout: 120_000 }, async () => {
  const spoken = readdirSync(recordings!).filter(name => /_(jackson|theo)_/.test(name));
  for (const name of spoken) cpSync(join(recordings!, name), join(folder.path, 'data', 'spoken', name));
  const source = 'audio("data/spoken", length: 5000, names: "{label}_{speaker}_{take}.wav")';
  rewritten('commands', 'spoken', text =>
    text
      .replace(/audio\(.*\) \{/, `${source} {`)
      .replace(/rate: 4000, bins: 20, n_fft: 128, hop: 64/, 'rate: 8000, bins: 32, n_fft: 256, hop: 128')
      .replace('words: int = 4', 'words: int = 10')
      .replace('batch 8', 'batch 16'),
  );
  expect((await trained('spoken'))['test.accuracy']).toBeGreaterThan(0.8);
});

/** Trains a block, `file` or `file block`, on the CPU; gives its last metrics. */
async function trained(block: string): Promise<Readonly<Record<string, number>>> {
  const [file, ...name] = block.split(' ');
  const outcome = await strata(['train', `${file}.strata`, ...name, '--device', 'cpu', '--json'], folder.path);
  const done = events(outcome).at(-1);
  if (done?.type !== 'done' || done.reason === 'failed') throw new Error(`${outcome.err}${outcome.out}`);
  return done.metrics;
}

/** A copy of an example that lacks what fits; its name. */
function without(name: string, what: RegExp): string {
  return rewritten(name, `${name}_without`, text => text.replace(what, ''));
}

function rewritten(from: string, to: string, change: (text: string) => string): string {
  const text = readFileSync(join(folder.path, `${from}.strata`), 'utf8');
  const changed = change(text);
  if (changed === text) throw new Error(`${from}.strata has nothing to change`);
  writeFileSync(join(folder.path, `${to}.strata`), changed);
  return to;
}
