/** Inlay hints: shapes after bindings and stages, weights of layers, parameter names; each kind can be switched off. */
import type { Analysis, Inlay, Span } from '../lang/api.ts';
import { inEnglish, type Say } from './texts.ts';

export interface InlaySettings {
  readonly shapes: boolean;
  readonly counts: boolean;
  readonly parameters: boolean;
}

/** Quiet by default: shapes and weights are what the text doesn't say, parameter names it mostly does. */
export const defaultInlays: InlaySettings = { shapes: true, counts: true, parameters: false };

const settingOf = { shape: 'shapes', count: 'counts', parameter: 'parameters' } as const;

export function inlayHints(
  analysis: Analysis,
  within: Span | undefined,
  settings: InlaySettings,
  say: Say = inEnglish,
): readonly Inlay[] {
  return analysis
    .inlays(within)
    .filter(hint => settings[settingOf[hint.kind]])
    .map(hint => (hint.kind === 'count' ? { ...hint, text: say('weights', hint.text) } : hint));
}
