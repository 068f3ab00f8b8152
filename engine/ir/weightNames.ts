/** Which tensors of a file are the weights of a layer: by their whole names, else by what is left of them without the layers around. */

export interface NamedShape {
  readonly name: string;
  readonly shape: readonly number[];
}

/** Names in the file by names of parameters, or the first flaw: lower case, expected before found. */
export type WeightMatch =
  | { readonly kind: 'matched'; readonly names: ReadonlyMap<string, string> }
  | { readonly kind: 'flaw'; readonly message: string };

/**
 * Matches the parameters under `over` (`net.encoder`) with the tensors of a file: `net.encoder.fc.weight` is looked for under that name,
 * then as `encoder.fc.weight`, then as `fc.weight`. All of them must be there under names of one kind.
 */
export function matchWeights(
  over: string,
  parameters: readonly NamedShape[],
  tensors: ReadonlyMap<string, readonly number[]>,
): WeightMatch {
  const own = parameters.filter(({ name }) => isUnder(name, over));
  const forms = [0, ...[...over.matchAll(/\.|$/g)].map(m => m.index + 1)];
  const counts = forms.map(cut => own.filter(({ name }) => tensors.has(name.slice(cut))).length);
  const cut = forms[counts.indexOf(Math.max(...counts))] ?? 0;
  for (const { name, shape } of own) {
    const found = tensors.get(name.slice(cut));
    const expected = `expected "${name.slice(cut)}" [${shape.join(', ')}]`;
    if (found === undefined) return { kind: 'flaw', message: `${expected}, found ${elsewhere(name, tensors)}` };
    if (found.join() !== shape.join()) return { kind: 'flaw', message: `${expected}, found [${found.join(', ')}]` };
  }
  return { kind: 'matched', names: new Map(own.map(({ name }) => [name, name.slice(cut)])) };
}

/** What a file has in place of a tensor: `net.fc.weight` where `teacher.fc.weight` was looked for. */
function elsewhere(name: string, tensors: ReadonlyMap<string, readonly number[]>): string {
  const inner = name.slice(name.indexOf('.'));
  const other = [...tensors.keys()].find(tensor => tensor.endsWith(inner));
  return other === undefined ? 'no tensor of that name' : `"${other}": the layer has another name there`;
}

/** `net.fc` holds `net.fc` and `net.fc.weight`, not `net.fc2.weight`. */
export function isUnder(name: string, prefix: string): boolean {
  return name === prefix || name.startsWith(`${prefix}.`);
}
