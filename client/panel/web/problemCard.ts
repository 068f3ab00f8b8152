/** The error card's elements. */
import './problemCard.css';
import type { FromPanel } from '../messages.ts';
import { element, icon, setText } from './dom.ts';
import { t } from './l10n.ts';
import type { Problem } from './problem.ts';

export interface ProblemCard {
  readonly root: HTMLElement;
  show(problem: Problem | undefined): void;
}

export function problemCard(send: (message: FromPanel) => void): ProblemCard {
  const heading = element('h2');
  const code = element('code');
  const message = element('p', { class: 'message' });
  const remedy = element('p', { class: 'remedy' });
  const log = element('button', { type: 'button', class: 'action' }, t('Show log'));
  log.addEventListener('click', () => send({ type: 'show', what: 'log' }));
  const text = element('div', {}, element('div', { class: 'heading' }, heading, code), message, remedy, log);
  const root = element('section', { class: 'problem', role: 'alert' }, icon('error'), text);
  root.hidden = true;
  return {
    root,
    show(problem) {
      root.hidden = problem === undefined;
      if (!problem) return;
      setText(heading, problem.heading);
      setText(code, problem.code ?? '');
      code.hidden = problem.code === undefined;
      setText(message, sentence(problem.message));
      setText(remedy, problem.remedy ?? '');
      remedy.hidden = problem.remedy === undefined;
    },
  };
}

/** Messages are lower case without a full stop; a card speaks in sentences. */
function sentence(message: string): string {
  const text = message.charAt(0).toUpperCase() + message.slice(1);
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
