/** One chart: the training curve by step, faint and smoothed, and validation by epoch, on uPlot. */
import 'uplot/dist/uPlot.min.css';
import './chart.css';
import uPlot from 'uplot';
import { formatMetric, formatShort, isFraction } from '../../format.ts';
import { effectiveWeight, extremes, merge, type Points, type Smoothing, smooth, smoothing } from './decimate.ts';
import { chartSummary } from './describe.ts';
import { element } from './dom.ts';
import { t } from './l10n.ts';
import { type LegendKey, legend } from './legend.ts';
import { liveStates, type RunStore, validationPoints } from './store.ts';
import { readTheme, type Theme } from './theme.ts';
import { tooltip } from './tooltip.ts';

export interface ChartOptions {
  readonly log: boolean;
  /** Weight of the exponential mean, 0 to 0.99. */
  readonly smoothing: number;
  readonly hidden: ReadonlySet<LegendKey>;
}

export interface Chart {
  readonly root: HTMLElement;
  draw(store: RunStore, options: ChartOptions): void;
  recolour(): void;
}

/** Columns of the plot after x. */
const row = { raw: 1, smooth: 2, validation: 3 } as const;

const height = 256;
/** Buckets a plot pixel column would need are fewer than this on any screen worth having. */
const maxBuckets = 1200;

export function createChart(name: string, heading: string, onToggle: (key: LegendKey) => void): Chart {
  const key = legend(heading, onToggle);
  const plotHost = element('div', { class: 'plot', role: 'img', tabindex: '0' });
  const root = element('section', { class: 'chart', 'data-chart': name, 'aria-label': heading }, key.root, plotHost);
  let theme = readTheme();
  let smoothed: Smoothing = smoothing(0);
  let rewinds = -1;
  let plot: uPlot | undefined;
  let logarithmic = false;
  let shown: { store: RunStore; options: ChartOptions } | undefined;
  const tip = tooltip(name, () => shown?.store);

  const make = (log: boolean) => {
    plot?.destroy();
    logarithmic = log;
    plot = new uPlot(
      plotOptions(name, log, plotHost.clientWidth || 600, () => theme, tip),
      [[], [], [], []],
      plotHost,
    );
  };
  const draw = (store: RunStore, options: ChartOptions) => {
    shown = { store, options };
    if (!plot || logarithmic !== options.log) make(options.log);
    const values = name === 'loss' ? store.loss : store.metrics.get(name);
    const weight = effectiveWeight(options.smoothing, values?.length ?? 0);
    if (smoothed.weight !== weight || rewinds !== store.rewinds || smoothed.out.length > (values?.length ?? 0)) {
      smoothed = smoothing(weight);
      rewinds = store.rewinds;
    }
    const buckets = Math.min(maxBuckets, Math.max(100, plotHost.clientWidth));
    const series = curves(store, name, smoothed, buckets, options);
    const { x, ys } = merge(series);
    plot!.batch(() => {
      plot!.setData([x, ...ys] as uPlot.AlignedData);
      const both = options.smoothing > 0 && !options.hidden.has('train');
      plot!.series[row.raw]!.alpha = both ? 0.28 : 1;
    });
    key.update(lastValues(store, name, series), options.hidden);
    plotHost.setAttribute('aria-label', chartSummary(store, name));
    showEmpty(plotHost, x.length === 0, store);
  };
  new ResizeObserver(() => {
    if (!plot || plotHost.clientWidth === 0 || plotHost.clientWidth === plot.width) return;
    plot.setSize({ width: plotHost.clientWidth, height });
    if (shown) draw(shown.store, shown.options);
  }).observe(plotHost);
  plotHost.addEventListener('keydown', event => moveCursor(plot, event));
  return {
    root,
    draw,
    recolour() {
      theme = readTheme();
      plot?.redraw(false, true);
    },
  };
}

/** Before the first loss the axes mean nothing: they fade, and a line says what is being waited for. */
function showEmpty(host: HTMLElement, empty: boolean, store: RunStore): void {
  if (!empty) delete host.dataset.empty;
  else host.dataset.empty = liveStates.has(store.state) ? t('Waiting for the first loss…') : t('No values');
}

function curves(store: RunStore, name: string, smoothed: Smoothing, buckets: number, options: ChartOptions): Points[] {
  const values = name === 'loss' ? store.loss : store.metrics.get(name);
  const none: Points = { x: [], y: [] };
  const drawable = (points: Points): Points =>
    options.log ? { x: points.x, y: points.y.map(y => (y > 0 ? y : Number.NaN)) } : points;
  const validation = options.hidden.has('validation') ? none : drawable(validationPoints(store, name));
  if (!values || options.hidden.has('train')) return [none, none, validation];
  const picked = extremes(values, buckets);
  const x = picked.map(index => store.step.values[index]!);
  const raw = drawable({ x, y: picked.map(index => values.values[index]!) });
  if (options.smoothing === 0) return [raw, none, validation];
  const mean = smooth(smoothed, values);
  return [raw, drawable({ x, y: picked.map(index => mean.values[index]!) }), validation];
}

function lastValues(store: RunStore, name: string, series: readonly Points[]): Partial<Record<LegendKey, string>> {
  const train = series[row.smooth - 1]!.y.at(-1) ?? series[row.raw - 1]!.y.at(-1);
  const validation = series[row.validation - 1]!.y.at(-1);
  const validated = store.start?.validationSamples !== 0;
  return { train: formatMetric(name, train), ...(validated && { validation: formatMetric(name, validation) }) };
}

function plotOptions(name: string, log: boolean, width: number, theme: () => Theme, tip: uPlot.Plugin): uPlot.Options {
  const line = (colour: (theme: Theme) => string, more: Partial<uPlot.Series>): uPlot.Series => ({
    stroke: () => colour(theme()),
    spanGaps: true,
    points: { show: false },
    ...more,
  });
  const axis = (more: Partial<uPlot.Axis>): uPlot.Axis => ({
    stroke: () => theme().text,
    font: theme().font,
    grid: { stroke: () => theme().grid, width: 1 },
    ticks: { show: false },
    ...more,
  });
  return {
    width,
    height,
    padding: [12, 12, 0, 0],
    legend: { show: false },
    cursor: {
      sync: { key: 'steps', scales: ['x', null] },
      drag: { x: false, y: false },
      points: { size: 7, width: 2 },
      // The faint curve under the smooth one gets no point of its own.
      dataIdx: (self, series, hovered) =>
        (series === row.raw && self.series[row.raw]!.alpha !== 1 ? null : hovered) as number,
    },
    scales: {
      x: { time: false, range: (_, least, greatest) => [Math.min(least, 0), Math.max(greatest, 1)] },
      y: log
        ? { distr: 3, range: (_, least, greatest) => logRange(least, greatest) }
        : { range: (_, least, greatest) => linearRange(name, least, greatest) },
    },
    axes: [
      axis({ size: 24, space: 70, values: (_, splits) => splits.map(shortStep) }),
      axis({ size: 56, space: 34, values: (_, splits) => splits.map(value => tick(name, value)) }),
    ],
    series: [
      {},
      line(colours => colours.train, { width: 1.25 }),
      line(colours => colours.train, { width: 2 }),
      line(colours => colours.validation, {
        width: 2,
        points: {
          show: self => points(self) * 12 < self.width,
          size: 6,
          width: 2,
          stroke: () => theme().validation,
          fill: () => theme().background,
        },
      }),
    ],
    plugins: [tip],
  };
}

/** Validation points: where they would touch each other the line alone is drawn. */
function points(plot: uPlot): number {
  let count = 0;
  for (const value of plot.data[row.validation]!) if (value !== null) count++;
  return count;
}

/** From zero where that wastes less than half; a fraction never beyond 0 and 1. */
export function linearRange(name: string, least: number | null, greatest: number | null): [number, number] {
  if (least === null || greatest === null) return [0, 1];
  const room = (greatest - least || Math.abs(greatest) || 1) * 0.06;
  const low = least >= 0 && least < greatest / 2 ? 0 : least - room;
  const high = greatest + room;
  return isFraction(name) ? [Math.max(0, low), greatest <= 1 ? Math.min(1, high) : high] : [low, high];
}

/** At least half a decade, with a little room. */
function logRange(least: number | null, greatest: number | null): [number, number] {
  if (least === null || greatest === null || least <= 0) return [0.1, 10];
  const [low, high] = [Math.log10(least), Math.log10(greatest)];
  const room = Math.max(0.05 * (high - low), (0.5 - (high - low)) / 2, 0);
  return [10 ** (low - room), 10 ** (high + room)];
}

function shortStep(value: number | null): string {
  if (value === null || !Number.isInteger(value)) return '';
  return formatShort(value);
}

function tick(name: string, value: number | null): string {
  if (value === null) return '';
  if (isFraction(name)) return `${Number((100 * value).toPrecision(4))}%`;
  if (value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e5)) return value.toExponential(0);
  return String(Number(value.toPrecision(4)));
}

/** Arrow keys move the crosshair, so that values can be read without a mouse. */
function moveCursor(plot: uPlot | undefined, event: KeyboardEvent): void {
  if (!plot || plot.data[0].length === 0) return;
  const { length } = plot.data[0];
  const stride = event.shiftKey ? Math.ceil(length / 20) : 1;
  const at = plot.cursor.idx ?? length - 1;
  const targets: Record<string, number> = {
    ArrowLeft: at - stride,
    ArrowRight: at + stride,
    Home: 0,
    End: length - 1,
  };
  if (event.key === 'Escape') {
    plot.setCursor({ left: -10, top: -10 });
    return;
  }
  const target = targets[event.key];
  if (target === undefined) return;
  event.preventDefault();
  const index = Math.min(length - 1, Math.max(0, target));
  plot.setCursor({ left: plot.valToPos(plot.data[0][index]!, 'x'), top: plot.over.clientHeight / 3 });
}
