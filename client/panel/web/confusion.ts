/** Confusion matrices at the end of a run: a table of percents of each target, shaded by them. */
import './confusion.css';
import { title } from '../../format.ts';
import { element } from './dom.ts';
import { t } from './l10n.ts';
import type { RunStore } from './store.ts';

export interface ConfusionTables {
  readonly root: HTMLElement;
  update(store: RunStore): void;
}

export function confusionTables(): ConfusionTables {
  const root = element('div', { class: 'matrices', hidden: true });
  let drawn: unknown;
  return {
    root,
    update({ done }) {
      if (done === drawn) return;
      drawn = done;
      const tables = Object.entries(done?.tables ?? {});
      root.hidden = tables.length === 0;
      root.replaceChildren(
        ...tables.map(([name, rows]) => matrix(name, rows, done?.classes?.[name.replace(/^.*\./, '')])),
      );
    },
  };
}

/** `classes`: their names, where the data has them. */
function matrix(name: string, rows: readonly (readonly number[])[], classes?: readonly string[]): HTMLElement {
  const called = rows.map((_, i) => classes?.[i] ?? String(i));
  const across = called.map(text => element('th', { scope: 'col', title: text }, text));
  const head = element('thead', {}, element('tr', {}, element('th', { scope: 'col' }, t('Target')), ...across));
  const body = element('tbody', {}, ...rows.map((row, i) => matrixRow(called[i]!, row)));
  const [split, report] = name.split('.');
  const caption = element(
    'caption',
    {},
    t('{0} of {1}: predictions across, % of each target', title(report ?? name), split),
  );
  const region = { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': t('{0} as a table', name) };
  return element('div', region, element('table', {}, caption, head, body));
}

function matrixRow(target: string, row: readonly number[]): HTMLElement {
  const total = row.reduce((sum, share) => sum + share, 0);
  const cells = row.map(share => {
    const percent = total > 0 ? (100 * share) / total : undefined;
    const cell = element('td', {}, percent === undefined ? '' : percent.toFixed(1));
    // Half of the colour at most, so that the number stays readable in every theme.
    cell.style.setProperty('--share', `${((percent ?? 0) / 2).toFixed(0)}%`);
    return cell;
  });
  return element('tr', {}, element('th', { scope: 'row', title: target }, target), ...cells);
}
