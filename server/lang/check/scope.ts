/** Names in scope while a body is walked. A later binding of a name shadows the earlier one. */
import type { SymbolKind } from '../api.ts';
import type { Span } from '../text.ts';
import type { Meaning } from './meaning.ts';
import type { Target } from './records.ts';

export interface Binding {
  readonly name: string;
  readonly kind: SymbolKind;
  readonly meaning: Meaning;
  readonly span: Span;
  readonly target: Target;
  /** Something reads it. */
  used: boolean;
}

export class Scope {
  private readonly own = new Map<string, Binding>();
  private readonly parent: Scope | undefined;

  private readonly sealed: boolean;

  /** `sealed`: rebinding an outer name stays inside, as for one branch of an `if` that is not decided. */
  constructor(parent?: Scope, sealed = false) {
    this.parent = parent;
    this.sealed = sealed;
  }

  find(name: string): Binding | undefined {
    return this.own.get(name) ?? this.parent?.find(name);
  }

  define(binding: Binding): void {
    this.own.set(binding.name, binding);
  }

  /** Rebinds where the name lives, so that the turns of a `repeat` see each other; a new name becomes local. */
  assign(binding: Binding): void {
    const home = this.home(binding.name) ?? this;
    home.own.set(binding.name, binding);
  }

  names(): readonly string[] {
    return [...this.own.keys(), ...(this.parent?.names() ?? [])];
  }

  /** Visible bindings, the innermost of each name. */
  bindings(): ReadonlyMap<string, Binding> {
    return new Map([...(this.parent?.bindings() ?? []), ...this.own]);
  }

  /** It was bound in this scope itself, not in one around it. */
  owns(name: string): boolean {
    return this.own.has(name);
  }

  private home(name: string): Scope | undefined {
    if (this.own.has(name)) return this;
    if (this.sealed) return this.parent?.find(name) ? this : undefined;
    return this.parent?.home(name);
  }
}

/** Hands out the names of layers within one model, train block or turn of a loop. */
export class Naming {
  readonly prefix: string;
  private readonly taken = new Map<string, number>();

  constructor(prefix: string) {
    this.prefix = prefix;
  }

  /** `fc1`; bound again, `fc1_2`. */
  bound(name: string): string {
    const count = (this.taken.get(name) ?? 0) + 1;
    this.taken.set(name, count);
    return this.prefix + (count === 1 ? name : `${name}_${count}`);
  }

  /** `linear_1`, `linear_2`. */
  anonymous(name: string): string {
    const count = (this.taken.get(`${name}_`) ?? 0) + 1;
    this.taken.set(`${name}_`, count);
    return `${this.prefix}${name}_${count}`;
  }
}
