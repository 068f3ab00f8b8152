/** Exports the model of a run as a folder of PyTorch: the modules, the weights as they are, an example, and a script that checks it. */
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Backend, HostArray } from '../../engine/backend/backend.ts';
import { createRandom } from '../../engine/data/random.ts';
import { bindGraph, concreteShape } from '../../engine/ir/bind.ts';
import type { Graph } from '../../engine/ir/graph.ts';
import { writeAtomic } from '../../engine/train/atomicFile.ts';
import { openInference, type TrainedModel } from '../../engine/train/inference.ts';
import { encodeSafetensors, type NamedTensor } from '../../engine/train/safetensors.ts';
import { partOf } from '../../engine/train/show.ts';
import type { RunIdentity } from '../runs/history.ts';
import { traceRun } from './program.ts';
import { type PythonModel, pythonModel } from './python.ts';

/** Samples of the example. */
const SAMPLES = 4;
/** Stream of its random numbers. */
const STREAM = 0xd0000020;

/** Writes `folder`. Throws `unsupported` with the name of what PyTorch has no equal of, and what `traceRun` throws. */
export async function writePytorch(
  identity: RunIdentity,
  model: TrainedModel,
  folder: string,
  backend: Backend,
): Promise<void> {
  const python = pythonModel(traceRun(identity, model.program), model.program.name);
  const example = await exampleOf(model, python, backend);
  await writeAtomic(join(folder, 'model.py'), [Buffer.from(python.text)]);
  await writeAtomic(join(folder, 'run.py'), [Buffer.from(runScript(python))]);
  await writeAtomic(join(folder, 'example.safetensors'), encodeSafetensors({ tensors: example, metadata: {} }));
  await copyFile(model.path, join(folder, 'weights.safetensors'));
}

/** Random inputs, and what the model makes of them here: `input.image`, `output.label`. */
async function exampleOf(
  model: TrainedModel,
  { fields, targets }: PythonModel,
  backend: Backend,
): Promise<ReadonlyMap<string, NamedTensor>> {
  const { program } = model;
  const outputs = targets.map(target => `predict.${target}`);
  const graph = bindGraph(partOf(program, outputs), { B: SAMPLES });
  const { executable, write } = await openInference(model, graph, backend);
  const example = new Map<string, NamedTensor>();
  try {
    for (const { name, tensor } of fields) {
      const shape = [SAMPLES, ...tensor.shape.slice(1).map(Number)];
      const data = randomInput(shape, typeof tensor.classes === 'number' ? tensor.classes : undefined, tensor.dtype);
      example.set(`input.${name}`, { shape, data });
      write(name!, data);
    }
    executable.run(graph.name, 1);
    for (const [at, output] of outputs.entries())
      example.set(`output.${targets[at]}`, { shape: shapeOf(graph, output), data: await executable.read(output) });
    return example;
  } finally {
    executable.dispose();
  }
}

function shapeOf(graph: Graph, output: string): readonly number[] {
  return concreteShape(graph.nodes[graph.outputs.find(({ name }) => name === output)!.value]!.type);
}

function randomInput(shape: readonly number[], classes: number | undefined, dtype: string): HostArray {
  const random = createRandom(1, STREAM, 0);
  const length = shape.reduce((product, size) => product * size, 1);
  if (dtype === 'f32') return Float32Array.from({ length }, () => random.between(-1, 1));
  return Int32Array.from({ length }, () => random.below(classes ?? 2));
}

function runScript({ model, fields, targets }: PythonModel): string {
  const list = (names: readonly (string | undefined)[]) => `[${names.map(name => JSON.stringify(name)).join(', ')}]`;
  return `"""Loads the exported model and its weights, and checks it against what Strata computed. Needs torch alone."""

import json
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent))
from model import ${model}

FIELDS = ${list(fields.map(f => f.name))}
TARGETS = ${list(targets)}
DTYPES = {"F32": torch.float32, "I32": torch.int32, "U32": torch.uint32, "U8": torch.uint8}


def read(path):
    """The tensors of a safetensors file, by name."""
    data = bytearray(Path(path).read_bytes())
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    header.pop("__metadata__", None)
    body = memoryview(data)[8 + size :]
    tensors = {}
    for name, entry in header.items():
        start, end = entry["data_offsets"]
        dtype = DTYPES[entry["dtype"]]
        tensors[name] = torch.frombuffer(bytearray(body[start:end]), dtype=dtype).reshape(entry["shape"])
    return tensors


def load(folder=Path(__file__).parent):
    """The model with its weights, ready to be used."""
    model = ${model}()
    weights = read(Path(folder) / "weights.safetensors")
    # BatchNorm counts batches, which Strata does not keep; a checkpoint also holds the state of the optimiser.
    wanted = [name for name in model.state_dict() if not name.endswith("num_batches_tracked")]
    missing, unexpected = model.load_state_dict({name: weights[name] for name in wanted}, strict=False)
    assert not unexpected and all(name.endswith("num_batches_tracked") for name in missing), missing
    return model.eval()


if __name__ == "__main__":
    example = read(Path(__file__).parent / "example.safetensors")
    inputs = [example["input." + name] for name in FIELDS]
    with torch.no_grad():
        outputs = load()(*[x if x.is_floating_point() else x.long() for x in inputs])
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    for name, output in zip(TARGETS, outputs):
        difference = (output - example["output." + name]).abs().max().item()
        print(f"{name}: {list(output.shape)}, largest difference from Strata {difference:.2g}")
        assert difference < 1e-4, "the exported model computes something else"
`;
}
