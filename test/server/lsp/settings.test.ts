/** Whatever a client sends as settings, the server has sane ones. */
import { describe, expect, it } from 'vitest';
import { defaultSettings, readSettings } from '../../../server/lsp/settings.ts';

describe('readSettings', () => {
  it.each([undefined, null, 3, 'x', [], { inlayHints: 7, device: 'tpu', runtime: 3, trusted: 'yes' }])(
    'keeps the defaults for %j',
    value => {
      expect(readSettings(value, defaultSettings)).toEqual(defaultSettings);
    },
  );

  it('takes what is given and leaves the rest', () => {
    const settings = readSettings(
      { inlayHints: { counts: false }, device: 'cpu', runtime: '/node', trusted: false },
      defaultSettings,
    );
    expect(settings).toEqual({
      ...defaultSettings,
      inlayHints: { ...defaultSettings.inlayHints, counts: false },
      device: 'cpu',
      runtime: '/node',
      trusted: false,
    });
  });

  it('takes an empty runtime as none', () => {
    expect(readSettings({ runtime: '' }, { ...defaultSettings, runtime: '/node' }).runtime).toBeUndefined();
  });
});
