/** The epochs as a table: the charts for those who can't see them, and for exact numbers. */
import './table.css';
import type { EpochEvent } from '../../../engine/train/events.ts';
import { formatCount, formatMetric, formatSeconds, title } from '../../format.ts';
import { element } from './dom.ts';
import { t } from './l10n.ts';
import { best, chartNames, type RunStore } from './store.ts';

export interface EpochTable {
  readonly root: HTMLElement;
  update(store: RunStore): void;
}

export function epochTable(): EpochTable {
  const head = element('tr');
  const body = element('tbody');
  const table = element('table', {}, element('thead', {}, head), body);
  const empty = element('p', { class: 'empty' }, t('The first row appears when the first epoch ends.'));
  const root = element(
    'details',
    { class: 'epochs', open: true },
    element('summary', {}, t('Epochs')),
    element(
      'div',
      { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': t('Epochs as a table') },
      table,
      empty,
    ),
  );
  let drawn = '';
  return {
    root,
    update(store) {
      const names = chartNames(store);
      const found = best(store);
      const key = `${names.join()} ${store.epochs.length} ${store.epochs.at(-1)?.time} ${found?.epoch}`;
      if (key === drawn) return;
      drawn = key;
      table.hidden = store.epochs.length === 0;
      empty.hidden = !table.hidden;
      head.replaceChildren(...headings(names).map(text => element('th', { scope: 'col' }, text)));
      body.replaceChildren(...[...store.epochs].reverse().map(epoch => tableRow(epoch, names, found?.epoch)));
    },
  };
}

function headings(names: readonly string[]): string[] {
  return [t('Epoch'), t('Step'), ...names.flatMap(name => [title(name), t('Validation {0}', name)]), t('Time')];
}

function tableRow(epoch: EpochEvent, names: readonly string[], bestEpoch: number | undefined): HTMLElement {
  const isBest = epoch.epoch === bestEpoch;
  const values = names.flatMap(name => [
    formatMetric(name, epoch.train[name]),
    formatMetric(name, epoch.validation?.[name]),
  ]);
  const mark = isBest ? [element('span', { class: 'best' }, t('best'))] : [];
  return element(
    'tr',
    { class: isBest ? 'is-best' : undefined },
    element('th', { scope: 'row' }, String(epoch.epoch), ...mark),
    ...[formatCount(epoch.step), ...values, formatSeconds(epoch.seconds)].map(text => element('td', {}, text)),
  );
}
