/** The row above the charts: smoothing and the scale of the loss. */
import './controls.css';
import { element, setText } from './dom.ts';
import { t } from './l10n.ts';

export interface ViewSettings {
  smoothing: number;
  log: boolean;
}

/** The slider runs over 0, 0.5 … 0.99 in steps that feel even: each halves 1 - weight. */
export function weightOf(position: number): number {
  return position === 0 ? 0 : Math.min(0.99, 1 - 0.5 ** position);
}

export function positionOf(weight: number): number {
  return weight <= 0 ? 0 : -Math.log2(1 - Math.min(0.99, weight));
}

export function controls(settings: ViewSettings, onChange: () => void): HTMLElement {
  const amount = element('output', { class: 'value' });
  const slider = element('input', { type: 'range', min: '0', max: '6.7', step: '0.1', id: 'smoothing' });
  slider.value = String(positionOf(settings.smoothing));
  const log = element('button', { type: 'button', class: 'toggle', 'data-toggle': 'log' }, t('Log scale'));
  const show = () => {
    setText(amount, settings.smoothing === 0 ? t('off') : settings.smoothing.toFixed(2));
    slider.setAttribute('aria-valuetext', amount.textContent ?? '');
    log.setAttribute('aria-pressed', String(settings.log));
  };
  slider.addEventListener('input', () => {
    settings.smoothing = weightOf(Number(slider.value));
    show();
    onChange();
  });
  log.addEventListener('click', () => {
    settings.log = !settings.log;
    show();
    onChange();
  });
  show();
  const smoothing = element('label', { class: 'smoothing', for: 'smoothing' }, t('Smoothing'), slider, amount);
  return element('div', { class: 'controls', role: 'group', 'aria-label': t('Charts') }, smoothing, log);
}
