/** The page's shell: no inline script or style, nothing from elsewhere. */

export interface PageParts {
  readonly script: string;
  readonly style: string;
  /** `webview.cspSource`. */
  readonly source: string;
  readonly nonce: string;
  /** `vscode.env.language`. */
  readonly language: string;
  /** `vscode.l10n.bundle`: English text to translation. */
  readonly texts: Readonly<Record<string, string>>;
}

export function page({ script, style, source, nonce, language, texts }: PageParts): string {
  const policy = [
    `default-src 'none'`,
    `script-src 'nonce-${nonce}'`,
    `style-src ${source}`,
    'img-src data:',
    'media-src data:',
  ].join('; ');
  return `<!doctype html>
<html lang="${attribute(language)}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="${style}">
<title>Training</title>
</head>
<body data-texts="${attribute(JSON.stringify(texts))}">
<script nonce="${nonce}" src="${script}"></script>
</body>
</html>`;
}

const escapes: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '"': '&quot;' };

function attribute(text: string): string {
  return text.replace(/[&<"]/g, character => escapes[character]!);
}
