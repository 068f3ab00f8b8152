/** What would type-check: whether a value can be given to a function, before anything is written. */
import { decide, substituteRequirement } from '../../../engine/dim/facts.ts';
import { takesAnyElement } from '../check/call.ts';
import { type Callee, keepsShape } from '../check/callee.ts';
import type { Context } from '../check/context.ts';
import type { Meaning, TensorMeaning } from '../check/meaning.ts';
import { emptySheet } from '../check/records.ts';
import { compileSignature, type SignatureParameter } from '../check/signature.ts';
import { unifier, unifyTensor } from '../check/unify.ts';
import { Cursor } from '../syntax/cursor.ts';
import { header } from '../syntax/declarations.ts';
import { lex } from '../syntax/lexer.ts';
import type { Part, Snapshot } from './snapshot.ts';

const nowhere = { start: 0, end: 0 };

/** Asks the checker and forgets what it says. */
export interface Fit {
  /** The tensor can be the function's first one, and no requirement is broken by that. */
  takes(callee: Callee, tensor: TensorMeaning): boolean;
  /** The value can be that argument. */
  suits(callee: Callee, parameter: SignatureParameter, value: Meaning): boolean;
}

export function fitAt({ world }: Snapshot, { entry, checked }: Part): Fit {
  const assumed = checked.signature?.requirements ?? [];
  const context = (): Context => ({
    ...world.context(entry, emptySheet(), new Map()),
    rigid: entry.node.kind === 'model',
    assumed: [],
  });
  const fits = (callee: Callee, parameter: SignatureParameter, tensor: TensorMeaning): boolean => {
    if (parameter.type.kind !== 'tensor') return false;
    const u = unifier(callee.signature, callee.model?.uri);
    const any = takesAnyElement(callee, parameter);
    if (!unifyTensor(context(), u, parameter, parameter.type.pattern, tensor, nowhere, any)) return false;
    return callee.signature.requirements.every(r => decide(substituteRequirement(r, u.bindings), assumed) !== 'fails');
  };
  return {
    takes: (callee, tensor) => {
      const first = callee.signature.parameters.find(p => p.type.kind === 'tensor');
      return first !== undefined && fits(callee, first, tensor);
    },
    suits: (callee, parameter, value) => {
      if (value.kind === 'tensor') return fits(callee, parameter, value);
      const { kind } = parameter.type;
      if (value.kind === 'number') return kind === 'float' || kind === 'schedule' || (kind === 'int' && value.whole);
      return value.kind === kind && (value.kind !== 'layer' || keepsShape(value.callee, value.given));
    },
  };
}

/** What a model of another file is to its callers, told by its header alone. Undefined where that is damaged. */
export function calleeOf(text: string, doc: string): Callee | undefined {
  const cursor = new Cursor(lex(text), text.length);
  const parsed = header(cursor);
  if (cursor.problems.length > 0 || !cursor.atEnd) return undefined;
  return { signature: compileSignature(parsed, { label: text }), doc, weights: true };
}
