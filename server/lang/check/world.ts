/** The declarations of one file and what they mean to each other: checked on demand, each at most once, reused while nothing it looked at has changed. */

import { showDim } from '../../../engine/dim/dim.ts';
import { showRequirement } from '../../../engine/dim/facts.ts';
import type { LangHost, SchemaResult, WeightsResult } from '../api.ts';
import { closest } from '../names.ts';
import type { DeclarationNode, ImportDeclaration, ModelDeclaration, TrainDeclaration } from '../syntax/ast.ts';
import { type PlacedChunk, parse, type Tree } from '../syntax/parse.ts';
import { resolveUri } from '../uri.ts';
import { type Context, type Global, type Globals, maxCheckedTurns, type Rules, refer, report } from './context.ts';
import { checkData, type DataFace } from './data.ts';
import { evaluate } from './expression.ts';
import { failed, type Meaning, showMeaning } from './meaning.ts';
import { checkModel, modelSignature } from './model.ts';
import { emptySheet, type Sheet, type Target } from './records.ts';
import { Naming, Scope } from './scope.ts';
import { type Signature, showPattern } from './signature.ts';
import { block } from './statements.ts';
import { batched, checkTrain, type TrainFace } from './train.ts';

export interface Entry {
  readonly node: DeclarationNode;
  readonly placed: PlacedChunk;
  /** An earlier declaration has the same name. */
  readonly first?: Entry;
}

export interface Checked {
  readonly sheet: Sheet;
  readonly signature?: Signature;
  readonly constant?: Meaning;
  readonly data?: DataFace;
  readonly train?: TrainFace;
  /** The data fields that a train block sees, batched. */
  readonly fields?: ReadonlyMap<string, Meaning>;
  /** What others see of it; equal keys mean that they need not be checked again. */
  readonly key: string;
  /** What it saw of others, by name. */
  readonly seen: ReadonlyMap<string, string>;
}

/** Checks are rules that call each other; a model is run only where a program is lowered. */
export const checkingRules: Rules = { evaluate, block, instantiate: () => failed };

/** Imported files that import none themselves, by host and uri: one for all that import them, as long as their data stay as they are. */
const shared = new WeakMap<LangHost, Map<string, World>>();

/** A schema may name thousands of classes: each is written down once, for hosts keep them. */
const schemaTexts = new WeakMap<SchemaResult, string>();

function schemaText(result: SchemaResult): string {
  const known = schemaTexts.get(result) ?? JSON.stringify(result);
  schemaTexts.set(result, known);
  return known;
}

/** All names of the file, looked at for "did you mean". */
const allNames = '*';

export class World {
  readonly uri: string;
  readonly text: string;
  readonly tree: Tree;
  readonly entries: readonly Entry[];
  private readonly host: LangHost;
  private readonly byName = new Map<string, Entry>();
  private readonly checks = new Map<Entry, Checked>();
  private byNode: ReadonlyMap<DeclarationNode, Checked> | undefined;
  private readonly running: Entry[] = [];
  private previous: World | undefined;
  private readonly imported = new Map<string, World | undefined>();
  /** By path as written: names are looked up far more often than there are paths. */
  private readonly uris = new Map<string, string>();
  /** Files on the way from the first to this one, to see cycles of imports. */
  private readonly chain: readonly string[];

  constructor(uri: string, text: string, host: LangHost, previous?: World, chain: readonly string[] = []) {
    this.uri = uri;
    this.text = text;
    this.host = host;
    this.chain = [...chain, uri];
    this.tree = parse(text, previous?.tree);
    this.previous = previous;
    const entries: Entry[] = [];
    for (const placed of this.tree.chunks) {
      for (const node of placed.chunk.declarations) entries.push(this.enter(node, placed));
    }
    this.entries = entries;
  }

  private enter(node: DeclarationNode, placed: PlacedChunk): Entry {
    const first = node.kind === 'import' ? undefined : this.byName.get(node.name.name);
    const entry: Entry = { node, placed, ...(first && { first }) };
    const names = node.kind === 'import' ? node.names.map(n => n.name) : [node.name.name];
    for (const name of names) if (name !== '' && !this.byName.has(name)) this.byName.set(name, entry);
    return entry;
  }

  find(name: string): Entry | undefined {
    return this.byName.get(name);
  }

  names(): readonly string[] {
    return [...this.byName.keys()];
  }

  /** Also of files that can't be read. */
  importUris(): readonly string[] {
    return [...this.imported.keys()];
  }

  importedWorlds(): readonly World[] {
    return [...this.imported.values()].filter(w => w !== undefined);
  }

  /** Forgets the snapshot before, once everything is checked. */
  release(): void {
    this.previous = undefined;
    for (const world of this.importedWorlds()) world.release();
  }

  /** The imported file of that world, this one included. */
  worldOf(uri: string): World | undefined {
    if (uri === this.uri) return this;
    for (const world of this.importedWorlds()) {
      const found = world.worldOf(uri);
      if (found) return found;
    }
    return undefined;
  }

  check(entry: Entry): Checked {
    const known = this.checks.get(entry) ?? this.reusable(entry);
    if (known) {
      this.checks.set(entry, known);
      return known;
    }
    const seen = new Map<string, string>();
    this.running.push(entry);
    const checked = this.guarded(entry, seen);
    onlyMistakes(entry, checked.sheet);
    this.running.pop();
    this.checks.set(entry, checked);
    return checked;
  }

  /** The previous snapshot's result, if the text is the same and so is all it looked at. */
  private reusable(entry: Entry): Checked | undefined {
    const old = this.previous?.checkedNode(entry.node);
    if (old === undefined) return undefined;
    this.running.push(entry);
    const same = [...old.seen].every(([name, key]) => this.keyOf(name) === key);
    this.running.pop();
    return same ? old : undefined;
  }

  private checkedNode(node: DeclarationNode): Checked | undefined {
    this.byNode ??= new Map([...this.checks].map(([entry, checked]) => [entry.node, checked]));
    return this.byNode.get(node);
  }

  private keyOf(name: string): string {
    if (name === allNames) return this.names().join(' ');
    if (name.startsWith('schema:')) return this.schemaKey(name);
    if (name.startsWith('weights:')) return weightsKey(this.readWeights(name.slice('weights:'.length)));
    if (name.startsWith('import:')) return this.importKey(name.slice('import:'.length));
    if (name.startsWith('data:')) return this.dataKey(name.slice('data:'.length));
    return globalKey(this.lookup(name));
  }

  private schemaKey(name: string): string {
    return schemaText(this.host.readSchema(JSON.parse(name.slice('schema:'.length)), this.uri));
  }

  private dataKey(name: string): string {
    const data = this.dataOf(name);
    return data ? `${this.hasValidation(name)} ${dataKey(data)}` : '';
  }

  private globals(seen: Map<string, string>): Globals {
    return {
      lookup: name => {
        const global = this.lookup(name);
        seen.set(name, globalKey(global));
        return global;
      },
      names: () => {
        seen.set(allNames, this.names().join(' '));
        return this.names();
      },
    };
  }

  context(entry: Entry, sheet: Sheet, seen: Map<string, string>): Context {
    return {
      globals: this.globals(seen),
      uri: this.uri,
      declaration: entry.node.name.name,
      sheet,
      scope: new Scope(),
      naming: new Naming(''),
      places: ['model'],
      assumed: [],
      rigid: false,
      perSample: false,
      end: entry.node.end,
      budget: { turns: maxCheckedTurns },
      rules: checkingRules,
    };
  }

  /** A mistake of ours costs the one declaration, and is said to the host. */
  private guarded(entry: Entry, seen: Map<string, string>): Checked {
    try {
      return this.run(entry, seen);
    } catch (error) {
      this.host.internalError?.(error);
      return { sheet: emptySheet(), seen, key: '' };
    }
  }

  internalError(error: unknown): void {
    this.host.internalError?.(error);
  }

  private run(entry: Entry, seen: Map<string, string>): Checked {
    const { node } = entry;
    const sheet = emptySheet();
    const context = this.context(entry, sheet, seen);
    const kind = node.kind === 'model' ? 'model' : node.kind;
    if (node.kind !== 'import' && node.name.name !== '') {
      refer(context, node.name, node.name.name, kind, { kind: 'global', uri: this.uri, name: node.name.name }, true);
    }
    this.duplicate(context, entry);
    const base = { sheet, seen };
    switch (node.kind) {
      case 'model': {
        const header = modelSignature(context, node, headerText(node, entry.placed));
        const signature = checkModel(context, node, header);
        return { ...base, signature, key: signatureKey(signature) };
      }
      case 'const': {
        const constant = context.rules.evaluate(context, node.value);
        return { ...base, constant, key: `const ${showMeaning(constant)}` };
      }
      case 'data': {
        const data = checkData(context, node, this.watchedHost(seen));
        return { ...base, data, key: dataKey(data) };
      }
      case 'train':
        return { ...base, ...this.runTrain(context, node, seen), key: `train ${node.name.name}` };
      case 'import':
        this.runImport(context, node);
        if (node.path) seen.set(`import:${node.path.value}`, this.importKey(node.path.value));
        return { ...base, key: '' };
    }
  }

  private watchedHost(seen: Map<string, string>): LangHost {
    return {
      readText: uri => this.host.readText(uri),
      readSchema: (source, from) => {
        const result = this.host.readSchema(source, from);
        seen.set(`schema:${JSON.stringify(source)}`, schemaText(result));
        return result;
      },
    };
  }

  private duplicate(context: Context, { node, first }: Entry): void {
    if (first === undefined || node.name.name === '') return;
    const target: Target = { kind: 'global', uri: this.uri, name: node.name.name };
    const related = [{ target, role: 'first' as const, text: node.name.name }];
    report(context, 'duplicate-name', node.name, { name: node.name.name, what: 'declaration' }, { related });
  }

  private runTrain(
    context: Context,
    node: TrainDeclaration,
    seen: Map<string, string>,
  ): Pick<Checked, 'train' | 'fields'> {
    const global = node.on.name === '' ? undefined : context.globals.lookup(node.on.name);
    let fields: ReadonlyMap<string, Meaning> | undefined;
    if (global?.kind === 'data') {
      refer(context, node.on, node.on.name, 'data', global.target);
      fields = this.dataOf(node.on.name)?.fields;
      seen.set(`data:${node.on.name}`, this.dataKey(node.on.name));
    } else if (global && global.kind !== 'broken') {
      report(context, 'not-a-value', node.on, { name: node.on.name, found: `a ${global.kind}` });
    } else if (!global && node.on.name !== '') {
      const candidates = closest(node.on.name, this.names());
      context.globals.names();
      report(context, 'unknown-name', node.on, { name: node.on.name, kind: 'data', candidates });
    }
    const validation = fields && this.hasValidation(node.on.name);
    const readWeights = (from: string) => {
      const weights = this.readWeights(from);
      seen.set(`weights:${from}`, weightsKey(weights));
      return weights;
    };
    const batches = fields && this.batchesOf(node.on.name);
    const known = {
      ...context,
      readWeights,
      ...(validation !== undefined && { validation }),
      ...(batches && { batches }),
    };
    const train = checkTrain(known, node, fields);
    return { train, fields: new Map([...(fields ?? [])].map(([name, m]) => [name, batched(m)])) };
  }

  /** What `init … from` means in this file; undefined where the host knows no runs. */
  readWeights(from: string): WeightsResult | undefined {
    return this.host.readWeights?.(from, this.uri);
  }

  dataOf(name: string): DataFace | undefined {
    const entry = this.find(name);
    if (entry?.node.kind === 'data') return this.check(entry).data;
    return entry?.node.kind === 'import' ? this.importOf(entry.node)?.dataOf(name) : undefined;
  }

  /** Undefined where the data block is of another file or has mistakes, which come first. */
  private hasValidation(name: string): boolean | undefined {
    const entry = this.find(name);
    if (entry?.node.kind !== 'data' || entry.placed.chunk.problems.length > 0) return undefined;
    const { data, sheet } = this.check(entry);
    return sheet.facts.length > 0 ? undefined : data?.split.validation !== undefined;
  }

  /** Undefined where the data block has mistakes, which come first. */
  private batchesOf(name: string): Context['batches'] {
    const data = this.dataOf(name);
    if (data?.training === undefined) return undefined;
    return { samples: data.training, batch: data.batch };
  }

  private runImport(context: Context, node: ImportDeclaration): void {
    const world = this.importOf(node);
    if (node.path === undefined) return;
    const cycle = world ? world.reaches(this.uri) : this.chain.includes(this.uriOf(node.path.value));
    if (world === undefined || cycle) {
      report(context, 'invalid-import', node.path, { path: node.path.value, reason: cycle ? 'cycle' : 'missing' });
      return;
    }
    for (const name of node.names) {
      if (name.name === '') continue;
      const found = world.lookup(name.name);
      if (found) refer(context, name, name.name, 'import', found.target);
      else
        report(context, 'unknown-name', name, {
          name: name.name,
          kind: 'module',
          candidates: closest(name.name, world.names()),
        });
    }
  }

  /** This file, or one that it imports, imports `uri`. */
  private reaches(uri: string): boolean {
    return this.entries.some(({ node }) => {
      if (node.kind !== 'import' || node.path === undefined) return false;
      return this.uriOf(node.path.value) === uri || (this.importOf(node)?.reaches(uri) ?? false);
    });
  }

  /** What an import declaration sees of the file. */
  private importKey(path: string): string {
    const world = this.worldAt(path);
    return world ? `${world.reaches(this.uri)} ${world.names().join(' ')}` : '';
  }

  private importOf(node: ImportDeclaration): World | undefined {
    return node.path && this.worldAt(node.path.value);
  }

  private uriOf(path: string): string {
    const uri = this.uris.get(path) ?? resolveUri(this.uri, path);
    this.uris.set(path, uri);
    return uri;
  }

  private worldAt(path: string): World | undefined {
    const uri = this.uriOf(path);
    if (!this.imported.has(uri)) {
      const text = this.chain.includes(uri) ? undefined : this.host.readText(uri);
      this.imported.set(uri, text === undefined ? undefined : this.open(uri, text));
    }
    return this.imported.get(uri);
  }

  private open(uri: string, text: string): World {
    const known = shared.get(this.host) ?? new Map<string, World>();
    shared.set(this.host, known);
    const before = known.get(uri);
    if (before?.text === text && before.isCurrent()) return before;
    const world = new World(uri, text, this.host, this.previous?.imported.get(uri) ?? before, this.chain);
    if (world.entries.every(({ node }) => node.kind !== 'import')) known.set(uri, world);
    else known.delete(uri);
    return world;
  }

  /** What its checks have read from outside reads the same now. */
  private isCurrent(): boolean {
    const outside = [...this.checks].filter(([{ node }]) => node.kind === 'data' || node.kind === 'train');
    return outside.every(([, { seen }]) => [...seen].every(([name, key]) => this.keyOf(name) === key));
  }

  lookup(name: string): Global | undefined {
    const entry = this.byName.get(name);
    if (entry === undefined) return undefined;
    const { node } = entry;
    const target: Target = { kind: 'global', uri: this.uri, name };
    if (node.kind === 'import') return this.importOf(node)?.lookup(name) ?? { kind: 'broken', target };
    if (node.kind === 'data' || node.kind === 'train') return { kind: node.kind, target };
    const cycle = this.running.indexOf(entry);
    if (cycle >= 0)
      return { kind: 'broken', target, through: this.running.slice(cycle + 1).map(e => e.node.name.name) };
    const checked = this.check(entry);
    if (node.kind === 'const') return { kind: 'const', meaning: checked.constant ?? failed, target };
    if (!checked.signature) return { kind: 'broken', target };
    return {
      kind: 'model',
      target,
      callee: { signature: checked.signature, doc: node.doc, weights: true, model: { uri: this.uri, node } },
    };
  }
}

/** While something is wrong, "nothing reads it" and "nothing trains it" are likely its consequences. */
function onlyMistakes({ placed }: Entry, sheet: Sheet): void {
  const mistakes = sheet.facts.filter(f => f.code !== 'unused-binding' && f.code !== 'untrained-layer');
  if (placed.chunk.problems.length + mistakes.length > 0) sheet.facts.splice(0, sheet.facts.length, ...mistakes);
}

function headerText(node: ModelDeclaration, placed: PlacedChunk): string {
  const { start, end } = node.header;
  return placed.chunk.text.slice(start, end).replace(/\s+/g, ' ').trim();
}

function globalKey(global: Global | undefined): string {
  if (global === undefined) return '';
  if (global.kind === 'model') return signatureKey(global.callee.signature);
  return global.kind === 'const' ? `const ${showMeaning(global.meaning)}` : global.kind;
}

const signatureKeys = new WeakMap<Signature, string>();

function signatureKey(signature: Signature): string {
  const known = signatureKeys.get(signature);
  if (known !== undefined) return known;
  const { label, results = [], requirements, sizes = [] } = signature;
  const shown = results.map(r => `${showPattern(r)} ${r.via ?? ''}`);
  const wanted = sizes.map(s => `${s.wants} ${s.callee} ${s.axis} ${showDim(s.size)}`);
  const key = ['model', label, ...shown, ...requirements.map(showRequirement), ...wanted].join('\n');
  signatureKeys.set(signature, key);
  return key;
}

function weightsKey(weights: WeightsResult | undefined): string {
  return weights?.kind === 'weights' ? JSON.stringify([...weights.shapes]) : JSON.stringify(weights ?? '');
}

const dataKeys = new WeakMap<DataFace, string>();

function dataKey(face: DataFace): string {
  const known = dataKeys.get(face);
  if (known !== undefined) return known;
  const fields = [...(face.fields ?? [])].map(([name, m]) => `${name}: ${showMeaning(m)}`);
  const key = JSON.stringify({ ...face, fields });
  dataKeys.set(face, key);
  return key;
}
