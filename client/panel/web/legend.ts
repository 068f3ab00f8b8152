/** The head of a chart: its name and one switch per curve with the latest value. */
import './legend.css';
import { element, setText } from './dom.ts';
import { t } from './l10n.ts';

export type LegendKey = 'train' | 'validation';

export interface Legend {
  readonly root: HTMLElement;
  /** A curve without a value here is not there, and has no switch. */
  update(values: Readonly<Partial<Record<LegendKey, string>>>, hidden: ReadonlySet<LegendKey>): void;
}

const labels: Readonly<Record<LegendKey, string>> = { train: t('Training'), validation: t('Validation') };

export function legend(heading: string, onToggle: (key: LegendKey) => void): Legend {
  const entries = (['train', 'validation'] as const).map(key => {
    const value = element('span', { class: 'value' });
    const button = element(
      'button',
      { class: 'entry', type: 'button', 'data-series': key, title: t('Show or hide {0}', labels[key].toLowerCase()) },
      element('span', { class: `swatch ${key}`, 'aria-hidden': 'true' }),
      element('span', {}, labels[key]),
      value,
    );
    button.addEventListener('click', () => onToggle(key));
    return { key, value, button };
  });
  const root = element(
    'header',
    { class: 'legend' },
    element('h2', {}, heading),
    element(
      'div',
      { class: 'entries', role: 'group', 'aria-label': t('Curves') },
      ...entries.map(entry => entry.button),
    ),
  );
  return {
    root,
    update(values, hidden) {
      for (const { key, value, button } of entries) {
        button.hidden = values[key] === undefined;
        setText(value, hidden.has(key) ? '' : (values[key] ?? ''));
        button.setAttribute('aria-pressed', String(!hidden.has(key)));
      }
    },
  };
}
