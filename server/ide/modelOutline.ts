/** The layers of a train block as a tree: shapes, weights and floating-point operations, told by the graph that is trained. */
import { showShape } from '../../engine/dim/dim.ts';
import { bindGraph } from '../../engine/ir/bind.ts';
import type { GraphNode, TensorType } from '../../engine/ir/graph.ts';
import type { Program } from '../../engine/ir/program.ts';
import { type Work, workOf } from '../../engine/ops/flops.ts';
import type { Analysis, Location, MadeLayer } from '../lang/api.ts';
import { lower } from '../lang/lower/lower.ts';

/** `Place`: how a location is told, offsets here and lines to an editor. */
export interface LayerNode<Place = Location> {
  /** Within its parent, as in the names of its weights: `fc1`, `linear_1`, `0` for the first turn of a loop. */
  readonly name: string;
  /** `net.fc1`: unique within its block where the layer has weights. */
  readonly path: string;
  /** Name of the function or model; '' where there is none (a loop). */
  readonly kind: string;
  /** What comes out last, `[B, 128]`. */
  readonly output: string;
  /** Trainable weights, of all within. */
  readonly weights: number;
  /** Of one sample on the way forward, a multiplication and an addition being two; of all within. */
  readonly flops: number;
  readonly children: readonly LayerNode<Place>[];
  /** Where it is named or called, if that can be told. */
  readonly location?: Place;
}

export interface ModelOutline {
  readonly train: string;
  readonly layers: readonly LayerNode[];
  readonly weights: number;
  readonly flops: number;
}

/** Undefined while the block has errors, or there is none of that name. */
export function modelOutline(analysis: Analysis, train: string): ModelOutline | undefined {
  const lowered = lower(analysis, train);
  if (lowered.kind !== 'program') return undefined;
  const { program } = lowered;
  const root = draft('', '');
  grow(root, program);
  const locate = locator(lowered.layers);
  const layers = root.children.map(child => finished(child, program, locate));
  const flops = perSample(program).reduce((sum, work) => sum + Number(work.flops), 0);
  return { train, layers, weights: weightsBelow(program, ''), flops };
}

interface Draft {
  readonly name: string;
  readonly path: string;
  flops: number;
  output: TensorType | undefined;
  readonly children: Draft[];
  /** Index of the child visited last, to tell a second application of the whole from another function. */
  at: number;
}

function draft(name: string, path: string): Draft {
  return { name, path, flops: 0, output: undefined, children: [], at: -1 };
}

function perSample({ train }: Program): readonly Work[] {
  return [...workOf(bindGraph(train, { B: 1 }))];
}

/** Layers in order of computation. A function without weights that is applied again further on is listed again. */
function grow(root: Draft, program: Program): void {
  const owners = new Set(program.parameters.map(p => p.name.slice(0, p.name.lastIndexOf('.'))));
  const means = meansOf(program);
  let path: readonly Draft[] = [];
  const work = perSample(program);
  for (const [at, { node }] of [...workOf(program.train)].entries()) {
    if (node.label === undefined || node.op === 'input' || node.op === 'constant') continue;
    if (path.at(-1)?.path !== node.label) path = pathTo(root, node.label, owners.has(node.label));
    path.at(-1)!.flops += Number(work[at]!.flops);
    const type = means.has(node) ? scalar : node.type;
    for (const layer of path) layer.output = type;
  }
}

/** What people see of a metric that is finished from means. */
const scalar: TensorType = { dtype: 'f32', shape: [] };

function meansOf({ train, reports }: Program): ReadonlySet<GraphNode> {
  const finished = new Set(reports.filter(r => r.finish).map(r => r.name));
  return new Set(train.outputs.filter(o => finished.has(o.name)).map(o => train.nodes[o.value]!));
}

/** The layers of that path, made where they are not there yet. */
function pathTo(root: Draft, label: string, owner: boolean): readonly Draft[] {
  const names = label.split('.');
  const found: Draft[] = [];
  for (const [i, name] of names.entries()) {
    const parent = found.at(-1) ?? root;
    const path = names.slice(0, i + 1).join('.');
    found.push(child(parent, name, path, owner || i < names.length - 1));
  }
  return found;
}

function child(parent: Draft, name: string, path: string, owner: boolean): Draft {
  const following = parent.children[parent.at + 1];
  const known = owner ? parent.children.find(c => c.name === name) : following?.name === name ? following : undefined;
  if (known === undefined) parent.children.push(draft(name, path));
  const next = known ?? parent.children.at(-1)!;
  parent.at = parent.children.indexOf(next);
  return next;
}

function finished(d: Draft, program: Program, locate: Locate): LayerNode {
  const { kind, location } = locate(d.path);
  const children = d.children.map(child => finished(child, program, locate));
  return {
    name: d.name,
    path: d.path,
    kind,
    output: d.output === undefined ? '' : showType(d.output),
    weights: weightsBelow(program, `${d.path}.`),
    flops: children.reduce((sum, c) => sum + c.flops, d.flops),
    children,
    ...(location && { location }),
  };
}

function weightsBelow({ parameters }: Program, prefix: string): number {
  const own = parameters.filter(p => p.trainable && p.name.startsWith(prefix));
  return own.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
}

function showType({ dtype, shape }: TensorType): string {
  return `${dtype === 'f32' ? '' : dtype === 'i32' ? 'int' : dtype}${showShape(shape)}`;
}

type Locate = (path: string) => { readonly kind: string; readonly location?: Location };

/** Of what several places share a path, each part of the tree in turn takes the next place. */
function locator(made: ReadonlyMap<string, readonly MadeLayer[]>): Locate {
  const met = new Map<string, number>();
  return path => {
    const sites = made.get(path) ?? [];
    const turn = met.get(path) ?? 0;
    met.set(path, turn + 1);
    const name = path.slice(path.lastIndexOf('.') + 1);
    return sites[Math.min(turn, sites.length - 1)] ?? { kind: /^\d+$/.test(name) ? '' : name };
  };
}

/** The tree as aligned text, a layer a line. */
export function printOutline({ train, layers, weights, flops }: ModelOutline): string {
  const rows: (readonly string[])[] = [];
  const visit = (l: LayerNode, depth: number): void => {
    rows.push([
      `${'  '.repeat(depth)}${l.name}`,
      l.kind === l.name ? '' : l.kind,
      l.output,
      count(l.weights),
      count(l.flops),
    ]);
    for (const child of l.children) visit(child, depth + 1);
  };
  for (const layer of layers) visit(layer, 1);
  const titles = ['  layer', '', 'output', 'weights', 'FLOPs a sample'];
  const all = [titles, ...rows, ['  in all', '', '', count(weights), count(flops)]];
  const widths = titles.map((_, i) => Math.max(...all.map(row => row[i]!.length)));
  const lines = all.map(row =>
    row.map((cell, i) => (i < 3 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  '),
  );
  return `train ${train}\n${lines.map(line => line.trimEnd()).join('\n')}\n`;
}

function count(value: number): string {
  return value === 0 ? '' : value.toLocaleString('en-US');
}
