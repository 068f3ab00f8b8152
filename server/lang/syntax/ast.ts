/** The syntax tree: typed nodes over the tokens of one chunk. Offsets are relative to the chunk, so an unchanged chunk keeps its tree. */
import type { Span } from '../text.ts';

/** An identifier where one is wanted; '' (of no width) where the text has none. */
export interface Name extends Span {
  readonly kind: 'name';
  readonly name: string;
}

export type Expression =
  | Name
  | NumberLiteral
  | StringLiteral
  | BoolLiteral
  | ListLiteral
  | TupleExpression
  | CallExpression
  | PipeExpression
  | BinaryExpression
  | UnaryExpression
  | IndexExpression
  | MemberExpression
  | ScanExpression
  | Missing;

export interface NumberLiteral extends Span {
  readonly kind: 'number';
  readonly value: number;
  /** Written without point and exponent. */
  readonly whole: boolean;
}
export interface StringLiteral extends Span {
  readonly kind: 'string';
  readonly value: string;
}
export interface BoolLiteral extends Span {
  readonly kind: 'bool';
  readonly value: boolean;
}
/** `[B, 64]`: a shape or a list of hyperparameters. */
export interface ListLiteral extends Span {
  readonly kind: 'list';
  readonly items: readonly Expression[];
}
/** `(mu, logvar)`; a single parenthesised expression is just that expression. */
export interface TupleExpression extends Span {
  readonly kind: 'tuple';
  readonly items: readonly Expression[];
}
export interface Argument extends Span {
  readonly kind: 'argument';
  readonly name?: Name;
  readonly value: Expression;
}
export interface CallExpression extends Span {
  readonly kind: 'call';
  readonly callee: Expression;
  readonly args: readonly Argument[];
  /** Offset of `(`. */
  readonly open: number;
  /** False where `)` is missing. */
  readonly closed: boolean;
}
export interface PipeExpression extends Span {
  readonly kind: 'pipe';
  readonly left: Expression;
  readonly stage: Expression;
  readonly operator: Span;
}
export type BinaryOperator =
  | '+'
  | '-'
  | '*'
  | '/'
  | '%'
  | '@'
  | '**'
  | '=='
  | '!='
  | '<'
  | '<='
  | '>'
  | '>='
  | '&&'
  | '||';
export interface BinaryExpression extends Span {
  readonly kind: 'binary';
  readonly op: BinaryOperator;
  readonly operator: Span;
  readonly left: Expression;
  readonly right: Expression;
}
export interface UnaryExpression extends Span {
  readonly kind: 'unary';
  readonly op: '-' | '!';
  readonly operand: Expression;
}
/** One axis of `x[…]`: a single index, or a range (also `:` alone, and `...`). */
export interface IndexItem extends Span {
  readonly kind: 'item';
  readonly mode: 'at' | 'range' | 'ellipsis';
  readonly from?: Expression;
  readonly to?: Expression;
  /** Of a range: every which element. */
  readonly step?: Expression;
}
export interface IndexExpression extends Span {
  readonly kind: 'index';
  readonly object: Expression;
  readonly items: readonly IndexItem[];
}
export interface MemberExpression extends Span {
  readonly kind: 'member';
  readonly object: Expression;
  readonly member: Name;
}
/** `scan t in x from h = zeros([B, 64]) { … }`: `t` walks axis 1, the states go from turn to turn, results are stacked on axis 1. */
export interface ScanExpression extends Span {
  readonly kind: 'scan';
  readonly variable: Name;
  readonly over: Expression;
  readonly states: readonly { readonly name: Name; readonly initial: Expression }[];
  readonly body: Block;
}
/** No expression where one is wanted. */
export interface Missing extends Span {
  readonly kind: 'missing';
}

/** `[B, 784]`, `index(V)[B, T]`, `int`. */
export interface TypeExpression extends Span {
  readonly kind: 'type';
  /** `index`, `int`, `float`, `bool`, `string`, a library kind; absent for a plain shape. */
  readonly element?: Name;
  /** `V` of `index(V)`. */
  readonly classes?: Expression;
  readonly shape?: ShapeExpression;
  /** `median`, `float` of `mean | median | float`: what else a hyperparameter of the library may be. */
  readonly alternatives?: readonly Name[];
  /** There is a problem within: it stands for no type. */
  readonly damaged?: boolean;
}
export interface ShapeExpression extends Span {
  readonly kind: 'shape';
  readonly dims: readonly Expression[];
  /** Index in `dims` before which `...` stands, any number of dimensions. */
  readonly restAt?: number;
}

export interface Block extends Span {
  readonly kind: 'block';
  readonly statements: readonly Statement[];
  /** There is a problem within, or no brace around. */
  readonly damaged?: boolean;
}

export type Statement = Bind | ResultStatement | RepeatStatement | IfStatement | Setting | BrokenStatement;

export interface Bind extends Span {
  readonly kind: 'bind';
  /** One, or several for a tuple. */
  readonly targets: readonly Name[];
  readonly annotation?: TypeExpression;
  readonly value: Expression;
  /** There is a problem within; what else may seem wrong follows from it. */
  readonly damaged?: boolean;
}
/** An expression by itself: the result of its block. */
export interface ResultStatement extends Span {
  readonly kind: 'result';
  readonly value: Expression;
  /** As of a binding. */
  readonly damaged?: boolean;
}
export interface RepeatStatement extends Span {
  readonly kind: 'repeat';
  readonly count: Expression;
  readonly body: Block;
}
export interface IfStatement extends Span {
  readonly kind: 'if';
  readonly condition: Expression;
  readonly then: Block;
  readonly otherwise?: Block;
}
/** A setting of a data or train block: `batch 64`, `split validation: 0.1`, `minimize loss over g using adam()`, `augment { … }`. */
export interface Setting extends Span {
  readonly kind: 'setting';
  readonly keyword: Name;
  readonly args: readonly Argument[];
  /** `over g, d`. */
  readonly over?: readonly Expression[];
  /** `using adam(…)`. */
  readonly using?: Expression;
  /** `init net from "pretrain"`. */
  readonly from?: Expression;
  readonly body?: Block;
}
/** Damaged beyond use; the error is in the parse's list. */
export interface BrokenStatement extends Span {
  readonly kind: 'broken';
}

export interface Parameter extends Span {
  readonly kind: 'parameter';
  readonly name: Name;
  /** `axis?: int`. */
  readonly optional: boolean;
  readonly type?: TypeExpression;
  readonly fallback?: Expression;
}

/** What stands before a model's body and what the library's signatures are written in. */
export interface Header extends Span {
  readonly kind: 'header';
  readonly name: Name;
  readonly parameters: readonly Parameter[];
  /** None where it isn't declared; several in parentheses. */
  readonly results: readonly TypeExpression[];
  readonly where: readonly Expression[];
  /** What it says may not be what was meant. */
  readonly damaged?: boolean;
}

interface DeclarationBase extends Span {
  readonly name: Name;
  /** Lines of the doc comment, without `///`. */
  readonly doc: string;
}
export interface ModelDeclaration extends DeclarationBase {
  readonly kind: 'model';
  readonly header: Header;
  readonly body: Block;
}
export interface DataDeclaration extends DeclarationBase {
  readonly kind: 'data';
  readonly source: Expression;
  readonly body?: Block;
}
export interface TrainDeclaration extends DeclarationBase {
  readonly kind: 'train';
  readonly on: Name;
  readonly body: Block;
}
export interface ConstDeclaration extends DeclarationBase {
  readonly kind: 'const';
  readonly value: Expression;
}
/** `import A, B from "file.strata"`; `name` is the first. */
export interface ImportDeclaration extends DeclarationBase {
  readonly kind: 'import';
  readonly names: readonly Name[];
  readonly path?: StringLiteral;
}
export type DeclarationNode =
  | ModelDeclaration
  | DataDeclaration
  | TrainDeclaration
  | ConstDeclaration
  | ImportDeclaration;

export type AnyNode =
  | DeclarationNode
  | Header
  | Parameter
  | TypeExpression
  | ShapeExpression
  | Block
  | Statement
  | Argument
  | IndexItem
  | Expression;

/** The nodes directly inside, in order of the text. */
export function childrenOf(node: AnyNode): readonly AnyNode[] {
  switch (node.kind) {
    case 'name':
    case 'number':
    case 'string':
    case 'bool':
    case 'missing':
    case 'broken':
      return [];
    case 'list':
    case 'tuple':
      return node.items;
    case 'argument':
      return present(node.name, node.value);
    case 'call':
      return [node.callee, ...node.args];
    case 'pipe':
      return [node.left, node.stage];
    case 'binary':
      return [node.left, node.right];
    case 'unary':
      return [node.operand];
    case 'item':
      return present(node.from, node.to, node.step);
    case 'index':
      return [node.object, ...node.items];
    case 'member':
      return [node.object, node.member];
    case 'scan':
      return [node.variable, node.over, ...node.states.flatMap(s => [s.name, s.initial]), node.body];
    case 'type':
      return present(node.element, node.classes, node.shape, ...(node.alternatives ?? []));
    case 'shape':
      return node.dims;
    case 'block':
      return node.statements;
    case 'bind':
      return present(...node.targets, node.annotation, node.value);
    case 'result':
      return [node.value];
    case 'repeat':
      return [node.count, node.body];
    case 'if':
      return present(node.condition, node.then, node.otherwise);
    case 'setting':
      return present(node.keyword, ...node.args, ...(node.over ?? []), node.using, node.from, node.body);
    case 'parameter':
      return present(node.name, node.type, node.fallback);
    case 'header':
      return [node.name, ...node.parameters, ...node.results, ...node.where];
    case 'model':
      return [node.header, node.body];
    case 'data':
      return present(node.name, node.source, node.body);
    case 'train':
      return [node.name, node.on, node.body];
    case 'const':
      return [node.name, node.value];
    case 'import':
      return present(...node.names, node.path);
  }
}

function present(...nodes: readonly (AnyNode | undefined)[]): readonly AnyNode[] {
  return nodes.filter(n => n !== undefined);
}

/** From the declaration inwards to the innermost node that touches `offset`. */
export function pathTo(root: AnyNode, offset: number): readonly AnyNode[] {
  const path: AnyNode[] = [root];
  for (;;) {
    const inside = childrenOf(path.at(-1)!).filter(n => n.start <= offset && offset <= n.end);
    // Where two touch (`a|+b`), the one that starts here is meant unless it has no width.
    const next = inside.findLast(n => n.start < n.end) ?? inside.at(-1);
    if (next === undefined) return path;
    path.push(next);
  }
}

export function walk(node: AnyNode, visit: (node: AnyNode) => void): void {
  visit(node);
  for (const child of childrenOf(node)) walk(child, visit);
}
