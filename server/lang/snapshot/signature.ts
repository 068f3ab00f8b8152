/** Signature help: the call around a place, and which of its parameters is being written. */
import type { SignatureInfo } from '../api.ts';
import type { Signature } from '../check/signature.ts';
import type { AnyNode, CallExpression } from '../syntax/ast.ts';
import type { Span } from '../text.ts';
import { nodesAt, type Part, type Snapshot } from './snapshot.ts';

/** The call whose brackets are around a place. */
export function innermostCall(path: readonly AnyNode[], at: number): CallExpression | undefined {
  const call = path.findLast((n): n is CallExpression => n.kind === 'call' && n.open < at && (!n.closed || at < n.end));
  return call;
}

export function signatureAt(snapshot: Snapshot, offset: number): SignatureInfo | undefined {
  const nodes = nodesAt(snapshot, offset);
  const call = nodes && innermostCall(nodes.path, nodes.at);
  const record = nodes?.part.checked.sheet.calls.find(c => c.node === call);
  if (!nodes || !call || !record) return undefined;
  const { signature, doc } = record.callee;
  const parameters = signature.parameters.map(p => ({ name: p.name, span: parameterSpan(signature, p.name) }));
  const active = activeParameter(signature, call, nodes.at, record.piped, nodes.part);
  return { name: signature.name, label: signature.label, doc, parameters, active };
}

function parameterSpan({ label, name }: Signature, parameter: string): Span {
  const from = label.indexOf('(', label.indexOf(name)) + 1;
  const start = label.slice(from).search(new RegExp(`\\b${parameter}\\??\\s*:`)) + from;
  let depth = 0;
  let end = start;
  while (end < label.length && (depth > 0 || (label[end] !== ',' && label[end] !== ')'))) {
    if ('([{'.includes(label[end]!)) depth++;
    if (')]}'.includes(label[end]!)) depth--;
    end++;
  }
  return { start, end };
}

/** Index of the parameter that the argument at `at` is for. */
export function activeParameter(
  signature: Signature,
  call: CallExpression,
  at: number,
  piped: boolean,
  part: Part,
): number | undefined {
  const text = part.entry.placed.chunk.text;
  const current = call.args.findIndex(a => at <= a.end || !text.slice(a.end, at).includes(','));
  const index = current < 0 ? call.args.length : current;
  const arg = call.args[index];
  const { parameters } = signature;
  if (arg?.name) return positionOf(parameters.findIndex(p => p.name === arg.name?.name));
  const first = call.args[0] && part.checked.sheet.types.get(call.args[0].value);
  const direct = first?.kind === 'tensor' || !parameters.some(p => p.type.kind !== 'tensor');
  const firstTensor = parameters.findIndex(p => p.type.kind === 'tensor');
  const open = parameters.filter((p, i) => (piped ? i !== firstTensor : direct || p.type.kind !== 'tensor'));
  const parameter = open[index];
  return parameter && positionOf(parameters.indexOf(parameter));
}

function positionOf(index: number): number | undefined {
  return index < 0 ? undefined : index;
}
