/** The border between the page and its host: what is let through, and the page's policy. */
import { describe, expect, it } from 'vitest';
import { page } from '../../client/panel/html.ts';
import {
  parseFromPanel,
  parseRunMessage,
  parseSampleItems,
  parseSaved,
  parseToPanel,
} from '../../client/panel/messages.ts';
import { history, samplesEvent, start, stretch, summary } from './runs.ts';

const overTheWire = (message: unknown): unknown => JSON.parse(JSON.stringify(message));

describe('messages', () => {
  it('let histories and events through unchanged', () => {
    const told = { type: 'history', history: history(130) };
    expect(parseToPanel(overTheWire(told))).toEqual(told);
    const events = { type: 'events', summary, events: [start, ...stretch(1, 130)] };
    expect(parseToPanel(overTheWire(events))).toEqual(events);
    expect(parseRunMessage(overTheWire({ summary, events: events.events }))).toEqual({
      summary,
      events: events.events,
    });
  });

  it('let samples through, and no path but theirs', () => {
    const of = (path: string) => ({ type: 'events', summary, events: [samplesEvent(1, { paths: [path] })] });
    expect(parseToPanel(overTheWire(of('samples/epoch-1-fake.png')))).toEqual(of('samples/epoch-1-fake.png'));
    for (const path of ['../secret.png', 'samples/../../x.png', '/etc/passwd', 'samples/a.html', 'samples/a/b.png']) {
      expect(parseToPanel(overTheWire(of(path)))).toBeUndefined();
      expect(parseFromPanel({ type: 'sample', path })).toBeUndefined();
    }
    expect(parseSampleItems('{"items":["text",{"shape":[2],"numbers":[1,"NaN"]}]}')).toHaveLength(2);
    for (const damaged of ['', '{}', '{"items":[{"shape":"x"}]}']) expect(parseSampleItems(damaged)).toEqual([]);
  });

  it('restore NaN, which JSON writes as null', () => {
    const [step] = stretch(1, 1);
    const parsed = parseRunMessage(overTheWire({ summary, events: [{ ...step, loss: Number.NaN }] }));
    expect(parsed?.events[0]).toMatchObject({ loss: Number.NaN });
  });

  it.each([
    [{ type: 'command', command: 'rm' }],
    [{ type: 'command' }],
    [{ type: 'show', what: 'https://example.org' }],
    ['ready'],
    [null],
    [{ type: '__proto__' }],
  ])('of the page that are not ours are dropped: %j', message => expect(parseFromPanel(message)).toBeUndefined());

  it('of others in the page are dropped', () => {
    expect(parseToPanel({ type: 'history', history: { summary: {}, events: [] } })).toBeUndefined();
    expect(parseToPanel({ vscodeSomething: 1 })).toBeUndefined();
  });

  it('an unreadable saved state counts as none', () => {
    expect(parseSaved({ folder: 3 })).toEqual({});
    expect(parseSaved(undefined)).toEqual({});
    expect(parseSaved({ folder: '/w/.strata/runs/a', log: true })).toEqual({ folder: '/w/.strata/runs/a', log: true });
  });
});

const parts = { script: 'https://x/panel.js', style: 'https://x/panel.css', source: 'https://x', nonce: 'abc' };

it('the page allows its own script and style alone', () => {
  const html = page({ ...parts, language: 'en', texts: {} });
  expect(html).toContain(
    `default-src 'none'; script-src 'nonce-abc'; style-src https://x; img-src data:; media-src data:"`,
  );
  expect(html.match(/<script/g)).toHaveLength(1);
  expect(html).not.toMatch(/<style|style="|onclick|unsafe/);
});

it('texts stay data, whatever is in them', () => {
  const html = page({ ...parts, language: 'zh-cn"><script>', texts: { Stop: '"><script>alert(1)</script>&' } });
  expect(html.match(/<script/g)).toHaveLength(1);
  expect(html).toContain('data-texts="{&quot;Stop&quot;:&quot;\\&quot;>&lt;script>alert(1)&lt;/script>&amp;&quot;}"');
});
