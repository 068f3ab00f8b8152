/** Building the page: elements from text, never from HTML; icons from path data. */

type Attributes = Readonly<Record<string, string | boolean | undefined>>;

/** An element with attributes (`true` is the empty attribute, `false` none) and children; text stays text. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    node.setAttribute(name, value === true ? '' : value);
  }
  node.append(...children);
  return node;
}

/** Writes only what changed, so that screen readers and the layout are left in peace. */
export function setText(node: Node, text: string): void {
  if (node.textContent !== text) node.textContent = text;
}

/** 16x16 outlines in the manner of VS Code's own. */
const icons = {
  pause: 'M4.5 3h2v10h-2z M9.5 3h2v10h-2z',
  continue: 'M4.5 2.8v10.4L12.8 8z',
  stop: 'M3.5 3.5h9v9h-9z',
  resume: 'M3 3h1.6v10H3z M6.4 2.8v10.4L14 8z',
  error: 'M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM7.25 4.5h1.5v5h-1.5zM7.25 10.5h1.5V12h-1.5z',
  file: 'M3.5 1.5h6l3 3v10h-9zM4.6 2.6v10.8h6.8V5.4H8.6V2.6z',
} as const;

export type IconName = keyof typeof icons;

export function icon(name: IconName): SVGSVGElement {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('viewBox', '0 0 16 16');
  svg.setAttribute('aria-hidden', 'true');
  svg.classList.add('icon');
  const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
  path.setAttribute('d', icons[name]);
  path.setAttribute('fill-rule', 'evenodd');
  svg.append(path);
  return svg;
}
