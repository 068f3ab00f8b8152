/** The box beside the crosshair with the values under it. */
import './tooltip.css';
import type uPlot from 'uplot';
import { formatCount, formatMetric } from '../../format.ts';
import { element, setText } from './dom.ts';
import { t } from './l10n.ts';
import type { RunStore } from './store.ts';

const gap = 14;

/** A uPlot plugin; `store` tells the epochs' ends. */
export function tooltip(name: string, store: () => RunStore | undefined): uPlot.Plugin {
  const head = element('div', { class: 'head' });
  const rows = ['train', 'validation'].map(key => {
    const value = element('span', { class: 'value' });
    const label = key === 'train' ? t('Training') : t('Validation');
    const root = element('div', { class: 'row' }, element('span', { class: `swatch ${key}` }), label, value);
    return { root, value };
  });
  const box = element('div', { class: 'tooltip', 'aria-hidden': 'true' }, head, ...rows.map(entry => entry.root));
  box.hidden = true;
  return {
    hooks: {
      init: plot => plot.over.append(box),
      setCursor: plot => {
        const { idx, left = -1 } = plot.cursor;
        box.hidden = idx === null || idx === undefined || left < 0;
        if (idx === null || idx === undefined || left < 0) return;
        const step = plot.data[0][idx]!;
        setText(head, t('Step {0}', formatCount(step)) + epochOf(store(), step));
        const values = [at(plot, 2, idx) ?? at(plot, 1, idx), at(plot, 3, idx)];
        rows.forEach(({ root, value }, index) => {
          root.hidden = values[index] === undefined;
          setText(value, formatMetric(name, values[index]));
        });
        place(plot, box, left);
      },
    },
  };
}

/** Value of a series at the index, or the one before it: validation has a point an epoch only. */
function at(plot: uPlot, series: number, index: number): number | undefined {
  const values = plot.data[series]!;
  for (let i = index; i >= 0; i--) {
    const value = values[i];
    if (value !== null && value !== undefined) return value;
  }
  return undefined;
}

function epochOf(store: RunStore | undefined, step: number): string {
  const perEpoch = store?.start?.stepsPerEpoch;
  return perEpoch ? ` · ${t('epoch {0}', Math.max(1, Math.ceil(step / perEpoch)))}` : '';
}

/** Right of the crosshair, or left of it where there is no room. */
function place(plot: uPlot, box: HTMLElement, left: number): void {
  const fits = left + gap + box.offsetWidth < plot.over.clientWidth;
  const top = Math.min(plot.cursor.top ?? 0, plot.over.clientHeight - box.offsetHeight);
  box.style.transform = `translate(${fits ? left + gap : left - gap - box.offsetWidth}px, ${Math.max(0, top)}px)`;
}
