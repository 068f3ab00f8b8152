/** Runs step graphs on the oracle: persistent buffers in a map, outputs applied as a backend would. */
import { evaluateGraph } from '../../engine/backend/reference/evaluateGraph.ts';
import type { Tensor } from '../../engine/ops/primitive.ts';
import type { Steps } from '../../engine/train/step.ts';

export interface Interpreter {
  readonly buffers: Readonly<Record<string, Tensor>>;
  write(buffer: string, data: ArrayLike<number>): void;
  run(entry: string): void;
  read(buffer: string): Float64Array;
}

export function interpreter({ entries, layout }: Steps): Interpreter {
  const buffers: Record<string, Tensor> = {};
  for (const { name, dtype, shape } of layout.buffers) {
    buffers[name] = { dtype, shape, data: new Float64Array(shape.reduce((n, d) => n * d, 1)) };
  }
  return {
    buffers,
    write(buffer, data) {
      buffers[buffer]!.data.set(Array.from(data));
    },
    read: buffer => buffers[buffer]!.data,
    run(entry) {
      const graph = entries.find(e => e.name === entry)!;
      const at = Object.fromEntries(graph.outputs.flatMap(o => (o.at === undefined ? [] : [[o.name, o.at]])));
      const probes = Object.entries(at).map(([name, value]) => ({
        name: `at ${name}`,
        value,
        kind: 'result' as const,
      }));
      const results = evaluateGraph({ ...graph, outputs: [...graph.outputs, ...probes] }, buffers);
      for (const { name, kind } of graph.outputs) {
        const { data } = results[name]!;
        if (kind === 'assign') buffers[name] = { ...buffers[name]!, data };
        if (kind === 'write') buffers[name]!.data.set(data, results[`at ${name}`]!.data[0]!);
      }
    },
  };
}
