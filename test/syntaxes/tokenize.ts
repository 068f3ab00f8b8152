/** Runs the TextMate grammar as editors do: scopes of each piece of each line. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import oniguruma from 'vscode-oniguruma';
import textmate from 'vscode-textmate';
import { buildGrammar } from '../../syntaxes/build.ts';

export interface ScopedPiece {
  readonly text: string;
  /** Offset in the whole text. */
  readonly start: number;
  /** Innermost first, without `source.strata`. */
  readonly scopes: readonly string[];
}

const require = createRequire(import.meta.url);

/** A tokenizer over the grammar of today's registry. */
export async function grammarTokenizer(): Promise<(text: string) => readonly ScopedPiece[]> {
  const wasm = readFileSync(require.resolve('vscode-oniguruma/release/onig.wasm'));
  await oniguruma.loadWASM(wasm);
  const registry = new textmate.Registry({
    onigLib: Promise.resolve({
      createOnigScanner: patterns => new oniguruma.OnigScanner(patterns),
      createOnigString: text => new oniguruma.OnigString(text),
    }),
    loadGrammar: async scope =>
      scope === 'source.strata' ? textmate.parseRawGrammar(JSON.stringify(buildGrammar()), 'strata.json') : null,
  });
  const grammar = await registry.loadGrammar('source.strata');
  if (grammar === null) throw new Error('expected the grammar to load');
  return text => {
    const pieces: ScopedPiece[] = [];
    let stack = textmate.INITIAL;
    let offset = 0;
    for (const line of text.split('\n')) {
      const { tokens, ruleStack } = grammar.tokenizeLine(line, stack);
      for (const { startIndex, endIndex, scopes } of tokens) {
        const piece = line.slice(startIndex, endIndex);
        pieces.push({ text: piece, start: offset + startIndex, scopes: scopes.slice(1).reverse() });
      }
      stack = ruleStack;
      offset += line.length + 1;
    }
    return pieces;
  };
}
