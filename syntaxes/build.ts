/** What the build writes for editors: the grammar over today's library. */
import { library } from '../engine/ops/library/library.ts';
import { type Grammar, type GrammarNames, strataGrammar } from './grammar.ts';

/** Names by colour, out of the registry. */
export function libraryNames(): GrammarNames {
  const names = (...places: (keyof typeof library)[]) => [...new Set(places.flatMap(p => Object.keys(library[p])))];
  return {
    functions: names('model', 'metric', 'transform', 'source'),
    training: names('optimizer', 'schedule'),
  };
}

export function buildGrammar(): Grammar {
  return strataGrammar(libraryNames());
}
