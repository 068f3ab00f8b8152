/** Entry of the page: takes messages, keeps the store, redraws at most once a frame. */
import './base.css';
import { formatMetric, title } from '../../format.ts';
import { type FromPanel, parseSaved, parseToPanel, type SavedState, type ToPanel } from '../messages.ts';
import { type Chart, createChart } from './chart.ts';
import { confusionTables } from './confusion.ts';
import { controls, type ViewSettings } from './controls.ts';
import { stateLabels } from './describe.ts';
import { element, setText } from './dom.ts';
import { header } from './header.ts';
import { t } from './l10n.ts';
import type { LegendKey } from './legend.ts';
import { type Problem, problemOf, refused } from './problem.ts';
import { problemCard } from './problemCard.ts';
import { samplesView } from './samples.ts';
import { apply, chartNames, emptyStore, fromHistory, liveStates, type RunStore } from './store.ts';
import { epochTable } from './table.ts';
import { onThemeChange } from './theme.ts';
import { tileGrid } from './tileGrid.ts';

interface VsCodeApi {
  postMessage(message: FromPanel): void;
  getState(): unknown;
  setState(state: SavedState): void;
}
declare function acquireVsCodeApi(): VsCodeApi;

const vscode = acquireVsCodeApi();
const saved = parseSaved(vscode.getState());
const settings: ViewSettings = { smoothing: saved.smoothing ?? 0.75, log: saved.log ?? false };
const hidden = new Set<LegendKey>((saved.hidden ?? []).filter(key => key === 'train' || key === 'validation'));
let folder = saved.folder;
let store: RunStore = emptyStore();
let names = { name: t('Training'), source: '' };
let refusal: Problem | undefined;
let scheduled = false;
/** Milliseconds: when the last redraw ended, and how long it took. */
const drawn = { ended: 0, took: 0 };

const send = (message: FromPanel) => vscode.postMessage(message);
const top = header(send);
const card = problemCard(send);
const grid = tileGrid();
const chartHost = element('div', { class: 'charts' });
const samples = samplesView(saved.epoch, send, () => {
  save();
  schedule();
});
const table = epochTable();
const matrices = confusionTables();
const announcer = element('p', { class: 'visually-hidden', 'aria-live': 'polite', id: 'announcer' });
const charts = new Map<string, Chart>();
document.body.append(
  element(
    'main',
    {},
    top.root,
    card.root,
    grid.root,
    controls(settings, () => {
      save();
      schedule();
    }),
    chartHost,
    samples.root,
    matrices.root,
    table.root,
    announcer,
  ),
);

function save(): void {
  const epoch = samples.epoch();
  vscode.setState({
    ...(folder === undefined ? {} : { folder }),
    ...settings,
    hidden: [...hidden],
    ...(epoch === undefined ? {} : { epoch }),
  });
}

/** Drawing takes a fifth of the time at most: the processor is wanted for training. */
function schedule(): void {
  if (scheduled) return;
  scheduled = true;
  document.body.dataset.pending = '';
  const wait = drawn.ended + 4 * drawn.took - performance.now();
  const draw = () =>
    requestAnimationFrame(() => {
      scheduled = false;
      const began = performance.now();
      redraw();
      drawn.ended = performance.now();
      drawn.took = drawn.ended - began;
      delete document.body.dataset.pending;
    });
  if (wait > 8) setTimeout(draw, wait);
  else draw();
}

function redraw(): void {
  top.update(store, store.summary?.name ?? names.name, store.summary?.source ?? names.source);
  card.show(refusal ?? problemOf(store));
  grid.update(store, Date.now());
  for (const name of chartNames(store)) drawChart(name);
  samples.update(store);
  matrices.update(store);
  table.update(store);
  document.body.dataset.state = refusal ? 'failed' : store.state;
}

function drawChart(name: string): void {
  let chart = charts.get(name);
  if (!chart) {
    chart = createChart(name, title(name), toggle);
    charts.set(name, chart);
    chartHost.append(chart.root);
  }
  chart.draw(store, { log: settings.log && name === 'loss', smoothing: settings.smoothing, hidden });
}

function toggle(key: LegendKey): void {
  if (!hidden.delete(key)) hidden.add(key);
  save();
  schedule();
}

function receive(message: ToPanel): void {
  switch (message.type) {
    case 'starting':
      names = { name: message.name, source: message.source };
      reset(emptyStore());
      folder = undefined;
      break;
    case 'history':
      reset(fromHistory(message.history));
      folder = message.history.summary.folder;
      break;
    case 'events':
      takeEvents(message);
      break;
    case 'problem':
      refusal = refused(message.message, message.code);
      store.state = 'failed';
      top.answered();
      break;
    case 'sample':
      samples.receive(message.path, message.content);
      return;
    case 'answered':
      top.answered();
      return;
  }
  save();
  schedule();
}

function takeEvents(message: Extract<ToPanel, { type: 'events' }>): void {
  const before = store.state;
  store.summary = message.summary;
  for (const event of message.events) {
    apply(store, event);
    if (event.type === 'epoch') announceEpoch(event.epoch, event.validation ?? event.train);
  }
  if (message.events.length === 0 || !liveStates.has(message.summary.state)) store.state = message.summary.state;
  if (store.state !== before) setText(announcer, t('Training {0}', stateLabels[store.state].toLowerCase()));
}

function announceEpoch(epoch: number, values: Readonly<Record<string, number>>): void {
  const said = Object.entries(values).map(([name, value]) => `${name} ${formatMetric(name, value)}`);
  setText(announcer, t('Epoch {0}: {1}', epoch, said.join(', ')));
}

function reset(next: RunStore): void {
  store = next;
  refusal = undefined;
  samples.reset();
  const wanted = new Set(chartNames(store));
  for (const [name, chart] of charts) {
    if (wanted.has(name)) continue;
    chart.root.remove();
    charts.delete(name);
  }
  top.answered();
}

window.addEventListener('message', event => {
  const message = parseToPanel(event.data);
  if (message) receive(message);
});
onThemeChange(() => {
  for (const chart of charts.values()) chart.recolour();
});
// The clock of a live run goes on between events.
setInterval(() => {
  if (store.state === 'running' || store.state === 'paused') grid.update(store, Date.now());
}, 1000);
redraw();
send({ type: 'ready' });
