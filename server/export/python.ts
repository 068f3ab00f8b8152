/** A traced program as a Python file of `torch.nn` modules, a class a model, with the weights' names of the program. */
import { type Dim, isConstant, sameDim, showDim } from '../../engine/dim/dim.ts';
import { EngineError, never } from '../../engine/util/errors.ts';
import { showTensor, type TensorMeaning } from '../lang/check/meaning.ts';
import { helpers, literal, rules, type TorchCall, UnreadableSize } from './rules.ts';
import type { Frame, IndexItem, Step, Trace } from './trace.ts';

export interface PythonModel {
  readonly text: string;
  /** Name of the class of the train block. */
  readonly model: string;
  /** Parameters of its `forward`, in order: fields of the data. */
  readonly fields: readonly Step[];
  /** What it returns, in order: predictions of these fields. */
  readonly targets: readonly string[];
}

/** Python's words, and names that the file itself uses. */
const taken = new Set(
  'False None True and as assert async await break class continue def del elif else except finally for from global if import in is lambda nonlocal not or pass raise return try while with yield self torch nn F math attend with_states rotary sinusoidal_positions'.split(
    ' ',
  ),
);

/** Writes the file. Throws EngineError `unsupported` with the first function that PyTorch has no equal of here. */
export function pythonModel(trace: Trace, name: string): PythonModel {
  const file: File = { classes: new Map(), names: new Set(taken), helpers: new Set() };
  const targets = [...trace.targets.keys()];
  const top: Frame = { ...trace.top, results: [...trace.targets.values()] };
  const fields = reachable(top.results).filter(step => step.from.kind === 'input');
  const model = classOf(file, { ...top, model: capitalised(name), inputs: fields });
  const used = [...file.helpers].map(helper => helpers[helper]);
  const classes = [...file.classes].map(([body, title]) => `class ${title}(nn.Module):\n${body}`);
  const imports = ['import torch', 'import torch.nn.functional as F', 'from torch import nn'];
  if ([...used, ...classes].some(text => text.includes('math.'))) imports.unshift('import math\n');
  const about = `"""The models of train block ${name}, exported by Strata. Inputs are the fields of its data block, after its transforms:\n\n${fields.map(f => `    ${f.name}: ${showTensor(f.tensor)}`).join('\n')}\n"""`;
  return { text: `${[about, imports.join('\n'), ...used, ...classes].join('\n\n\n')}\n`, model, fields, targets };
}

/** Characters of an expression beyond which it gets a line of its own. */
const LONG = 56;

/** What every module has already: a layer of that name would take its place. */
const ATTRIBUTES = new Set(
  'training forward train eval modules children parameters buffers state_dict to cpu cuda half float double type apply'.split(
    ' ',
  ),
);

interface File {
  /** Titles by body: instances that read the same are one class. */
  readonly classes: Map<string, string>;
  readonly names: Set<string>;
  readonly helpers: Set<keyof typeof helpers>;
}

function capitalised(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1);
}

function classOf(file: File, frame: Frame): string {
  const body = new Body(file, frame).write();
  const known = file.classes.get(body);
  if (known !== undefined) return known;
  let title = frame.model;
  for (let n = 2; file.names.has(title); n++) title = `${frame.model}${n}`;
  file.names.add(title);
  file.classes.set(body, title);
  return title;
}

/** The steps behind `results`, each after those it is made of. */
function reachable(results: readonly Step[]): readonly Step[] {
  const order = new Set<Step>();
  const visit = (step: Step): void => {
    if (order.has(step)) return;
    for (const input of step.inputs.values()) visit(input);
    order.add(step);
  };
  for (const result of results) visit(result);
  return [...order];
}

/** Python that needs brackets within an operator, or does not. */
interface Text {
  readonly text: string;
  readonly loose: boolean;
}

/** The constructor and `forward` of one frame. */
class Body {
  private readonly modules = new Map<string, string>();
  private readonly written = new Map<Step, Text>();
  private readonly variables = new Set<string>(taken);
  private readonly lines: string[] = [];

  constructor(
    private readonly file: File,
    private readonly frame: Frame,
  ) {}

  write(): string {
    const { inputs, results } = this.frame;
    const steps = reachable(results);
    const uses = usesOf(steps, results);
    const parameters = inputs.map(step => {
      const name = this.variable(step.name ?? 'x');
      this.written.set(step, { text: name, loose: false });
      return name;
    });
    for (const step of steps) {
      if (this.written.has(step)) continue;
      const text = this.step(step);
      const isResult = results.includes(step);
      const named = step.name !== undefined && !(isResult && uses.get(step) === 1);
      const long = text.text.length > LONG && !isResult;
      if (step.from.kind !== 'constant' && (named || long || uses.get(step)! > 1)) {
        const name = this.variable(step.name ?? nameOf(step));
        this.lines.push(`${name} = ${text.text}`);
        this.written.set(step, { text: name, loose: false });
      } else this.written.set(step, text);
    }
    this.lines.push(`return ${results.map(step => this.written.get(step)!.text).join(', ')}`);
    const indented = (lines: readonly string[]) => lines.map(line => `        ${line}`).join('\n');
    const construct =
      this.modules.size === 0
        ? ''
        : `    def __init__(self):\n        super().__init__()\n${indented(assignments(this.modules))}\n\n`;
    return `${construct}    def forward(self, ${parameters.join(', ')}):\n${indented(this.lines)}`;
  }

  private variable(name: string): string {
    let free = name;
    for (let n = 2; this.variables.has(free); n++) free = `${name}_${n}`;
    this.variables.add(free);
    return free;
  }

  private step(step: Step): Text {
    const { from } = step;
    const tight = (text: string): Text => ({ text, loose: false });
    switch (from.kind) {
      case 'input':
        throw never('an input of a model that it was not given', from.name);
      case 'constant':
        return tight(this.constant(from.value, step.tensor));
      case 'call':
        return tight(this.call(step, from));
      case 'operator':
        return this.operator(from);
      case 'index':
        return tight(`${this.operand(step.inputs.get('x')!)}[${from.items.map(indexText).join(', ')}]`);
      case 'item':
        return tight(`${this.operand(step.inputs.get('of')!)}[${from.index}]`);
      case 'model': {
        const own = this.attribute(from.frame.path, from.frame.model, classOf(this.file, from.frame));
        const given = from.frame.inputs.map(input => this.plain(step.inputs.get(String(input.name))!));
        return tight(`${own}(${given.join(', ')})`);
      }
    }
  }

  /** PyTorch makes whole numbers of what is written as such, so reals are written with a point. */
  private constant(value: number | readonly number[], { dtype, shape }: TensorMeaning): string {
    const number = (n: number): string => {
      const text = literal(n);
      return dtype === 'f32' && /^-?\d+$/.test(text) ? `${text}.0` : text;
    };
    if (typeof value !== 'number') return `torch.tensor([${value.map(number).join(', ')}])`;
    if (shape.length === 0) return `torch.tensor(${number(value)})`;
    const sizes = shape.map(dim => this.size(dim));
    return `torch.full((${sizes.join(', ')}${sizes.length === 1 ? ',' : ''}), ${number(value)})`;
  }

  /** A number, or how large an input of this model is along an axis. */
  private size(dim: Dim): string {
    if (isConstant(dim)) return String(dim);
    for (const input of this.frame.inputs) {
      const axis = input.tensor.shape.findIndex(other => sameDim(other, dim));
      if (axis >= 0) return `${this.plain(input)}.shape[${axis}]`;
    }
    throw unsupported(`a tensor of the size ${showDim(dim)}, full of a number`, 'sizes that an input of the model has');
  }

  private call(step: Step, from: Extract<Step['from'], { kind: 'call' }>): string {
    const rule = Object.hasOwn(rules, from.fn) ? rules[from.fn] : undefined;
    if (rule === undefined) throw unsupported(from.fn, 'a function that the export knows in PyTorch');
    const helper = rule.helper?.(from.args);
    if (helper) this.file.helpers.add(helper);
    const call: TorchCall = {
      args: from.args,
      x: parameter => this.plain(step.inputs.get(parameter) ?? missing(from.fn, parameter)),
      has: parameter => step.inputs.has(parameter),
      shape: parameter => step.inputs.get(parameter)?.tensor.shape ?? [],
      result: step.tensor.shape,
      self: '',
    };
    try {
      const self = rule.module ? this.attribute(from.path, from.fn, `${rule.module(call)}`, true) : '';
      return rule.value({ ...call, self });
    } catch (error) {
      if (error instanceof UnreadableSize) throw unsupported(from.fn, 'sizes that do not depend on the batch');
      throw error;
    }
  }

  /** `self.net`, which holds a module of the path below this frame's. */
  private attribute(path: string, what: string, construct: string, isModule = false): string {
    const prefix = this.frame.path === '' ? '' : `${this.frame.path}.`;
    if (!path.startsWith(prefix)) throw unsupported(what, 'a layer that belongs to the model it is used in');
    const own = path.slice(prefix.length);
    this.modules.set(own, isModule ? construct : `${construct}()`);
    const [first, ...rest] = own.split('.');
    if (ATTRIBUTES.has(first!))
      throw unsupported(`a layer called ${first}`, 'names that modules of PyTorch leave free');
    return `self.${first}${rest.map(part => (/^\d+$/.test(part) ? `[${part}]` : `[${JSON.stringify(part)}]`)).join('')}`;
  }

  private operator({ op, operands }: Extract<Step['from'], { kind: 'operator' }>): Text {
    const [left, right] = operands.map(o => this.operand(o));
    if (right === undefined) return { text: `${op === '!' ? '~' : op}${left}`, loose: true };
    const python: Readonly<Record<string, string>> = { '&&': '&', '||': '|' };
    return { text: `${left} ${python[op] ?? op} ${right}`, loose: true };
  }

  private plain(step: Step): string {
    return this.written.get(step)?.text ?? missing('forward', String(step.name));
  }

  private operand(step: Step | number): string {
    if (typeof step === 'number') return step < 0 ? `(${literal(step)})` : literal(step);
    const { text, loose } = this.written.get(step) ?? missing('forward', String(step.name));
    return loose ? `(${text})` : text;
  }
}

function missing(fn: string, parameter: string): never {
  throw never(`${fn} is exported before its ${parameter}`);
}

function usesOf(steps: readonly Step[], results: readonly Step[]): ReadonlyMap<Step, number> {
  const uses = new Map<Step, number>(steps.map(step => [step, 0]));
  const count = (step: Step): void => void uses.set(step, (uses.get(step) ?? 0) + 1);
  for (const step of steps) {
    for (const input of step.inputs.values()) count(input);
    // A helper that is given x twice must not compute it twice.
    if (step.from.kind === 'call' && step.from.fn === 'self_attention') count(step.inputs.get('x')!);
  }
  for (const result of results) count(result);
  return uses;
}

function nameOf({ from }: Step): string {
  if (from.kind === 'model') return from.frame.model.toLowerCase();
  return from.kind === 'call' ? from.fn : 'y';
}

function indexText(item: IndexItem): string {
  if (item.kind === 'ellipsis') return '...';
  return item.kind === 'at' ? String(item.at) : `${item.from ?? ''}:${item.to ?? ''}`;
}

/** Modules below numbers and names become lists and dictionaries of modules, so that the names of weights stay. */
function assignments(modules: ReadonlyMap<string, string>): readonly string[] {
  const tree = treeOf([...modules].map(([path, construct]) => [path.split('.'), construct]));
  return [...tree].map(([name, node]) => `self.${name} = ${render(node)}`);
}

type Tree = string | ReadonlyMap<string, Tree>;

function treeOf(entries: readonly (readonly [readonly string[], string])[]): ReadonlyMap<string, Tree> {
  const names = new Set(entries.map(([path]) => path[0]!));
  return new Map(
    [...names].map(name => {
      const own = entries.filter(([path]) => path[0] === name);
      const leaf = own.find(([path]) => path.length === 1);
      return [name, leaf ? leaf[1] : treeOf(own.map(([path, construct]) => [path.slice(1), construct]))];
    }),
  );
}

function render(node: Tree): string {
  if (typeof node === 'string') return node;
  const names = [...node.keys()];
  if (names.every((name, at) => name === String(at)))
    return `nn.ModuleList([${[...node.values()].map(render).join(', ')}])`;
  return `nn.ModuleDict({${[...node].map(([name, each]) => `${JSON.stringify(name)}: ${render(each)}`).join(', ')}})`;
}

function unsupported(found: string, expected: string): EngineError {
  return new EngineError('unsupported', `expected ${expected}, found ${found}; leave it out of the model to export it`);
}
