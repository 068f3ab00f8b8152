/** Reductions shared by the lanes of a workgroup, in WGSL: by subgroups where the device has them, else through a tree in workgroup memory. */
import type { Reducer, ScalarType } from '../../ir/scalar.ts';
import type { LoopKernel } from '../../kernel/kernel.ts';
import { literal, type Module } from './shader.ts';

/** An accumulator: the variable `a<number>`, beside the position `i<number>` of an argmax. */
export interface Slot {
  readonly number: number;
  readonly reducer: Reducer;
  readonly type: ScalarType;
}

/** Declarations of a lane's accumulator. */
export function declareSlot(module: Module, { number, reducer, type }: Slot): readonly string[] {
  const declared = `var a${number}: ${type} = ${start(module, reducer, type)};`;
  return reducer === 'argmax' ? [declared, `var i${number}: i32 = 0i;`] : [declared];
}

function start(module: Module, reducer: Reducer, type: ScalarType): string {
  if (reducer === 'sum') return literal(module, type, 0);
  const lowest = reducer !== 'min';
  if (type === 'f32') return literal(module, 'f32', lowest ? -3.4028234663852886e38 : 3.4028234663852886e38);
  return literal(module, type, type === 'u32' ? (lowest ? 0 : 0xffffffff) : lowest ? -2147483648 : 2147483647);
}

/** A lane takes in `value`, of element `e`. */
export function accumulate({ reducer, number: n }: Slot, value: string): string {
  if (reducer === 'sum') return `a${n} += ${value};`;
  if (reducer === 'argmax') return `if (${value} > a${n}) { a${n} = ${value}; i${n} = e; }`;
  return `a${n} = ${reducer}(a${n}, ${value});`;
}

/** How the lanes of a workgroup put their accumulators together; afterwards every lane holds the results. The order is fixed, so the bits are. */
export interface Combiner {
  /** Statements for the slots of one phase. */
  combine(slots: readonly Slot[]): readonly string[];
  /** Declarations of workgroup memory, once all phases are written. */
  declarations(): string;
}

/** For workgroups of `points` points with `lanes` lanes each; the points are neighbours. Only a single point's lanes make subgroups. */
export function combiner(module: Module, kernel: LoopKernel, lanes: number, points: number): Combiner {
  const { workgroupBytes } = module.options;
  const subgroups = points === 1 ? module.options.subgroups : undefined;
  const places = subgroups === undefined ? lanes * points : Math.ceil(lanes / subgroups.least);
  const arrays = new Set<string>();
  const array = (type: ScalarType, n: number): string => {
    arrays.add(`var<workgroup> shared_${type}_${n}: array<${type}, ${places}>;\n`);
    return `shared_${type}_${n}`;
  };
  // An argmax takes two arrays.
  const together = Math.max(1, Math.floor(workgroupBytes / (8 * places)));
  if (subgroups !== undefined && kernel.phases.some(phase => phase.kind === 'reduce')) module.enables.add('subgroups');
  return {
    combine(slots) {
      const shares = slots.map((slot, n): Share => {
        const at = n % together;
        const positions = slot.reducer === 'argmax' ? array('i32', at + together) : undefined;
        return { ...slot, values: array(slot.type, at), positions };
      });
      const batches = Array.from({ length: Math.ceil(slots.length / together) }, (_, n) =>
        shares.slice(n * together, (n + 1) * together),
      );
      return batches.flatMap(batch =>
        subgroups === undefined ? treeLines(batch, lanes, points) : subgroupLines(batch),
      );
    },
    declarations: () => [...arrays].join(''),
  };
}

/** A slot with its arrays in workgroup memory: values, and positions of an argmax. */
interface Share extends Slot {
  readonly values: string;
  readonly positions: string | undefined;
}

/** Every lane halves the number of values until one is left. */
function treeLines(shares: readonly Share[], lanes: number, points: number): readonly string[] {
  const steps = shares.map(({ reducer, values, positions }) => {
    const [mine, theirs] = [`${values}[lane]`, `${values}[lane + half]`];
    if (reducer === 'sum') return `${mine} += ${theirs};`;
    if (positions === undefined) return `${mine} = ${reducer}(${mine}, ${theirs});`;
    const [own, other] = [`${positions}[lane]`, `${positions}[lane + half]`];
    // The first of equals wins, wherever its lane is.
    return `if (${theirs} > ${mine} || (${theirs} == ${mine} && ${other} < ${own})) { ${mine} = ${theirs}; ${own} = ${other}; }`;
  });
  const first = points === 1 ? '0' : `lane & ${points - 1}u`;
  return [
    'workgroupBarrier();',
    ...shares.map(({ number, values }) => `${values}[lane] = a${number};`),
    ...shares.flatMap(({ number, positions }) => (positions === undefined ? [] : `${positions}[lane] = i${number};`)),
    'workgroupBarrier();',
    `for (var half = ${(lanes * points) / 2}u; half >= ${points}u; half /= 2u) {\n  if (lane < half) { ${steps.join(' ')} }\n  workgroupBarrier();\n}`,
    ...shares.map(({ number, values }) => `a${number} = ${values}[${first}];`),
    ...shares.flatMap(({ number, positions }) =>
      positions === undefined ? [] : `i${number} = ${positions}[${first}];`,
    ),
  ];
}

const SUBGROUP_CALLS = { sum: 'subgroupAdd', max: 'subgroupMax', min: 'subgroupMin', argmax: 'subgroupMax' } as const;

/** Each subgroup combines its lanes, then every lane what the subgroups found, in their order. */
function subgroupLines(shares: readonly Share[]): readonly string[] {
  const found = shares.flatMap(({ reducer, number: n, positions }) => [
    `let s${n} = ${SUBGROUP_CALLS[reducer]}(a${n});`,
    ...(positions === undefined ? [] : [`let t${n} = subgroupMin(select(2147483647i, i${n}, a${n} == s${n}));`]),
  ]);
  const kept = shares.flatMap(({ number: n, values, positions }) => [
    `${values}[team] = s${n};`,
    ...(positions === undefined ? [] : [`${positions}[team] = t${n};`]),
  ]);
  const firsts = shares.flatMap(({ number: n, values, positions }) => [
    `a${n} = ${values}[0];`,
    ...(positions === undefined ? [] : [`i${n} = ${positions}[0];`]),
  ]);
  const steps = shares.map(({ reducer, number: n, values, positions }) => {
    const theirs = `${values}[t]`;
    if (reducer === 'sum') return `a${n} += ${theirs};`;
    if (positions === undefined) return `a${n} = ${reducer}(a${n}, ${theirs});`;
    const better = `${theirs} > a${n} || (${theirs} == a${n} && ${positions}[t] < i${n})`;
    return `if (${better}) { a${n} = ${theirs}; i${n} = ${positions}[t]; }`;
  });
  return [
    ...found,
    'workgroupBarrier();',
    `if (member == 0u) { ${kept.join(' ')} }`,
    'workgroupBarrier();',
    ...firsts,
    `for (var t = 1u; t < teams; t++) { ${steps.join(' ')} }`,
  ];
}
