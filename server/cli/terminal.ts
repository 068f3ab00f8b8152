/** What the terminal can show: colour, a live line, a plot. Everything prints plainly where there is no terminal. */
import { styleText } from 'node:util';
import plot from 'simple-ascii-chart';

type Style = Parameters<typeof styleText>[0];

/** Colour only where it is seen; NO_COLOR (no-color.org) is honoured. */
export function paint(style: Style, text: string, stream: NodeJS.WriteStream = process.stdout): string {
  const colour = stream.isTTY === true && process.env.NO_COLOR === undefined;
  return colour ? styleText(style, text) : text;
}

/** A line that is rewritten in place; without a terminal only `finish` prints. */
export interface LiveLine {
  update(text: string): void;
  /** Clears the line, so that other text may follow. */
  clear(): void;
}

export function liveLine(stream: NodeJS.WriteStream): LiveLine {
  if (stream.isTTY !== true) return { update: () => {}, clear: () => {} };
  const eraseLine = '\r\x1b[2K';
  return {
    // A terminal that knows no width says 0.
    update: text => void stream.write(eraseLine + truncate(text, stream.columns || 80)),
    clear: () => void stream.write(eraseLine),
  };
}

function truncate(text: string, columns: number): string {
  return text.length < columns ? text : `${text.slice(0, Math.max(0, columns - 2))}…`;
}

/** `[=====>    ]`. */
export function progressBar(fraction: number, width: number): string {
  const done = Math.round(Math.min(1, Math.max(0, fraction)) * width);
  return `[${'='.repeat(done)}${' '.repeat(width - done)}]`;
}

/** `512 bytes`, `46.6 kB`, `1.2 MB`. */
export function byteCount(bytes: number): string {
  if (bytes < 1000) return `${bytes} bytes`;
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

/** `1 h 02 min`, `3 min 07 s`, `12 s`. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (n: number): string => String(n).padStart(2, '0');
  if (h > 0) return `${h} h ${two(m)} min`;
  return m > 0 ? `${m} min ${two(s)} s` : `${s} s`;
}

/** A small plot of a loss curve over the steps, thinned to the width. Points that are not finite are left out. */
export function lossPlot(points: readonly (readonly [step: number, loss: number])[], width = 60, height = 10): string {
  const finite = points.filter(([, loss]) => Number.isFinite(loss));
  if (finite.length < 2) return '';
  const each = Math.max(1, Math.ceil(finite.length / width));
  const means: [number, number][] = [];
  for (let i = 0; i < finite.length; i += each) {
    const bucket = finite.slice(i, i + each);
    means.push([bucket[0]![0], bucket.reduce((sum, [, loss]) => sum + loss, 0) / bucket.length]);
  }
  const losses = means.map(([, loss]) => loss);
  const [least, greatest] = [Math.min(...losses), Math.max(...losses)];
  const first = finite[0]![0];
  const last = finite.at(-1)![0];
  const text = plot(means, {
    width,
    height,
    hideXAxisTicks: true,
    customYAxisTicks: [least, (least + greatest) / 2, greatest],
    formatter: value => value.toPrecision(3),
    symbols: { axis: { n: ' ', e: '' } },
  });
  const drawn = text
    .split('\n')
    .filter(line => line.trim() !== '')
    .join('\n');
  const margin = drawn.split('\n')[0]!.search(/[┤│]/) + 1;
  return `${drawn}\n${' '.repeat(Math.max(0, margin))}step ${first}${String(last).padStart(width - 5 - String(first).length)}`;
}

/** `97.3%`-style for shares, four significant digits otherwise. */
export function metricText(name: string, value: number): string {
  if (/accuracy|precision|recall|f1|auc|top|confusion/.test(name)) return `${(value * 100).toFixed(1)}%`;
  return value !== 0 && Math.abs(value) < 1e-3 ? value.toExponential(2) : value.toPrecision(4);
}

/** Columns are no wider, whatever classes are called. */
const widestName = 14;

/** A confusion matrix in percent of each row, those of the targets; a row without samples is empty. Classes have numbers where they have no names. */
export function tableText(name: string, rows: readonly (readonly number[])[], classes?: readonly string[]): string {
  const called = rows.map((_, i) => shortened(classes?.[i] ?? String(i)));
  const width = Math.max(6, ...called.map(text => text.length + 2));
  const cell = (text: string): string => text.padStart(width);
  const lines = rows.map((row, i) => {
    const total = row.reduce((sum, share) => sum + share, 0);
    return cell(called[i]!) + row.map(share => cell(total > 0 ? ((100 * share) / total).toFixed(1) : '')).join('');
  });
  const header = cell('') + called.map(cell).join('');
  return [`${name}: targets down, predictions across, % of each target`, header, ...lines].join('\n');
}

function shortened(text: string): string {
  return text.length <= widestName ? text : `${text.slice(0, widestName - 1)}…`;
}

export function count(n: number): string {
  return Math.round(n).toLocaleString('en-US');
}
