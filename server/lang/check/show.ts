/** The settings of a train block that show the model at work: `show` values, `generate` text. */
import { sameDim } from '../../../engine/dim/dim.ts';
import type { Drawing } from '../../../engine/ir/program.ts';
import type { Argument, Setting } from '../syntax/ast.ts';
import type { Span } from '../text.ts';
import { type Context, report } from './context.ts';
import { isError, kindOf, type Meaning, showMeaning, type TensorMeaning } from './meaning.ts';
import { Naming } from './scope.ts';

/** A value to be shown, under a name of its own. */
export interface Shown {
  readonly name: string;
  readonly meaning: TensorMeaning;
  /** Text is drawn from it. */
  readonly drawing?: Drawing;
  readonly span: Span;
}

/** Drawing text takes time between epochs. */
const MOST_TOKENS = 4096;

/**
 * What is shown is computed in evaluation alone, so that showing changes nothing of the training: not its random numbers, not its running
 * statistics, not the names of its layers.
 */
function aside(context: Context): Context | undefined {
  return context.emission?.training ? undefined : { ...context, naming: new Naming('show.') };
}

export function show(context: Context, s: Setting, shown: Shown[]): void {
  const own = aside(context);
  if (own === undefined) return;
  for (const arg of s.args) {
    const m = own.rules.evaluate(own, arg.value);
    if (m.kind === 'tensor') shown.push({ name: freeName(shown, arg, m), meaning: m, span: arg });
    else if (!isError(m)) wanted(own, arg.value, 'show', 'a tensor', kindOf(m));
  }
}

/** `generate logits, prompt: "The ", tokens: 200`. `named`: how an argument is called, or undefined, and reported, where there is none of that name. */
export function generate(
  context: Context,
  s: Setting,
  shown: Shown[],
  named: (arg: Argument) => string | undefined,
): void {
  const own = aside(context);
  if (own === undefined) return;
  const given: { -readonly [K in keyof Drawing]: Drawing[K] } = { prompt: '', tokens: 200, temperature: 1 };
  let scores: { readonly arg: Argument; readonly m: Meaning } | undefined;
  for (const arg of s.args) {
    if (arg.name === undefined && scores === undefined) scores = { arg, m: own.rules.evaluate(own, arg.value) };
    else {
      const name = arg.name === undefined ? 'prompt' : named(arg);
      if (name !== undefined) take(own, arg, name, own.rules.evaluate(own, arg.value), given);
    }
  }
  if (scores === undefined) {
    report(context, 'missing-argument', s.keyword, {
      callee: 'generate',
      parameter: 'scores',
      type: 'the scores of the next token',
      signature: 'generate logits, prompt: "The "',
    });
  } else if (areScores(own, scores.arg, scores.m)) {
    const name = freeName(shown, { ...scores.arg, name: undefined }, scores.m);
    shown.push({ name, meaning: scores.m, drawing: given, span: scores.arg });
  }
}

function take(
  context: Context,
  arg: Argument,
  name: string,
  m: Meaning,
  given: { -readonly [K in keyof Drawing]: Drawing[K] },
): void {
  if (isError(m)) return;
  if (name === 'prompt') {
    if (m.kind === 'string') given.prompt = m.value ?? '';
    else wanted(context, arg.value, 'prompt', 'a text in quotes', kindOf(m));
    return;
  }
  const x = m.kind === 'number' ? m.real : undefined;
  const least = name === 'temperature' ? 0 : 1;
  if (x === undefined || x < least || (name !== 'temperature' && !Number.isInteger(x)) || x > MOST_TOKENS) {
    const expected = least === 0 ? 'a number of at least 0' : `a whole number from 1 to ${MOST_TOKENS}`;
    report(context, 'value-out-of-range', arg.value, { subject: name, expected, found: showMeaning(m) });
  } else given[name === 'temperature' ? 'temperature' : name === 'tokens' ? 'tokens' : 'topK'] = x;
}

/** Scores f32 [B, T, V] of what follows each token of a field index(V)[B, T]. */
function areScores(context: Context, arg: Argument, m: Meaning): m is TensorMeaning {
  if (isError(m)) return false;
  if (m.kind === 'tensor' && m.dtype === 'f32' && m.shape.length === 3) {
    if (context.lenient || [...context.scope.bindings().values()].some(b => isTokens(b.meaning, m))) return true;
  }
  wanted(context, arg.value, 'generate', 'scores [B, T, V] for each token of a field index(V)[B, T]', kindOf(m));
  return false;
}

/** A field of tokens that the scores may belong to. Whether there is a score for each class is for the loss to say. */
function isTokens(field: Meaning, { shape }: TensorMeaning): boolean {
  if (field.kind !== 'tensor' || field.field === undefined || field.classes === undefined) return false;
  return field.shape.length === 2 && sameDim(field.shape[1]!, shape[1]!);
}

function wanted(context: Context, span: Span, subject: string, expected: string, found: string): void {
  report(context, 'type-mismatch', span, { subject, expected, found });
}

/** The name it is given, that of the binding, or that of the function it came out of; a number behind it where that is taken. */
function freeName(
  shown: readonly Shown[],
  { name, value }: Pick<Argument, 'value'> & { name?: Argument['name'] | undefined },
  m: Meaning,
): string {
  const via = m.kind === 'tensor' ? m.via : undefined;
  const base = name?.name ?? (value.kind === 'name' ? value.name : (via ?? 'value'));
  let free = base;
  for (let n = 2; shown.some(other => other.name === free); n++) free = `${base}_${n}`;
  return free;
}
