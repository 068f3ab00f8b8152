/** Top of the page: what is being trained, in which state, and the buttons that change it. */
import './header.css';
import type { RunState } from '../../../engine/train/events.ts';
import type { FromPanel, RunCommand } from '../messages.ts';
import { stateLabels, subtitle } from './describe.ts';
import { element, icon, setText } from './dom.ts';
import { t } from './l10n.ts';
import { liveStates, type RunStore, stepsDone } from './store.ts';

export interface Header {
  readonly root: HTMLElement;
  /** `name` and `source` are known before the run is. */
  update(store: RunStore, name: string, source: string): void;
  /** The last command was answered: its button may be pressed again. */
  answered(): void;
}

const commandLabels: Readonly<Record<RunCommand, string>> = {
  pause: t('Pause'),
  continue: t('Continue'),
  stop: t('Stop'),
  resume: t('Resume'),
};

/** Which commands make sense, the first being the most likely. */
export function commandsFor(state: RunState, resumable: boolean): readonly RunCommand[] {
  if (state === 'running') return ['pause', 'stop'];
  if (state === 'paused') return ['continue', 'stop'];
  if (state === 'starting') return ['stop'];
  return resumable ? ['resume'] : [];
}

export function header(send: (message: FromPanel) => void): Header {
  const name = element('h1');
  const source = element('button', { class: 'source', type: 'button', title: t('Open the source file') });
  source.addEventListener('click', () => send({ type: 'show', what: 'source' }));
  const detail = element('span', { class: 'detail' });
  const label = element('span');
  const pill = element('div', { class: 'state', role: 'status' }, element('span', { class: 'dot' }), label);
  const buttons = commandButtons(send);
  const fill = element('div', { class: 'fill' });
  const progress = element('div', { class: 'progress', role: 'progressbar', 'aria-label': t('Steps done') }, fill);
  const titles = element('div', { class: 'titles' }, element('div', { class: 'name' }, name, pill));
  titles.append(element('p', { class: 'subtitle' }, source, detail));
  const top = element('div', { class: 'top' }, titles, buttons.root);
  return {
    root: element('header', { class: 'run' }, top, progress),
    answered: buttons.answered,
    update(store, runName, file) {
      setText(name, runName);
      setText(source, file);
      setText(detail, subtitle(store));
      setText(label, stateLabels[store.state]);
      pill.dataset.state = store.state;
      buttons.update(store);
      const part = store.start ? Math.min(1, stepsDone(store) / Math.max(1, store.start.steps)) : 0;
      progress.dataset.state = store.state;
      // The starting animation is the style sheet's.
      fill.style.transform = store.state === 'starting' ? '' : `scaleX(${part})`;
      progress.setAttribute('aria-valuenow', String(Math.round(100 * part)));
    },
  };
}

function commandButtons(send: (message: FromPanel) => void) {
  const all = (['continue', 'resume', 'pause', 'stop'] as const).map(command => {
    const primary = command === 'continue' || command === 'resume';
    const button = element(
      'button',
      { type: 'button', class: primary ? 'action primary' : 'action', 'data-command': command },
      icon(command),
      commandLabels[command],
    );
    button.addEventListener('click', () => {
      pending = command;
      button.disabled = true;
      send({ type: 'command', command });
    });
    return { command, button };
  });
  let pending: RunCommand | undefined;
  let state: RunState | undefined;
  return {
    root: element(
      'div',
      { class: 'actions', role: 'group', 'aria-label': t('Run') },
      ...all.map(entry => entry.button),
    ),
    answered() {
      pending = undefined;
      for (const { button } of all) button.disabled = state === 'starting';
    },
    update(store: RunStore) {
      if (store.state !== state) pending = undefined;
      state = store.state;
      const resumable = store.summary?.resumable === true && !liveStates.has(store.state);
      const offered = commandsFor(store.state, resumable);
      for (const { command, button } of all) {
        button.hidden = !offered.includes(command);
        button.disabled = pending === command || (store.state === 'starting' && store.summary === undefined);
      }
    },
  };
}
