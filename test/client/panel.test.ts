/** The panel's page in a real browser: what people see and do, in all themes and widths. */
import { readFileSync } from 'node:fs';
import { encode as encodePng } from 'fast-png';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchBrowser } from '../e2e/browser.ts';
import { chromiumPath } from '../e2e/system.mjs';
import { bundle, openPanel, type PanelPage, type PanelPageOptions } from './panelPage.ts';
import { began, epochEvent, history, samplesEvent, start, stepEvent, stretch, summary } from './runs.ts';

if (!chromiumPath()) console.log('skipped: the panel is tested in Chromium, which this machine lacks');

describe.skipIf(!chromiumPath())('the panel', () => {
  let browser: Browser;
  let code: Awaited<ReturnType<typeof bundle>>;
  const errors: string[] = [];

  beforeAll(async () => {
    [browser, code] = await Promise.all([launchBrowser(), bundle()]);
  });
  afterAll(() => browser?.close());

  /** A page for one test; errors in it fail the test. */
  async function withPanel(options: PanelPageOptions, work: (panel: PanelPage) => Promise<void>): Promise<void> {
    const panel = await openPanel(browser, code, options);
    panel.page.on('pageerror', error => errors.push(error.message));
    try {
      await work(panel);
      expect(errors.splice(0)).toEqual([]);
    } finally {
      await panel.page.close();
    }
  }
  const text = (panel: PanelPage, selector: string) => panel.page.locator(selector).first().textContent();
  const visible = (panel: PanelPage) => panel.page.locator('.actions button:visible').allTextContents();
  const running = { type: 'history' as const, history: history(700) };

  it('says that it listens, and shows the run before it exists', () =>
    withPanel({}, async panel => {
      expect(await panel.said()).toEqual([{ type: 'ready' }]);
      await panel.post({ type: 'starting', name: 'digits', source: 'examples/first.strata' });
      expect(await text(panel, 'h1')).toBe('digits');
      expect(await text(panel, '[role=status]')).toBe('Starting');
      expect(await panel.page.locator('[data-chart=loss] .plot').getAttribute('data-empty')).toMatch(/Waiting/);
      expect(await panel.page.locator('.problem').isVisible()).toBe(false);
    }));

  it('shows a history and goes on with the stream', () =>
    withPanel({}, async panel => {
      await panel.post(running);
      expect(await text(panel, '[data-tile=epoch] .value')).toBe('6 / 10');
      expect(await panel.page.locator('.epochs tbody tr').count()).toBe(5);
      await panel.post({ type: 'events', summary: { ...summary, step: 760 }, events: stretch(701, 760) });
      expect(await text(panel, '[data-tile=epoch] .value')).toBe('7 / 10');
      expect(await panel.page.locator('[data-chart]').count()).toBe(2);
      const label = await panel.page.locator('[data-chart=loss] .plot').getAttribute('aria-label');
      expect(label).toMatch(/training loss \S+ at step 1, \S+ at step 760; validation loss/);
      expect(await text(panel, '#announcer')).toMatch(/^Epoch 6: loss 0\.\d+, accuracy/);
      expect(await panel.saved()).toMatchObject({ folder: summary.folder });
    }));

  it('has no switch for a curve that a run without validation never gets', () =>
    withPanel({}, async panel => {
      const entries = () => panel.page.locator('[data-chart=loss] .entry:visible').allTextContents();
      await panel.post({ type: 'events', summary, events: [start, ...stretch(1, 20)] });
      expect((await entries()).map(entry => entry.replace(/[\d.–]+$/, ''))).toEqual(['Training', 'Validation']);
      await panel.post({ type: 'history', history: { ...history(20), events: [{ ...start, validationSamples: 0 }] } });
      await expect.poll(async () => (await entries()).length).toBe(1);
    }));

  it('shows the tables of a run that has ended', () =>
    withPanel({}, async panel => {
      await panel.post(running);
      expect(await panel.page.locator('.matrices').isVisible()).toBe(false);
      const tables = {
        'test.confusion': [
          [0.3, 0.1],
          [0, 0.6],
        ],
      };
      const done = {
        type: 'done',
        reason: 'finished',
        step: 700,
        epoch: 6,
        stepsPerSecond: 9,
        device: 'cpu',
        metrics: {},
        tables,
        classes: { confusion: ['setosa', 'a name that is far too long for a column'] },
        time: began,
      } as const;
      await panel.post({ type: 'events', summary, events: [done] });
      expect(await panel.page.locator('.matrices td').allTextContents()).toEqual(['75.0', '25.0', '0.0', '100.0']);
      expect(await text(panel, '.matrices caption')).toContain('Confusion of test');
      const names = ['setosa', 'a name that is far too long for a column'];
      expect(await panel.page.locator('.matrices th').allTextContents()).toEqual(['Target', ...names, ...names]);
      const [short, long] = await panel.page
        .locator('.matrices th[scope=row]')
        .evaluateAll(cells => cells.map(cell => [cell.clientWidth < cell.scrollWidth, cell.getAttribute('title')]));
      expect([short, long]).toEqual([
        [false, names[0]],
        [true, names[1]],
      ]);
    }));

  it('offers what the state allows, and sends it once', () =>
    withPanel({}, async panel => {
      await panel.post(running);
      expect(await visible(panel)).toEqual(['Pause', 'Stop']);
      await panel.page.getByRole('button', { name: 'Pause' }).click();
      expect(await panel.page.getByRole('button', { name: 'Pause' }).isDisabled()).toBe(true);
      expect(await panel.said()).toContainEqual({ type: 'command', command: 'pause' });
      await panel.post({
        type: 'events',
        summary: { ...summary, state: 'paused' },
        events: [{ type: 'state', state: 'paused', step: 700, time: began + 2800 }],
      });
      expect(await visible(panel)).toEqual(['Continue', 'Stop']);
      await panel.post({ type: 'events', summary: { ...summary, state: 'stopped', resumable: true }, events: [] });
      expect(await visible(panel)).toEqual(['Resume']);
      expect(await text(panel, '[role=status]')).toBe('Stopped');
    }));

  it('explains a failure: code, message, remedy', () =>
    withPanel({}, async panel => {
      const error = { code: 'data-missing', message: 'data/train.gz: no such file' };
      await panel.post({ type: 'problem', ...error });
      const card = panel.page.getByRole('alert');
      expect(await card.locator('code').textContent()).toBe('data-missing');
      expect(await card.locator('.message').textContent()).toBe('Data/train.gz: no such file.');
      expect(await card.locator('.remedy').textContent()).toMatch(/train again/);
      await card.getByRole('button', { name: 'Show log' }).click();
      expect(await panel.said()).toContainEqual({ type: 'show', what: 'log' });
    }));

  it('shows samples as they come, and those of any epoch', () =>
    withPanel({}, async panel => {
      const png = `data:image/png;base64,${Buffer.from(encodePng({ width: 2, height: 2, channels: 1, data: new Uint8Array(4) })).toString('base64')}`;
      const told = [1, 2].map(epoch => samplesEvent(epoch));
      await panel.post({ type: 'history', history: history(250, {}, told) });
      const wanted = { type: 'sample', path: told[1]!.paths[0]! } as const;
      expect(await panel.said()).toContainEqual(wanted);
      expect(await panel.said()).not.toContainEqual({ ...wanted, path: told[0]!.paths[0] });
      await panel.post({ ...wanted, content: png });
      const image = panel.page.getByRole('img', { name: 'fake after epoch 2: 16 images' });
      expect(await image.getAttribute('src')).toBe(png);

      const slider = panel.page.getByRole('slider', { name: 'Epoch of the samples' });
      expect(await slider.getAttribute('aria-valuetext')).toBe('epoch 2');
      await slider.press('ArrowLeft');
      expect(await panel.saved()).toMatchObject({ epoch: 1 });
      await panel.post({ type: 'sample', path: told[0]!.paths[0]!, content: null });
      expect(await text(panel, '[data-sample=fake] .empty')).toBe('The file is gone.');

      await slider.press('ArrowRight');
      const texts = { name: 'logits', kind: 'text', items: 1, paths: ['samples/epoch-3-logits.json'] } as const;
      await panel.post({ type: 'events', summary, events: [samplesEvent(3, texts)] });
      await panel.post({ type: 'sample', path: texts.paths[0], content: '{"items":["<b>The light</b>"]}' });
      expect(await text(panel, '[data-sample=logits] pre')).toBe('<b>The light</b>');
      expect(await panel.page.locator('[data-sample=fake]').count()).toBe(0);
    }));

  it('comes back to the epoch that was looked at', () =>
    withPanel({ saved: { folder: summary.folder, epoch: 1 } }, async panel => {
      const numbers = { kind: 'numbers', paths: ['samples/epoch-1-fake.json'] } as const;
      await panel.post({ type: 'history', history: history(250, {}, [samplesEvent(1, numbers), samplesEvent(2)]) });
      expect(await text(panel, '.samples output')).toBe('epoch 1');
      const content = '{"items":[{"shape":[2],"numbers":[1,"NaN"]}]}';
      await panel.post({ type: 'sample', path: numbers.paths[0], content });
      expect(await panel.page.locator('[data-sample=fake] td').allTextContents()).toEqual(['1.0000', 'NaN']);
    }));

  it('takes text from files as text', () =>
    withPanel({}, async panel => {
      const name = '<img src=x onerror="window.hacked = true">';
      await panel.post({ type: 'history', history: history(10, { name, source: name }) });
      expect(await text(panel, 'h1')).toBe(name);
      expect(await panel.page.locator('img').count()).toBe(0);
    }));

  it('keeps the choices of scale and curves over a reload', () =>
    withPanel({ saved: { folder: summary.folder, log: true, smoothing: 0, hidden: ['validation'] } }, async panel => {
      await panel.post(running);
      expect(await panel.page.locator('[data-toggle=log]').getAttribute('aria-pressed')).toBe('true');
      expect(await panel.page.locator('#smoothing').inputValue()).toBe('0');
      const validation = panel.page.locator('[data-chart=loss] [data-series=validation]');
      expect(await validation.getAttribute('aria-pressed')).toBe('false');
      await validation.click();
      expect(await panel.saved()).toMatchObject({ folder: summary.folder, log: true, hidden: [] });
    }));

  it('makes the rows of the epochs as they come, the newest 500', () =>
    withPanel({}, async panel => {
      const body = panel.page.locator('.epochs tbody');
      const rows = () => body.locator('tr').allTextContents();
      const marked = () => body.locator('.is-best th').allTextContents();
      await panel.post({ type: 'history', history: history(375) });
      const first = await body.locator('tr').last().elementHandle();
      await panel.post({ type: 'events', summary, events: [epochEvent(4), epochEvent(5)] });
      expect(await body.locator('th').allTextContents()).toEqual(['5best', '4', '3', '2', '1']);
      // The one that was there is still the same element.
      expect(await first?.evaluate(row => row.isConnected)).toBe(true);
      const grown = await rows();
      await panel.post({ type: 'history', history: history(625) });
      expect(await rows()).toEqual(grown);
      const rising = { ...epochEvent(6), validation: { loss: 9, accuracy: 0.1 } };
      await panel.post({ type: 'events', summary, events: [rising] });
      expect(await marked()).toEqual(['5best']);
      // Back to a checkpoint, and on from there.
      await panel.post({ type: 'events', summary, events: [{ ...start, fromStep: 250 }, epochEvent(3)] });
      expect(await body.locator('th').allTextContents()).toEqual(['3best', '2', '1']);
      await panel.post({ type: 'history', history: history(125 * 1200) });
      expect(await body.locator('tr').count()).toBe(500);
      expect(await body.locator('th').first().textContent()).toBe('1200');
      expect(await text(panel, '.epochs summary')).toBe('Epochs, the newest 500 of 1,200');
    }));

  it('speaks the language of its texts, and has room for long ones', () => {
    const chinese = JSON.parse(readFileSync('l10n/bundle.l10n.zh-cn.json', 'utf8')) as Record<string, string>;
    // Longer by two fifths, as German is; brackets show what was not asked for by `t`.
    const long = (text: string) => `[${text}${'~'.repeat(Math.ceil(0.4 * text.length))}]`;
    const texts = Object.fromEntries(Object.keys(chinese).map(text => [text, long(text)]));
    return withPanel({ texts, width: 480 }, async panel => {
      await panel.post(running);
      const all =
        '.tile dt, .state, .action:visible, .toggle, .entry span:nth-child(2), .epochs summary, .controls label';
      const plain = (await panel.page.locator(all).allInnerTexts()).filter(text => !/^\s*\[.*~\]/.test(text));
      // The name of a metric is the program's.
      expect(plain).toEqual(['Accuracy']);
      const overflow = await panel.page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      expect(overflow).toBeLessThanOrEqual(0);
    });
  });

  it('is read with the keyboard alone', () =>
    withPanel({}, async panel => {
      await panel.post(running);
      await panel.page.locator('[data-chart=loss] .plot').focus();
      await panel.page.keyboard.press('End');
      await panel.page.keyboard.press('ArrowLeft');
      const tip = panel.page.locator('[data-chart=loss] .tooltip');
      expect(await tip.isVisible()).toBe(true);
      expect(await tip.locator('.head').textContent()).toBe('Step 699 · epoch 6');
      await panel.page.keyboard.press('Escape');
      expect(await tip.isVisible()).toBe(false);
    }));

  it.each([320, 480, 720, 1000, 1600])('fits a width of %i', width =>
    withPanel({ width }, async panel => {
      await panel.post(running);
      const overflow = await panel.page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      expect(overflow).toBeLessThanOrEqual(0);
      const columns = await panel.page.locator('.tiles').evaluate(grid => getComputedStyle(grid).gridTemplateColumns);
      expect(8 % columns.split(' ').length).toBe(0);
    }),
  );

  it('recolours its curves when the theme changes', () =>
    withPanel({ theme: 'dark' }, async panel => {
      await panel.post(running);
      const hasColour = (colour: readonly number[]) =>
        panel.page.locator('[data-chart=loss] canvas').evaluate((canvas, wanted) => {
          const { width, height } = canvas as HTMLCanvasElement;
          const { data } = (canvas as HTMLCanvasElement).getContext('2d')!.getImageData(0, 0, width, height);
          for (let at = 0; at < data.length; at += 4) {
            if (wanted.every((part, index) => Math.abs(data[at + index]! - part) < 6)) return true;
          }
          return false;
        }, colour);
      expect(await hasColour([0x59, 0xa4, 0xf9])).toBe(true);
      await panel.theme('light');
      await panel.page.evaluate(
        () => new Promise(resolve => requestAnimationFrame(() => requestAnimationFrame(resolve))),
      );
      await expect.poll(() => hasColour([0x1a, 0x85, 0xff])).toBe(true);
      expect(await hasColour([0x59, 0xa4, 0xf9])).toBe(false);
    }));

  it('draws 100,000 steps in a fraction of a second, and goes on with the stream', () =>
    withPanel({}, async panel => {
      const many = Array.from({ length: 100_000 }, (_, index) => stepEvent(index + 1));
      await panel.post({ type: 'events', summary, events: [{ ...start, steps: 200_000 }, ...many, epochEvent(1)] });
      const times: number[] = [];
      for (let batch = 0; batch < 10; batch++) {
        const events = Array.from({ length: 50 }, (_, index) => stepEvent(100_001 + 50 * batch + index));
        const from = performance.now();
        await panel.post({ type: 'events', summary, events });
        times.push(performance.now() - from);
      }
      const median = times.sort((a, b) => a - b)[5]!;
      console.log(`50 more steps after 100,000 are drawn within ${median.toFixed(0)} ms`);
      expect(await panel.page.locator('[data-chart=loss] .plot').getAttribute('aria-label')).toMatch(/at step 100500/);
      expect(median).toBeLessThan(1000);
    }));
});
