/** The epochs as a table: the charts for those who can't see them, and for exact numbers. */
import './table.css';
import type { EpochEvent } from '../../../engine/train/events.ts';
import { formatCount, formatMetric, formatSeconds, title } from '../../format.ts';
import { element, setText } from './dom.ts';
import { t } from './l10n.ts';
import { best, chartNames, type RunStore } from './store.ts';

export interface EpochTable {
  readonly root: HTMLElement;
  update(store: RunStore): void;
}

/** More rows than this nobody reads, and they are slow to lay out; the newest stay. */
const maxRows = 500;

export function epochTable(): EpochTable {
  const head = element('tr');
  const body = element('tbody');
  const table = element('table', {}, element('thead', {}, head), body);
  const empty = element('p', { class: 'empty' }, t('The first row appears when the first epoch ends.'));
  const heading = element('summary', {}, t('Epochs'));
  const about = { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': t('Epochs as a table') };
  const root = element('details', { class: 'epochs', open: true }, heading, element('div', about, table, empty));
  const rows = createRows(body);
  let drawn = '';
  return {
    root,
    update(store) {
      const { epochs } = store;
      const names = chartNames(store);
      if (names.join() !== drawn) {
        drawn = names.join();
        head.replaceChildren(...headings(names).map(text => element('th', { scope: 'col' }, text)));
        rows.clear();
      }
      rows.update(epochs, names, best(store)?.epoch);
      table.hidden = epochs.length === 0;
      empty.hidden = !table.hidden;
      const newest = t('Epochs, the newest {0} of {1}', formatCount(maxRows), formatCount(epochs.length));
      setText(heading, epochs.length > maxRows ? newest : t('Epochs'));
    },
  };
}

/** The rows, newest first: made once each, however long the run is. */
function createRows(body: HTMLElement) {
  let last: EpochEvent | undefined;
  let count = 0;
  let marked: number | undefined;
  const rows = new Map<number, HTMLElement>();
  const clear = () => {
    body.replaceChildren();
    rows.clear();
    [last, count, marked] = [undefined, 0, undefined];
  };
  return {
    clear,
    update(epochs: readonly EpochEvent[], names: readonly string[], bestEpoch: number | undefined) {
      // A resumed run goes back to its checkpoint, and another run may take the panel.
      if (last !== epochs[count - 1]) clear();
      for (const epoch of epochs.slice(Math.max(count, epochs.length - maxRows))) {
        const row = tableRow(epoch, names);
        rows.set(epoch.epoch, row);
        body.prepend(row);
      }
      while (body.childElementCount > maxRows) body.lastElementChild?.remove();
      for (const old of [...rows.keys()].slice(0, Math.max(0, rows.size - maxRows))) rows.delete(old);
      [last, count] = [epochs.at(-1), epochs.length];
      if (bestEpoch !== marked) mark(rows.get(marked ?? -1), false);
      mark(rows.get(bestEpoch ?? -1), true);
      marked = bestEpoch;
    },
  };
}

/** Says in its first cell that a row is the best one, or no longer. */
function mark(row: HTMLElement | undefined, isBest: boolean): void {
  if (row === undefined || row.classList.contains('is-best') === isBest) return;
  row.classList.toggle('is-best', isBest);
  if (isBest) row.firstElementChild?.append(element('span', { class: 'best' }, t('best')));
  else row.querySelector('.best')?.remove();
}

function headings(names: readonly string[]): string[] {
  return [t('Epoch'), t('Step'), ...names.flatMap(name => [title(name), t('Validation {0}', name)]), t('Time')];
}

function tableRow(epoch: EpochEvent, names: readonly string[]): HTMLElement {
  const values = names.flatMap(name => [
    formatMetric(name, epoch.train[name]),
    formatMetric(name, epoch.validation?.[name]),
  ]);
  const cells = [formatCount(epoch.step), ...values, formatSeconds(epoch.seconds)];
  return element(
    'tr',
    {},
    element('th', { scope: 'row' }, String(epoch.epoch)),
    ...cells.map(text => element('td', {}, text)),
  );
}
