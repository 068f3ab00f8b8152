/** Connectionist temporal classification: the sum over all alignments, by the forward recursion in log space. */
import type { Dim } from '../../dim/dim.ts';
import type { GraphBuilder, Value } from '../builder.ts';
import { demand, flag, known, number, optionalTensor, tensor } from './arguments.ts';
import type { Arguments } from './function.ts';
import { logSoftmax, MASKED, mean } from './numerics.ts';

/** log(exp a + exp b + …), where all may be MASKED. */
function logAddExp(b: GraphBuilder, values: readonly Value[]): Value {
  const most = b.detach(values.reduce(b.maximum));
  return b.add(most, b.log(values.map(v => b.exp(b.sub(v, most))).reduce(b.add)));
}

/** x [B, N] moved by `by` to the right, MASKED at the front. */
function delayed(b: GraphBuilder, x: Value, by: number): Value {
  const size = known('ctc', x.type.shape[1]!);
  return b.sliceAxis(b.pad(x, [0, by], [0, 0], MASKED), 1, 0, size);
}

/**
 * Labels with blanks around each, [B, 2 S + 1], and where a label may follow the one two before it, leaving out the blank between:
 * where the two differ.
 */
function spreadLabels(b: GraphBuilder, target: Value, blank: number): { labels: Value; skips: Value } {
  const labels = b.pad(target, [0, 1], [0, 1], blank, [0, 1]);
  const size = known('ctc', labels.type.shape[1]!);
  const before = b.sliceAxis(b.pad(labels, [0, 2], [0, 0], blank), 1, 0, size);
  const odd = b.equal(b.mod(b.iota(labels.type.shape, 1), 2), 1);
  const later = b.greater(b.iota(labels.type.shape, 1), 1);
  return { labels, skips: b.logicalAnd(b.logicalAnd(odd, later), b.notEqual(labels, before)) };
}

/**
 * Mean over the batch of -log p(target | logits) / target length, as torch.nn.CTCLoss of log_softmax (Graves et al., 2006). alpha[s] is
 * the log-probability of all ways to have said the first s of blanks and labels: alpha'[s] = log p[label s] + logsum(alpha[s], alpha[s - 1],
 * alpha[s - 2] where the blank may be left out). A target that no alignment fits, since it is longer than its steps allow, has an infinite
 * loss, or with `zero_infinity` none and no gradient.
 */
export function ctcLoss(b: GraphBuilder, args: Arguments): Value {
  const [logits, target, blank] = [tensor(args, 'logits'), tensor(args, 'target'), number(args, 'blank')];
  const [batch, , classes] = logits.type.shape as [Dim, Dim, Dim];
  const [time, most] = [known('ctc', logits.type.shape[1]!), known('ctc', target.type.shape[1]!)];
  demand(blank >= 0 && blank < known('ctc', classes), 'ctc', 'a blank among the classes', blank);
  const { labels, skips } = spreadLabels(b, target, blank);
  const size = 2 * most + 1;
  const wanted = b.broadcast(b.unsqueeze(labels, 1), [batch, time, size]);
  const emitted = b.takeLast(logSoftmax(b, logits), wanted);
  const at = (t: number): Value => b.squeeze(b.sliceAxis(emitted, 1, t, 1), [1]);
  const position = b.iota([batch, size], 1);
  const inputLength = optionalTensor(args, 'input_length');
  let alpha = b.select(b.less(position, 2), at(0), MASKED);
  for (let t = 1; t < time; t++) {
    const skipped = b.select(skips, delayed(b, alpha, 2), MASKED);
    const next = b.add(logAddExp(b, [alpha, delayed(b, alpha, 1), skipped]), at(t));
    alpha = inputLength === undefined ? next : b.select(b.greater(b.unsqueeze(inputLength, 1), t), next, alpha);
  }
  const length = optionalTensor(args, 'target_length') ?? b.constant(most, { dtype: 'i32', shape: [batch] });
  const last = b.unsqueeze(b.mul(length, 2), 1);
  // At the end stands the last label or the blank after it.
  const ends = [last, b.sub(last, 1)].map(end => b.select(b.equal(position, end), alpha, MASKED));
  const total = logAddExp(
    b,
    ends.map(v => b.max(v, { axes: [1] })),
  );
  const loss = b.div(b.neg(total), b.cast(b.maximum(length, 1), 'f32'));
  // Steps that are masked come to about MASKED each; no sum of logarithms of probabilities does.
  const impossible = b.less(total, MASKED / 2);
  return mean(b, b.select(impossible, flag(args, 'zero_infinity') ? 0 : Number.POSITIVE_INFINITY, loss));
}
