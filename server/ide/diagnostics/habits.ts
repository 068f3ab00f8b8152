/** How Python, PyTorch and other languages say it: where a mistake looks like one of these, the diagnostic says how Strata does, and rewrites it. */
import type { DiagnosticFact, FactCode } from '../../lang/api.ts';
import type { Fix } from './rule.ts';

interface Habit {
  readonly codes: readonly FactCode[];
  /** Found in the line, touching the diagnostic's span. */
  readonly text: RegExp;
  /** Where the text alone does not tell. */
  readonly when?: (data: DiagnosticFact['data']) => boolean;
  /** How Strata says it. */
  readonly help: string;
  /** What stands there instead. */
  readonly rewrite?: (found: RegExpExecArray) => string;
}

const syntax: readonly FactCode[] = ['syntax-error'];
const unknown: readonly FactCode[] = ['unknown-name'];

/** The first that matches counts. */
export const habits: readonly Habit[] = [
  {
    codes: syntax,
    text: /#+\s*(.*)$/,
    help: 'comments begin with //',
    rewrite: ([, words]) => `// ${words}`,
  },
  {
    codes: syntax,
    text: /'([^'"\\]*)'/,
    help: 'strings stand in double quotes',
    rewrite: ([, inside]) => `"${inside}"`,
  },
  { codes: syntax, text: /;\s*$/, help: 'the end of the line ends a statement', rewrite: () => '' },
  {
    codes: syntax,
    text: /^\s*import\s+\{\s*([\w, \t]+?)\s*\}/,
    help: 'names are imported without braces: import Net from "./net.strata"',
    rewrite: ([, names]) => `import ${names}`,
  },
  {
    codes: syntax,
    text: /^\s*from\s+("[^"]*")\s+import\s+([\w, \t]+)/,
    help: 'the names come first: import Net from "./net.strata"',
    rewrite: ([, path, names]) => `import ${names} from ${path}`,
  },
  {
    codes: syntax,
    text: /^\s*(import|from)\s+[\w.]+.*$/,
    help: 'the library is always there; import takes models from a file: import Net from "./net.strata"',
  },
  {
    codes: syntax,
    text: /^(class|def|fn|func|function)(?=\s+\w)/,
    help: 'a network is a model: model Net(x: [B, 784]) -> [B, 10] { … }',
    rewrite: () => 'model',
  },
  {
    codes: syntax,
    text: /(?<=^model\s.*\))\s*:\s*(?=\[)/,
    help: 'the shape of the result stands behind ->',
    rewrite: () => ' -> ',
  },
  {
    codes: syntax,
    text: /\((\w+(?:\s*,\s*\w+)+)\)/,
    when: expects('a type'),
    help: 'a shape stands in square brackets: [B, 784]',
    rewrite: ([, sizes]) => `[${sizes}]`,
  },
  {
    codes: syntax,
    text: /(?<=^model\s.*\b)(\w+)\s*=\s*(-?\d+)(?![\d.])/,
    when: expects(':'),
    help: 'a parameter says its type: heads: int = 4',
    rewrite: ([, name, value]) => `${name}: int = ${value}`,
  },
  {
    codes: syntax,
    text: /(?<=^model\s.*\b)(\w+)\s*=\s*(-?[\d.]+)/,
    when: expects(':'),
    help: 'a parameter says its type: rate: float = 0.5',
    rewrite: ([, name, value]) => `${name}: float = ${value}`,
  },
  { codes: syntax, text: /\w+(?=\s*[,)])/, when: expects(':'), help: 'a parameter says its shape: x: [B, 784]' },
  {
    codes: syntax,
    text: /\b(\w+)\s*=(?!=)\s*/,
    when: expects(', or )'),
    help: 'arguments are named with a colon: lr: 0.1',
    rewrite: ([, name]) => `${name}: `,
  },
  {
    codes: syntax,
    text: /(?<=^\s+\S.*?)\s*->\s*/,
    when: expects('a new line'),
    help: 'stages are joined by |>',
    rewrite: () => ' |> ',
  },
  {
    codes: syntax,
    text: /\breturn\s+/,
    help: 'the last line of a model is its result, with no word before it',
    rewrite: () => '',
  },
  {
    codes: syntax,
    text: /^(?<=\s*)(let|var|val|const)\s+|(?<=^\s+)(let|var|val|const)\s+/,
    help: 'a name is bound by = alone',
    rewrite: () => '',
  },
  {
    codes: syntax,
    text: /\bfor\s+\w+\s+in\s+range\(\s*(\w+)\s*\)(?:\s*:)?/,
    help: 'repeat n { … } repeats statements, and scan goes through time',
    rewrite: ([, count]) => `repeat ${count}`,
  },
  {
    codes: syntax,
    text: /\?[^:]*:|\bif\b.*\belse\b/,
    help: 'select(condition, a, b) chooses element by element',
  },
  {
    codes: ['syntax-error', 'missing-statement', 'type-mismatch'],
    text: /(?<=^\s+)(batch|epochs|steps|seed|split|shuffle|clip|device|stop|report|minimize)\s*[:=]\s*/,
    help: 'a setting has no sign behind it: epochs 10',
    rewrite: ([, word]) => `${word} `,
  },
  {
    codes: ['syntax-error', 'unknown-name'],
    text: /\bself\.(\w+\s*)/,
    help: 'a layer is a name of the model: fc1 = linear(10), then x |> fc1',
    rewrite: ([, name]) => name!,
  },
  {
    codes: unknown,
    text: /\b(True|False)\b/,
    help: 'true and false are written small',
    rewrite: ([word]) => word.toLowerCase(),
  },
  {
    codes: unknown,
    text: /\b(?:Float|Long|Int)?Tensor(?=\[)/,
    help: 'the type of a tensor is its shape: [B, 784]',
    rewrite: () => '',
  },
  {
    codes: unknown,
    text: /\b(?:torch\.nn\.functional|torch\.nn|torch\.optim|torch|nn\.functional|nn|optim|F|tf|keras|layers|np|jnp)\.(?=[A-Za-z])/,
    help: "the library's names stand alone: linear(10), relu(x)",
    rewrite: () => '',
  },
  {
    codes: unknown,
    text: /\b(\w+)\.(shape\b|size\()/,
    help: 'sizes have names: with x: [B, T] they are B and T',
  },
  {
    codes: unknown,
    text: /\b(\w+)\.([a-z]\w*)(?=\()/,
    when: data => 'kind' in data && data.kind === 'field',
    help: 'functions take their tensor by |>',
    rewrite: ([, tensor, name]) => `${tensor} |> ${name}`,
  },
  {
    codes: ['type-mismatch'],
    text: /\blinear\(\s*\w+\s*,\s*(\w+)\s*(?=[,)])/,
    help: 'the size that comes in is inferred: linear(out)',
    rewrite: ([, out]) => `linear(${out}`,
  },
  {
    codes: ['shape-mismatch'],
    text: /(?<=\|>\s*)\w+/,
    when: lacksFlatten,
    help: 'linear acts on the last axis alone: flatten the axes before it',
    rewrite: ([layer]) => `flatten |> ${layer}`,
  },
];

/** What somebody means who writes it like this: the help, and the rewritten text as the first fix. */
export function habit(
  fact: DiagnosticFact,
  text: string,
): { readonly help: string; readonly fixes: readonly Fix[] } | undefined {
  const { start, end } = fact.span;
  const lineStart = text.lastIndexOf('\n', start - 1) + 1;
  const line = /^.*/.exec(text.slice(lineStart))![0];
  for (const { codes, text: pattern, when, help, rewrite } of habits) {
    if (!codes.includes(fact.code) || when?.(fact.data) === false) continue;
    for (const found of line.matchAll(new RegExp(pattern, 'g'))) {
      const from = lineStart + found.index;
      const to = from + found[0].length;
      if (from > end || to < start) continue;
      const replacement = rewrite?.(found);
      const edits = replacement === undefined ? [] : [{ span: { start: from, end: to }, text: replacement }];
      return { help, fixes: edits.map(edit => ({ title: title(edit.text, found[0]), edits: [edit], certain: false })) };
    }
  }
  return undefined;
}

function title(replacement: string, found: string): string {
  const name = (part: string) => part.trim() || 'nothing';
  return replacement.trim() === '' ? `remove ${name(found)}` : `change to ${name(replacement)}`;
}

function expects(what: string): (data: DiagnosticFact['data']) => boolean {
  return data => 'expected' in data && data.expected === what;
}

/** The result has more axes than it should, and its last one is right. */
function lacksFlatten(data: DiagnosticFact['data']): boolean {
  if (!('role' in data) || data.role !== 'result') return false;
  const axes = (shape: string) => shape.replace(/^[^[]*\[|\]$/g, '').split(', ');
  const [expected, found] = [axes(data.expected), axes(data.found)];
  return expected.length === 2 && found.length > 2 && expected[0] === found[0] && expected.at(-1) === found.at(-1);
}
