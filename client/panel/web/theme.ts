/** VS Code's colours for the canvas, which knows no CSS variables. */

export interface Theme {
  readonly train: string;
  readonly validation: string;
  readonly text: string;
  readonly grid: string;
  readonly background: string;
  readonly font: string;
}

/** Reads the variables as they are now: call again after `onThemeChange`. */
export function readTheme(): Theme {
  const style = getComputedStyle(document.body);
  const read = (name: string, otherwise: string) => style.getPropertyValue(name).trim() || otherwise;
  const text = read('--vscode-descriptionForeground', read('--vscode-foreground', '#888'));
  const contrast = read('--vscode-contrastBorder', '');
  return {
    train: read('--vscode-charts-blue', '#3794ff'),
    validation: read('--vscode-charts-yellow', '#cca700'),
    text: contrast ? read('--vscode-foreground', text) : text,
    grid: contrast ? mixed(contrast, 0.4) : mixed(text, 0.16),
    background: read('--vscode-editor-background', 'transparent'),
    font: `11px ${read('--vscode-font-family', 'system-ui, sans-serif')}`,
  };
}

/** The colour with another opacity, resolved by the browser. */
function mixed(colour: string, opacity: number): string {
  return `color-mix(in srgb, ${colour} ${Math.round(100 * opacity)}%, transparent)`;
}

/** VS Code changes the class of the body and the style of the root when the theme changes. */
export function onThemeChange(listener: () => void): void {
  const observer = new MutationObserver(listener);
  observer.observe(document.documentElement, { attributes: true, attributeFilter: ['style', 'class'] });
  observer.observe(document.body, { attributes: true, attributeFilter: ['class', 'data-vscode-theme-kind'] });
}
