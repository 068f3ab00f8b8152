/** Numbers as people read them: losses, counts, durations, rates. Shared by the panel, the tree and the status bar. */

const integers = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

/** `–` stands for a value that does not exist yet or is not finite by definition (an empty mean). */
export const absent = '–';

/** `1,234`. */
export function formatCount(value: number): string {
  return Number.isFinite(value) ? integers.format(value) : absent;
}

/** Four significant digits without exponent where that stays short: `2.3026`, `0.0812`, `1.2e-5`. NaN and infinity are told, not hidden. */
export function formatLoss(value: number | undefined): string {
  if (value === undefined) return absent;
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '∞' : '−∞';
  const size = Math.abs(value);
  if (size === 0) return '0';
  if (size < 1e-4 || size >= 1e6) return value.toExponential(2);
  if (size >= 1000) return value.toFixed(0);
  if (size >= 100) return value.toFixed(1);
  if (size >= 10) return value.toFixed(2);
  return value.toFixed(4);
}

/** `1,234`, from ten thousand on `100k`, `6.3M`: where room is scarce. */
export function formatShort(value: number): string {
  if (!Number.isFinite(value) || value < 10_000) return formatCount(value);
  return value < 1e6 ? `${Number((value / 1e3).toPrecision(3))}k` : `${Number((value / 1e6).toPrecision(3))}M`;
}

const fractions = /^(accuracy|top\d*_?accuracy|precision|recall|f1|auc|iou|confusion)$/i;

/** Reports between 0 and 1 that people read as percentages. */
export function isFraction(metric: string): boolean {
  return fractions.test(metric.slice(metric.lastIndexOf('.') + 1));
}

/** A metric's value: `95.31%` for fractions, as a loss otherwise. */
export function formatMetric(metric: string, value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value) || !isFraction(metric)) return formatLoss(value);
  return `${(100 * value).toFixed(2)}%`;
}

/** `0.001`, `2.5e-5`: as it would be written in source. */
export function formatRate(value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return absent;
  const short = Number(value.toPrecision(3));
  return short !== 0 && Math.abs(short) < 1e-4 ? short.toExponential().replace('e-0', 'e-') : String(short);
}

/** A speed with three digits: `0.52`, `87.3`, `1,240`, `79.4k`, `1.2M`. */
export function formatSpeed(value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value) || value < 0) return absent;
  if (value >= 1e6) return `${(value / 1e6).toFixed(1)}M`;
  if (value >= 1e4) return `${(value / 1e3).toFixed(1)}k`;
  if (value >= 100) return integers.format(value);
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

/** Seconds as a clock: `0:07`, `12:40`, `3:05:09`, `2 d 4 h`. */
export function formatDuration(seconds: number | undefined): string {
  if (seconds === undefined || !Number.isFinite(seconds) || seconds < 0) return absent;
  const whole = Math.round(seconds);
  const days = Math.floor(whole / 86400);
  const hours = Math.floor((whole % 86400) / 3600);
  if (days > 0) return `${days} d ${hours} h`;
  const minutes = Math.floor((whole % 3600) / 60);
  const two = (part: number) => String(part).padStart(2, '0');
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/** A span that has ended: `0.08 s`, `7.3 s`, from ten seconds on as a clock. */
export function formatSeconds(seconds: number | undefined): string {
  if (seconds === undefined || !(seconds >= 0 && seconds < 9.95)) return formatDuration(seconds);
  return `${seconds.toFixed(seconds < 0.995 ? 2 : 1)} s`;
}

/** `loss` -> `Loss`, `val_accuracy` -> `Val accuracy`. */
export function title(metric: string): string {
  const words = metric.replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}
