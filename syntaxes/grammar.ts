/** The TextMate grammar, built from the registry's name lists: what colours a file before (or without) the language server. */

/** Library names by the way they are coloured. */
export interface GrammarNames {
  /** Layers, activations, losses, metrics, transforms, data sources: what is called to get a value. */
  readonly functions: readonly string[];
  /** Optimisers and schedules. */
  readonly training: readonly string[];
}

/** Words that open a declaration at the top of a file. */
export const declarationWords = ['import', 'const', 'data', 'model', 'train'] as const;
/** Words that open a statement of a `data` block. `test` and `batch` are ordinary names elsewhere. */
export const dataWords = ['augment', 'split', 'test', 'batch', 'sample', 'shuffle'] as const;
/** Words that open a statement of a `train` block. */
export const trainWords = [
  'minimize',
  'report',
  'stop',
  'epochs',
  'steps',
  'seed',
  'clip',
  'accumulate',
  'precision',
  'device',
  'checkpoint',
  'init',
  'freeze',
  'show',
  'sweep',
] as const;
/** Words inside statements and model bodies. */
export const clauseWords = [
  'on',
  'over',
  'using',
  'from',
  'where',
  'requires',
  'repeat',
  'if',
  'else',
  'scan',
] as const;
/** Element and hyperparameter types. */
export const typeWords = ['int', 'float', 'bool', 'string', 'index', 'layer'] as const;

interface Rule {
  readonly name?: string;
  readonly match?: string;
  readonly begin?: string;
  readonly end?: string;
  readonly include?: string;
  readonly captures?: Readonly<Record<string, { readonly name: string }>>;
  readonly beginCaptures?: Readonly<Record<string, { readonly name: string }>>;
  readonly endCaptures?: Readonly<Record<string, { readonly name: string }>>;
  readonly patterns?: readonly Rule[];
}

export interface Grammar {
  readonly $schema: string;
  readonly name: string;
  readonly scopeName: string;
  readonly patterns: readonly Rule[];
  readonly repository: Readonly<Record<string, Rule>>;
}

const include = (name: string): Rule => ({ include: `#${name}` });
const words = (names: readonly string[]): string => `\\b(?:${[...names].sort().join('|')})\\b`;
const captures = (...names: readonly (string | undefined)[]): Record<string, { name: string }> =>
  Object.fromEntries(names.flatMap((name, i) => (name ? [[String(i + 1), { name: `${name}.strata` }]] : [])));

const comments: Rule = {
  patterns: [
    { name: 'comment.line.documentation.strata', match: '///.*$' },
    { name: 'comment.line.double-slash.strata', match: '//.*$' },
  ],
};

const literals: Rule = {
  patterns: [
    {
      name: 'string.quoted.double.strata',
      begin: '"',
      end: '"|$',
      patterns: [{ name: 'constant.character.escape.strata', match: '\\\\.' }],
    },
    { name: 'constant.numeric.strata', match: '\\b\\d[\\d_]*(?:\\.\\d[\\d_]*)?(?:[eE][+-]?\\d+)?\\b' },
    { name: 'constant.language.boolean.strata', match: '\\b(?:true|false)\\b' },
  ],
};

const operators: Rule = {
  patterns: [
    { name: 'keyword.operator.pipeline.strata', match: '\\|>' },
    { name: 'keyword.operator.arrow.strata', match: '->' },
    { name: 'keyword.operator.logical.strata', match: '\\b(?:and|or|not)\\b' },
    { name: 'keyword.operator.comparison.strata', match: '==|!=|<=|>=|<|>' },
    { name: 'keyword.operator.rest.strata', match: '\\.\\.\\.' },
    { name: 'keyword.operator.arithmetic.strata', match: '[-+*/%]' },
    { name: 'keyword.operator.assignment.strata', match: '=' },
  ],
};

/** Declaration headers: the keyword, the new name, and `on` with the data it names. */
const declarations: Rule = {
  patterns: [
    {
      match: '^\\s*(model)\\s+([A-Za-z_]\\w*)',
      captures: captures('keyword.control.declaration', 'entity.name.type.class.model'),
    },
    {
      match: '^\\s*(data)\\s+([A-Za-z_]\\w*)',
      captures: captures('keyword.control.declaration', 'entity.name.type.data'),
    },
    {
      match: '^\\s*(train)\\s+([A-Za-z_]\\w*)(?:\\s+(on)\\s+([A-Za-z_]\\w*))?',
      captures: captures(
        'keyword.control.declaration',
        'entity.name.function.train',
        'keyword.control.clause',
        'entity.name.type.data',
      ),
    },
    {
      match: '^\\s*(const)\\s+([A-Za-z_]\\w*)',
      captures: captures('keyword.control.declaration', 'variable.other.constant'),
    },
    { match: '^\\s*(import)\\b', captures: captures('keyword.control.declaration') },
  ],
};

/** Statement words colour only where a statement begins (`split validation: 0.1`), for elsewhere they are ordinary names. */
const statements: Rule = {
  patterns: [
    {
      match: `(?:^\\s*|(?<=[{;])\\s*)(${words([...dataWords, ...trainWords])})(?!\\s*(?:[=:,.)|]|$))`,
      captures: captures('keyword.control.statement'),
    },
    {
      match: '(?:^\\s*|(?<=\\{)\\s*)(augment|shuffle)(?=\\s*(?:\\{|$))',
      captures: captures('keyword.control.statement'),
    },
    { name: 'keyword.control.clause.strata', match: `${words(clauseWords)}(?!\\s*:)` },
  ],
};

/** Names: parameters and named arguments before a colon, members after a dot, calls, the library's names, dimensions, types. */
const names = (list: GrammarNames): Rule => ({
  patterns: [
    { match: '\\b([A-Za-z_]\\w*)(?=\\s*:)', captures: captures('variable.parameter') },
    { match: '(?<=\\.)([A-Za-z_]\\w*)', captures: captures('variable.other.property') },
    { name: 'support.type.strata', match: `\\b(?:int|float|bool|string)\\b|\\bindex(?=\\s*\\()|(?<=: )layer\\b` },
    { match: '\\b([A-Z]\\w*)(?=\\s*\\()', captures: captures('entity.name.type.class.model') },
    { name: 'support.function.training.strata', match: words(list.training) },
    // A library name is a call (`linear(10)`) or a bare stage (`|> relu`); `flip = …` binds a name of the user.
    { name: 'support.function.library.strata', match: `${words(list.functions)}(?=\\s*\\()` },
    { match: `(?<=\\|>)\\s*(${words(list.functions)})`, captures: captures('support.function.library') },
    { match: '\\b([a-z_]\\w*)(?=\\s*\\()', captures: captures('entity.name.function') },
    { name: 'variable.other.readwrite.strata', match: '\\b[a-z_]\\w*\\b' },
    { name: 'entity.name.type.strata', match: '\\b[A-Z]\\w*\\b' },
  ],
});

/** `[B, T, D // heads]`: upper-case names are dimension variables there. Also covers slices and lists, whose names are lower case. */
const shapes: Rule = {
  begin: '\\[',
  end: '\\]',
  beginCaptures: { '0': { name: 'punctuation.section.brackets.begin.strata' } },
  endCaptures: { '0': { name: 'punctuation.section.brackets.end.strata' } },
  patterns: [
    include('comments'),
    include('literals'),
    include('operators'),
    { name: 'entity.name.type.parameter.dimension.strata', match: '\\b[A-Z]\\w*\\b(?!\\s*\\()' },
    include('shapes'),
    include('names'),
  ],
};

/** The grammar as the JSON object that `dist/strata.tmLanguage.json` holds. */
export function strataGrammar(list: GrammarNames): Grammar {
  return {
    $schema: 'https://raw.githubusercontent.com/martinring/tmlanguage/master/tmlanguage.json',
    name: 'Strata',
    scopeName: 'source.strata',
    patterns: ['comments', 'literals', 'declarations', 'statements', 'shapes', 'operators', 'names'].map(include),
    repository: { comments, literals, declarations, statements, shapes, operators, names: names(list) },
  };
}
