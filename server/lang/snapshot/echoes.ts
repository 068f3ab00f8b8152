/** One mistake, one diagnostic: facts that only follow from another one are left out until that one is mended. */
import type { DiagnosticFact } from '../facts.ts';
import { type Part, parts, type Snapshot } from './snapshot.ts';

/** What damage elsewhere makes the checker believe. Misspelt names and broken files are mistakes of their own. */
const consequences: ReadonlySet<DiagnosticFact['code']> = new Set<DiagnosticFact['code']>([
  'shape-mismatch',
  'class-mismatch',
  'type-mismatch',
  'missing-argument',
  'unknown-argument',
  'too-many-arguments',
  'not-callable',
  'not-a-value',
  'requirement-failed',
  'layer-reuse',
  'model-without-result',
  'missing-statement',
  'batch-axis',
  'batch-of-one',
  'no-gradient',
  'opposing-objectives',
  'untrained-layer',
  'unused-binding',
]);

interface Placed {
  readonly fact: DiagnosticFact;
  readonly part: Part | undefined;
  /** Offset of its line. */
  readonly line: number;
}

/** `facts` in order of position, without the echoes. */
export function withoutEchoes(snapshot: Snapshot, facts: readonly DiagnosticFact[]): readonly DiagnosticFact[] {
  if (facts.length < 2) return facts;
  const all = parts(snapshot);
  const placed = facts.map((fact): Placed => {
    const { start } = fact.span;
    const part = all.findLast(p => p.offset + p.entry.node.start <= start);
    return { fact, part, line: snapshot.text.lastIndexOf('\n', start - 1) + 1 };
  });
  const damaged = damagedNames(placed);
  const doubtful = dependents(all, damaged);
  const tests = [behindDamage, meantByDamage(snapshot.text), ofMissing, besideUnknownArgument, repeated];
  return placed
    .filter(p => !(consequences.has(p.fact.code) && p.part && doubtful.has(nameOf(p.part))))
    .filter(p => !tests.some(echoes => echoes(p, placed)))
    .map(p => p.fact);
}

const nameOf = ({ entry }: Part): string => entry.node.name.name;

/** Declarations that can't be relied on: damaged text, a statement that wasn't understood, a result that is not the declared one. */
function damagedNames(placed: readonly Placed[]): ReadonlySet<string> {
  const unreliable = ({ fact }: Placed): boolean =>
    fact.code === 'syntax-error' ||
    fact.code === 'split-out-of-range' ||
    (fact.code === 'duplicate-name' && (fact.data.what === 'declaration' || fact.data.what === 'parameter')) ||
    (fact.code === 'unknown-name' && fact.data.kind === 'setting') ||
    (fact.code === 'unknown-argument' && fact.data.callee === 'split') ||
    (fact.code === 'shape-mismatch' && fact.data.role === 'result');
  return new Set(placed.filter(unreliable).flatMap(({ part }) => (part ? [nameOf(part)] : [])));
}

/** Names of the declarations that use one of `names`, directly or not. */
function dependents(all: readonly Part[], names: ReadonlySet<string>): ReadonlySet<string> {
  const found = new Set<string>();
  for (let grown = true; grown; ) {
    grown = false;
    for (const part of all) {
      const uses = part.checked.sheet.references.some(
        ({ target }) => target?.kind === 'global' && (names.has(target.name) || found.has(target.name)),
      );
      if (!uses || found.has(nameOf(part)) || names.has(nameOf(part))) continue;
      found.add(nameOf(part));
      grown = true;
    }
  }
  return found;
}

/** Damaged text speaks for its line, and for what follows from it further down in the same declaration. */
function behindDamage({ fact, part, line }: Placed, placed: readonly Placed[]): boolean {
  return placed.some(other => {
    if (other.fact === fact || other.fact.code !== 'syntax-error') return false;
    if (other.line === line) return fact.code !== 'syntax-error' || other.fact.span.start < fact.span.start;
    if (other.part !== part || other.line >= line) return false;
    return consequences.has(fact.code) || (fact.code === 'unknown-name' && inHeader(other));
  });
}

/** A name that a damaged line may have been about to declare. */
function meantByDamage(text: string): (one: Placed, placed: readonly Placed[]) => boolean {
  return ({ fact }, placed) => {
    if (fact.code !== 'unknown-name') return false;
    return placed.some(({ fact: other, line }) => {
      if (other.code !== 'syntax-error' || other.span.start > fact.span.start) return false;
      const end = text.indexOf('\n', line);
      return text.slice(line, end < 0 ? text.length : end).includes(fact.data.name);
    });
  };
}

/** Names of parameters are lost with a damaged header. */
function inHeader({ part, fact }: Placed): boolean {
  return part !== undefined && !part.entry.placed.chunk.text.slice(0, fact.span.start - part.offset).includes('{');
}

/** A statement is not missing from a block that has a damaged or misspelt one. */
function ofMissing({ fact, part }: Placed, placed: readonly Placed[]): boolean {
  if (fact.code !== 'missing-statement' && fact.code !== 'model-without-result') return false;
  return placed.some(
    ({ fact: other, part: home }) =>
      home === part &&
      (other.code === 'syntax-error' || (other.code === 'unknown-name' && other.data.kind === 'setting')),
  );
}

/** What stands behind a misspelt argument is looked up in the wrong place. */
function besideUnknownArgument({ fact }: Placed, placed: readonly Placed[]): boolean {
  if (fact.code !== 'unknown-name') return false;
  return placed.some(({ fact: other }) => {
    const gap = fact.span.start - other.span.end;
    return other.code === 'unknown-argument' && gap >= 0 && gap <= 3;
  });
}

/** Logits that fit no label are told once, at the first function that takes both. */
function repeated({ fact, part }: Placed, placed: readonly Placed[]): boolean {
  if (fact.code !== 'class-mismatch') return false;
  const { classes, logits } = fact.data;
  return placed.some(
    ({ fact: other, part: home }) =>
      home === part &&
      other.code === 'class-mismatch' &&
      other.span.start < fact.span.start &&
      other.data.classes === classes &&
      other.data.logits === logits,
  );
}
