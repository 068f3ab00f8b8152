/** Texts of the page in the user's language: VS Code's bundle, which the host writes into the page as data. */

const texts = typeof document === 'undefined' ? {} : (JSON.parse(document.body.dataset.texts ?? '{}') as Texts);
type Texts = Readonly<Record<string, string>>;

/** As `vscode.l10n.t`: the translation, or the English text itself, with `{0}`, `{1}` … replaced. */
export function t(text: string, ...values: readonly (string | number | undefined)[]): string {
  return (texts[text] ?? text).replace(/\{(\d)\}/g, (_, index) => String(values[Number(index)]));
}
