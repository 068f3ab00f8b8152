/** Drawing text token by token from the scores of a model, which sees a window that slides over what it has written. */
import { createRandom, type Random, STREAMS } from '../data/random.ts';
import { createTokenizer, type TokenKind } from '../data/tokenizer.ts';
import type { DataPlan, Drawing } from '../ir/program.ts';
import { EngineError } from '../util/errors.ts';

/** Scores what follows token `at` of `tokens` i32 [window]. */
export type Score = (tokens: Int32Array, at: number) => Promise<ArrayLike<number>>;

/** Tokens as texts and back. */
export interface Texts {
  /** Throws `data-out-of-range` for text that no token covers. */
  encode(text: string): readonly number[];
  decode(tokens: readonly number[]): string;
}

/** The texts of the `classes` tokens of field `name`, those of its column or of the first with as many; numbers where they have none. */
export function textsOf({ columns, source }: DataPlan, name: string, classes: number): Texts {
  const fitting = columns.filter(column => column.classNames?.length === classes);
  const vocabulary = (fitting.find(column => column.name === name) ?? fitting[0])?.classNames;
  if (vocabulary === undefined) return numbered(classes);
  const kind = source.name === 'text' ? ((source.args.tokens ?? 'characters') as TokenKind) : 'words';
  const tokenizer = createTokenizer(kind, vocabulary);
  return {
    encode(text) {
      const found = tokenizer.encode(text);
      if (found instanceof Int32Array) return [...found];
      throw strange(`one of the characters of the training text`, JSON.stringify(found.strange));
    },
    decode: tokens => tokens.map(token => vocabulary[token] ?? '?').join(kind === 'words' ? ' ' : ''),
  };
}

/** Tokens without names: their numbers with blanks between. */
function numbered(classes: number): Texts {
  return {
    encode: text =>
      (text.match(/\S+/g) ?? []).map(word => {
        const token = Number(word);
        if (/^\d+$/.test(word) && token < classes) return token;
        throw strange(`tokens from 0 to ${classes - 1} with blanks between`, word);
      }),
    decode: tokens => tokens.join(' '),
  };
}

function strange(expected: string, found: string): EngineError {
  return new EngineError(
    'data-out-of-range',
    `prompt: expected ${expected}, found ${found}; write the prompt with what the model has seen`,
  );
}

/**
 * Refuses a model whose scores of a token depend on later ones: those are not written yet. Tried at the first token, with two texts behind it.
 * Throws `unsupported`.
 */
export async function demandCausal(score: Score, window: number, classes: number): Promise<void> {
  const [one, other] = [0, Math.min(1, classes - 1)].map(token => new Int32Array(window).fill(token, 1));
  const scores = Array.from(await score(one!, 0));
  const changed = Array.from(await score(other!, 0));
  if (scores.every((x, at) => Math.abs(x - changed[at]!) <= 1e-4 * (1 + Math.abs(x)))) return;
  throw new EngineError(
    'unsupported',
    'generate: expected scores that depend on earlier tokens alone, found scores that change with later ones; use `causal: true` in attention, or one direction in recurrent layers',
  );
}

export interface DrawOptions {
  readonly score: Score;
  /** Tokens that the model sees at once. */
  readonly window: number;
  readonly texts: Texts;
  readonly drawing: Drawing;
  readonly seed: number;
  /** Awaited before each token; false ends the drawing. */
  readonly goOn?: () => Promise<boolean>;
}

/** The prompt and what follows it, a piece at a time; the pieces together are the text. */
export async function* drawText({
  score,
  window,
  texts,
  drawing,
  seed,
  goOn,
}: DrawOptions): AsyncGenerator<string, void> {
  const written = [...texts.encode(drawing.prompt)];
  if (written.length === 0) written.push(startOf(texts));
  else yield texts.decode(written);
  const random = createRandom(seed, STREAMS.generate, 0);
  const seen = new Int32Array(window);
  let told = texts.decode(written).length;
  for (let n = 0; n < drawing.tokens; n++) {
    if (goOn && !(await goOn())) return;
    const visible = written.slice(-window);
    seen.fill(0);
    seen.set(visible);
    written.push(choose(await score(seen, visible.length - 1), drawing, random));
    // Words have blanks between, so the new piece is what makes the text longer.
    const text = texts.decode(written);
    yield text.slice(told);
    told = text.length;
  }
}

/** Text begins as after a line break, where there is such a token. */
function startOf(texts: Texts): number {
  try {
    return texts.encode('\n')[0] ?? 0;
  } catch {
    return 0;
  }
}

/** An index drawn with probabilities softmax(scores / temperature) among the `topK` greatest scores; at ties the first come first. */
export function choose(scores: ArrayLike<number>, { temperature, topK }: Drawing, random: Random): number {
  const order = Array.from(scores, (score, index) => ({ score, index })).sort(
    (a, b) => b.score - a.score || a.index - b.index,
  );
  const kept = order.slice(0, temperature === 0 ? 1 : topK);
  const greatest = kept[0]!.score;
  const shares = kept.map(({ score }) => (temperature === 0 ? 1 : Math.exp((score - greatest) / temperature)));
  let left = random.unit() * shares.reduce((sum, share) => sum + share, 0);
  for (const [at, share] of shares.entries()) {
    left -= share;
    if (left < 0) return kept[at]!.index;
  }
  return kept.at(-1)!.index;
}
