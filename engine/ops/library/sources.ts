/** Faces of the data sources: names, arguments and defaults. A path may be an address with a checksum everywhere. `engine/data` holds a reader of the same name for each. */
import type { SourceFunction } from './function.ts';

function source(name: string, parameters: string, doc: string, example: string): SourceFunction {
  return { kind: 'source', name, signature: `${name}(${parameters}) -> source`, doc, example };
}

/** Of sources that are tables. */
const tableParameters =
  'path: path, target: string = "", categories: string = "", texts: string = "", tokens: string = "words", vocabulary: int = 1000, length: int = 0';

export const sources: readonly SourceFunction[] = [
  source(
    'idx',
    'images: path, labels: path',
    'Images and labels in the IDX files of MNIST, plain or gzipped. Columns: `image` with the sizes of the header, bytes 0 to 255, and `label`, an index.',
    'idx(images: "train-images-idx3-ubyte.gz", labels: "train-labels-idx1-ubyte.gz")',
  ),
  source(
    'csv',
    tableParameters,
    'A table with a header line; columns keep their names. Numbers are numbers, dates such as 2024-12-31 days since 1970, texts categories, and a gap is a missing value. `categories` names the columns, with commas between, whose numbers are categories too, such as a target of 0 and 1. `texts` names the columns to be cut into `tokens`, "words", "characters" or "bpe" as `text` does: index(V)[length] over up to `vocabulary` of them, each text padded with token 0 at its end; without `length` all of them fit. With `target` there is also `features`: all other numeric columns, in order.',
    'csv("iris.csv", target: "species")',
  ),
  source(
    'parquet',
    tableParameters,
    'The columns of a Parquet file, under their names: numbers, texts and truth values as categories, dates and times as days since 1970, lists of as many numbers each as vectors; a null is a missing value. Columns of other types are left out. The arguments are those of `csv`.',
    'parquet("train.parquet", target: "label")',
  ),
  source(
    'images',
    'path: path, size: int = 0, channels: int = 0, names: string = ""',
    'PNG and JPEG files: a folder with a folder per class, a folder whose file names follow `names` such as "{label}_{number}.png", or a CSV whose first column holds paths. Columns: `image` [channels, height, width], bytes 0 to 255, and `label`, an index of the classes. Images of different sizes are an error unless `size` resizes them to that many pixels a side; so with grey and RGB and `channels`, 1 or 3.',
    'images("photos", size: 64, channels: 3)',
  ),
  source(
    'audio',
    'path: path, length: int = 0, rate: int = 0, names: string = ""',
    'WAV files of one sample rate: a folder with a folder per class, a folder whose file names follow `names` such as "{label}_{speaker}_{take}.wav", or a CSV whose first column holds paths. Columns: `audio` [length] from -1 to 1, channels averaged, and `label` or the parts of the names, each an index. Longer recordings are cut to `length` samples, shorter ones end in silence; with `rate`, another sample rate is an error.',
    'audio("recordings", length: 8000, names: "{label}_{speaker}_{take}.wav")',
  ),
  source(
    'npy',
    'path: path, labels: string = ""',
    'Arrays that NumPy saved, whose first axis is the samples. Columns: `values` and, where `labels` names a second file, `label`, an index where its numbers are whole. Numbers of 64 bits become 32.',
    'npy("x.npy", labels: "y.npy")',
  ),
  source(
    'npz',
    'path: path, target: string = ""',
    'The arrays of a file of `numpy.savez`, packed or not, a column each; their first axis is the samples. A `target` of whole numbers is an index of classes.',
    'npz("train.npz", target: "y")',
  ),
  source(
    'safetensors',
    'path: path, target: string = ""',
    'The tensors of a safetensors file, a column each; their first axis is the samples. A `target` of whole numbers is an index of classes.',
    'safetensors("embeddings.safetensors", target: "label")',
  ),
  source(
    'digits',
    'samples: int = 5000, seed: int = 0',
    'Ten kinds of digit drawn with jitter, the same on every machine. Columns: `image` [28, 28] from 0 to 1, and `label`, index(10).',
    'digits()',
  ),
  source(
    'spirals',
    'samples: int = 1000, classes: int = 2, noise: float = 0.02, seed: int = 0',
    'Points on interleaved spirals, one arm a class. Columns: `point` [2] and `label`, index(classes).',
    'spirals(classes: 3)',
  ),
  source(
    'moons',
    'samples: int = 1000, noise: float = 0.1, seed: int = 0',
    'Two half circles that interlock. Columns: `point` [2] and `label`, index(2).',
    'moons(noise: 0.2)',
  ),
  source(
    'text',
    'path: path, window: int = 64, stride: int = 0, tokens: string = "characters", vocabulary: int = 1000',
    'A text file in UTF-8, cut into windows of `tokens` that start every `stride` tokens, or side by side where that is 0. Tokens are "characters", all of the file; "words", the most frequent ones and <unknown> for others; or "bpe", byte pairs learned from the file: up to `vocabulary` of them. Columns: `tokens`, index(V)[window] over the V of the vocabulary, and `next`, the same one token ahead. The vocabulary is kept with the run.',
    'text("poem.txt", window: 32)',
  ),
  source(
    'sequences',
    'samples: int = 2000, length: int = 32, symbols: int = 16, seed: int = 0',
    'A made-up language in which the two symbols before allow three to follow, with 70, 20 and 10%: at best the loss is 0.80. Columns: `tokens`, index(symbols)[length], and `next`, the same one symbol ahead.',
    'sequences(length: 64)',
  ),
];
