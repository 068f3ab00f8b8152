/** What the model shows: images, sounds, texts and numbers of one epoch, with a slider over the epochs. */
import './samples.css';
import type { SamplesEvent } from '../../../engine/train/events.ts';
import { formatLoss } from '../../format.ts';
import { type FromPanel, parseSampleItems, type SampleItem } from '../messages.ts';
import { element, setText } from './dom.ts';
import { t } from './l10n.ts';
import type { RunStore } from './store.ts';

export interface SamplesView {
  readonly root: HTMLElement;
  update(store: RunStore): void;
  /** A file that was asked for. */
  receive(path: string, content: string | null): void;
  /** The epoch that is looked at; undefined while that is the newest. */
  epoch(): number | undefined;
  /** Another run is shown, or this one anew: its files may be others. */
  reset(): void;
}

/** Files kept, so that the slider goes back and forth without asking again. */
const KEPT = 64;

export function samplesView(
  pinned: number | undefined,
  send: (message: FromPanel) => void,
  onChange: () => void,
): SamplesView {
  const slider = element('input', { type: 'range', min: '0', step: '1', 'aria-label': t('Epoch of the samples') });
  const output = element('output', { class: 'value' });
  const body = element('div', { class: 'shown' });
  const root = element(
    'section',
    { class: 'samples', hidden: true, 'aria-label': t('Samples') },
    element('header', { class: 'legend' }, element('h2', {}, t('Samples')), element('label', {}, slider, output)),
    body,
  );
  const contents = new Map<string, string | null>();
  const asked = new Set<string>();
  let epochs: readonly number[] = [];
  let pin = pinned;
  let drawn = '';
  let shown: readonly SamplesEvent[] = [];

  const draw = (): void => {
    const key = shown.map(each => each.paths.map(path => `${path}${contents.has(path)}${each.time}`)).join();
    if (key === drawn) return;
    drawn = key;
    body.replaceChildren(...shown.map(event => figure(event, contents)));
  };
  slider.addEventListener('input', () => {
    const at = Number(slider.value);
    pin = at === epochs.length - 1 ? undefined : epochs[at];
    onChange();
  });
  return {
    root,
    update({ samples }) {
      epochs = [...new Set(samples.map(each => each.epoch))];
      root.hidden = epochs.length === 0;
      if (root.hidden) return;
      const at = pin === undefined ? -1 : epochs.indexOf(pin);
      const epoch = epochs.at(at)!;
      slider.max = String(epochs.length - 1);
      slider.value = String(at < 0 ? epochs.length - 1 : at);
      slider.disabled = epochs.length < 2;
      slider.setAttribute('aria-valuetext', t('epoch {0}', epoch));
      setText(output, at < 0 ? t('epoch {0}, the newest', epoch) : t('epoch {0}', epoch));
      shown = samples.filter(each => each.epoch === epoch);
      for (const path of shown.flatMap(each => each.paths)) {
        if (contents.has(path) || asked.has(path)) continue;
        asked.add(path);
        send({ type: 'sample', path });
      }
      // What was shown stays until the next epoch's files are here, so that nothing flickers.
      if (drawn === '' || shown.every(each => each.paths.every(path => contents.has(path)))) draw();
    },
    receive(path, content) {
      asked.delete(path);
      contents.set(path, content);
      const oldest = contents.keys().next().value;
      if (contents.size > KEPT && oldest !== undefined) contents.delete(oldest);
      draw();
    },
    epoch: () => pin,
    reset() {
      contents.clear();
      asked.clear();
      drawn = '';
    },
  };
}

function figure(event: SamplesEvent, contents: ReadonlyMap<string, string | null>): HTMLElement {
  const loaded = event.paths.map(path => contents.get(path));
  const children = loaded.some(content => content === null)
    ? [element('p', { class: 'empty' }, t('The file is gone.'))]
    : loaded.every(content => content !== undefined)
      ? contentOf(event, loaded as readonly string[])
      : [element('p', { class: 'empty' }, t('Loading…'))];
  return element('figure', { 'data-sample': event.name }, element('figcaption', {}, event.name), ...children);
}

function contentOf(event: SamplesEvent, loaded: readonly string[]): HTMLElement[] {
  const { kind, name, epoch, items } = event;
  switch (kind) {
    case 'image':
      return loaded.map(src => element('img', { src, alt: t('{0} after epoch {1}: {2} images', name, epoch, items) }));
    case 'audio':
      return loaded.map((src, at) =>
        element('audio', { src, controls: true, 'aria-label': t('{0} {1} after epoch {2}', name, at + 1, epoch) }),
      );
    case 'text':
      return loaded.flatMap(parseSampleItems).map(item => element('pre', { tabindex: '0' }, String(item)));
    case 'numbers':
      return [numbersTable(name, loaded.flatMap(parseSampleItems))];
  }
}

function numbersTable(name: string, items: readonly SampleItem[]): HTMLElement {
  const rows = items.map((item, at) => {
    const { numbers } = typeof item === 'string' ? { numbers: [item] } : item;
    const cells = numbers.map(value => element('td', {}, typeof value === 'number' ? formatLoss(value) : value));
    return element('tr', {}, element('th', { scope: 'row' }, String(at + 1)), ...cells);
  });
  const table = element('table', {}, element('tbody', {}, ...rows));
  return element(
    'div',
    { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': t('{0} as a table', name) },
    table,
  );
}
