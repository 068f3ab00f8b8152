/** Reads the text form of graphs (print.ts). The text comes from run folders, so nothing in it is trusted: any flaw is an EngineError that names the line. */
import type { Dim } from '../dim/dim.ts';
import { parseDim } from '../dim/parse.ts';
import { EngineError } from '../util/errors.ts';
import type { Attribute, Attributes, DType, Graph, GraphNode, GraphOutput, TensorType } from './graph.ts';

/** The inverse of printGraph. Throws EngineError `program-malformed`. */
export function parseGraph(text: string): Graph {
  const lines = text.split('\n');
  const header = /^graph (\S+) \{$/.exec(lines[0] ?? '');
  if (header === null) throw malformed(1, 'expected "graph NAME {"');
  return parseLines(lines, 2, header[1]!, 0).graph;
}

/** More bodies within bodies than this are no program of ours. */
const deepest = 20;

/** The graph whose lines begin with number `start`, and the number of the line that closes it. */
function parseLines(
  lines: readonly string[],
  start: number,
  name: string,
  depth: number,
): { graph: Graph; end: number } {
  const nodes: GraphNode[] = [];
  const outputs: GraphOutput[] = [];
  if (depth > deepest) throw malformed(start, `expected at most ${deepest} bodies within each other`);
  for (let number = start; number <= lines.length; number++) {
    const line = lines[number - 1]!.trim();
    if (line === '}') return { graph: { name, nodes, outputs }, end: number };
    const node = nodePattern.exec(line);
    const body = bodyPattern.exec(line);
    const loop = nodes.at(-1);
    if (node !== null) nodes.push(parseNode(node, nodes.length, number));
    else if (body !== null && loop !== undefined) {
      const { graph, end } = parseLines(lines, number + 1, body[2]!, depth + 1);
      const attributes = Object.defineProperty({ ...loop.attributes }, body[1]!, { value: graph, enumerable: true });
      nodes[nodes.length - 1] = { ...loop, attributes };
      number = end;
    } else outputs.push(parseOutput(line, nodes.length, number));
  }
  throw malformed(lines.length, 'expected "}"');
}

/** `f32[B, 784]`; undefined if it is no tensor type. */
export function parseType(text: string): TensorType | undefined {
  const match = /^(\w+)\[(.*)\]$/.exec(text);
  const dtype = dtypes.find(name => name === match?.[1]);
  const shape = match === null ? undefined : parseShape(match[2]!);
  return dtype === undefined || shape === undefined ? undefined : { dtype, shape };
}

const dtypes: readonly DType[] = ['f32', 'i32', 'u32', 'bool', 'u8', 'f16'];

/** %id = op(inputs) {attributes} : type  // label */
const nodePattern =
  /^%(\d+) = (\w+)(?:\(([%\d, ]*)\))?(?: (\{(?:"(?:[^"\\]|\\.)*"|[^"])*\}))? : (\w+\[[^\]]*\])(?: {2}\/\/ (.*))?$/;

/** An attribute of the node above that is a graph. */
const bodyPattern = /^(\w+): graph (\S+) \{$/;

function parseNode(match: RegExpExecArray, id: number, line: number): GraphNode {
  const [, written, op, inputText, attributeText, typeText, label] = match;
  if (Number(written) !== id) throw malformed(line, `expected %${id}`);
  const type = parseType(typeText!);
  if (type === undefined) throw malformed(line, `expected a tensor type, found ${typeText}`);
  const inputs =
    inputText === undefined ? [] : inputText.split(', ').map(reference => parseReference(reference, id, line));
  const attributes = attributeText === undefined ? {} : new AttributeReader(attributeText, line).all();
  return { op: op!, inputs, attributes, type, ...(label === undefined ? {} : { label }) };
}

function parseOutput(text: string, nodes: number, line: number): GraphOutput {
  const match = /^(result|assign|write) ([^\s[]+)(?:\[(%\d+)\])? = (%\d+)$/.exec(text);
  const [, kind, name, at, value] = match ?? [];
  if (kind === undefined || (kind === 'write') !== (at !== undefined)) {
    throw malformed(line, 'expected a node, an output or "}"');
  }
  const output = { kind: kind as GraphOutput['kind'], name: name!, value: parseReference(value!, nodes, line) };
  return at === undefined ? output : { ...output, at: parseReference(at, nodes, line) };
}

function parseReference(text: string, before: number, line: number): number {
  const id = /^%\d+$/.test(text) ? Number(text.slice(1)) : Number.NaN;
  if (!(id < before)) throw malformed(line, `expected an earlier node, found ${text}`);
  return id;
}

function parseShape(text: string): Dim[] | undefined {
  if (text === '') return [];
  const dims = splitAtCommas(text).map(parseDim);
  return dims.every(d => d !== undefined) ? dims : undefined;
}

/** Splits at the commas outside parentheses: `min(T, 64), 8`. */
function splitAtCommas(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '(') depth++;
    else if (text[i] === ')') depth--;
    else if (text[i] === ',' && depth === 0) {
      parts.push(text.slice(start, i));
      start = i + 1;
    }
  }
  return [...parts, text.slice(start)];
}

class AttributeReader {
  private readonly tokens: readonly string[];
  private position = 0;
  constructor(
    text: string,
    private readonly line: number,
  ) {
    this.tokens = text.match(/"(?:[^"\\]|\\.)*"|`[^`]*`|[\w.+-]+|\S/g) ?? [];
  }

  all(): Attributes {
    const attributes: Record<string, Attribute> = {};
    this.expect('{');
    do {
      const name = this.next();
      this.expect(':');
      Object.defineProperty(attributes, name, { value: this.value(), enumerable: true });
    } while (this.tokens[this.position] === ',' && this.position++ >= 0);
    this.expect('}');
    return attributes;
  }

  private value(): Attribute {
    if (this.tokens[this.position] !== '[') return this.scalar() as Attribute;
    this.position++;
    const items: (string | number | boolean | Dim)[] = [];
    while (this.tokens[this.position] !== ']') {
      if (items.length > 0) this.expect(',');
      items.push(this.scalar());
    }
    this.position++;
    return items as Attribute;
  }

  private scalar(): string | number | boolean | Dim {
    const token = this.next();
    if (token.startsWith('"')) return JSON.parse(token) as string;
    if (token === 'true' || token === 'false') return token === 'true';
    const dim = token.startsWith('`') ? parseDim(token.slice(1, -1)) : undefined;
    const value = dim ?? (token === 'NaN' ? Number.NaN : Number(token));
    if (typeof value === 'number' && Number.isNaN(value) && token !== 'NaN') {
      throw malformed(this.line, `expected an attribute value, found ${token}`);
    }
    return value;
  }

  private next(): string {
    return this.tokens[this.position++] ?? this.fail('a value');
  }

  private expect(token: string): void {
    if (this.tokens[this.position++] !== token) this.fail(`"${token}"`);
  }

  private fail(what: string): never {
    throw malformed(this.line, `expected ${what} among the attributes`);
  }
}

function malformed(line: number, problem: string): EngineError {
  return new EngineError('program-malformed', `line ${line} of a graph: ${problem}`);
}
