/** Checks a schedule before anything runs it: every access within its buffer, every type as declared, every temporary written before it is read. */
import type { Scalar, ScalarType } from '../ir/scalar.ts';
import { never } from '../util/errors.ts';
import { scalarType } from './dataflow.ts';
import type { Buffer, BufferId, Kernel, Schedule } from './kernel.ts';
import { extentsOf, loadedBuffers, scalarsOf, storedBuffers, storesOf } from './memory.ts';
import { printKernel, printScalar } from './print.ts';
import { type Range, walkScalar } from './scalar.ts';
import { domainOf } from './simplify.ts';

/** Returns `schedule`, or throws our own error with the kernel printed: the scheduler, not the user, is wrong. */
export function validateSchedule(schedule: Schedule): Schedule {
  const written = new Set<BufferId>();
  for (const [number, kernel] of schedule.kernels.entries()) {
    const problem = checkKernel(schedule, kernel, written);
    if (problem) throw never(`${problem} in\n${printKernel(schedule, kernel, number)}`);
    for (const buffer of storedBuffers(kernel)) written.add(buffer);
  }
  return schedule;
}

function checkKernel(schedule: Schedule, kernel: Kernel, written: ReadonlySet<BufferId>): string | undefined {
  const { buffers } = schedule;
  const { range } = domainOf(extentsOf(kernel));
  for (const id of loadedBuffers(kernel)) {
    if (buffers[id]?.kind === 'temporary' && !written.has(id)) return `temporary ${id} is read before it is written`;
  }
  const seen = new Set<Scalar>();
  let problem: string | undefined;
  const visit = (s: Scalar) => {
    problem ??= s.kind === 'load' ? checkAccess(buffers[s.buffer], s.at, s.type, range) : checkOperation(s);
  };
  for (const s of scalarsOf(kernel)) walkScalar(s, visit, seen);
  // A scatter skips what lies outside.
  const stores = kernel.kind === 'scatter' ? [] : storesOf(kernel);
  for (const { buffer, at, value } of stores) problem ??= checkAccess(buffers[buffer], at, value.type, range);
  return problem;
}

function checkAccess(
  buffer: Buffer | undefined,
  at: Scalar,
  type: ScalarType,
  range: (s: Scalar) => Range,
): string | undefined {
  if (!buffer) return 'an unknown buffer';
  const [low, high] = range(at);
  if (at.type !== 'i32') return `an index of type ${at.type}`;
  if (low < 0 || high >= buffer.length)
    return `${buffer.name}[${printScalar(at)}] within ${low}..${high} of ${buffer.length} elements`;
  return scalarType(buffer.dtype) === type ? undefined : `${type} in ${buffer.name} of ${buffer.dtype}`;
}

/** Operations whose operands and result may differ in type. */
const MIXED: ReadonlySet<string> = new Set(['cast', 'bitcast', 'isfinite', 'select', 'shl', 'shr']);
const TESTS: ReadonlySet<string> = new Set(['lt', 'le', 'eq', 'ne']);

function checkOperation(s: Scalar): string | undefined {
  if (s.kind !== 'apply' || MIXED.has(s.op)) return undefined;
  const [first] = s.args;
  const alike =
    s.args.every(a => a.type === first!.type) && (TESTS.has(s.op) ? s.type === 'bool' : s.type === first!.type);
  return alike ? undefined : `${s.op} of ${s.args.map(a => a.type).join(', ')} giving ${s.type}`;
}
