/** The bundles carry the licences of what they are made of, and take in nothing whose licence asks for more than that. */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { noticesOf } from '../notices.mjs';
import { temporaryFolder } from './support/files.ts';

/** A file of an installed package. */
function installed(name: string, license: string | undefined, text?: string): string {
  const folder = `node_modules/${name}`;
  const manifest = { [`${folder}/package.json`]: JSON.stringify({ name, version: '1.0.0', license }) };
  const root = temporaryFolder({ ...manifest, ...(text === undefined ? {} : { [`${folder}/LICENSE.md`]: text }) });
  return join(root, folder, 'lib/index.js');
}

it('names each package once, with its licence, and no file of our own', () => {
  const left = installed('@scope/left', 'MIT', 'Copyright Left');
  const notices = noticesOf(['client/extension.ts', installed('right', 'ISC', 'Copyright Right'), left, left]);
  expect(notices).toBe(
    `Strata's bundles contain these packages.\n\n@scope/left 1.0.0 (MIT)\n\nCopyright Left\n\n${'-'.repeat(80)}\n\nright 1.0.0 (ISC)\n\nCopyright Right\n`,
  );
});

it.each([
  ['copyleft', 'GPL-3.0', 'text', 'expected a permissive licence, found GPL-3.0'],
  ['no licence', undefined, 'text', 'expected a permissive licence, found undefined'],
  ['no text', 'MIT', undefined, 'expected a file with its licence, found none'],
])('refuses %s', (_, license, text, message) => {
  const path = installed('a', license, text);
  expect(() => noticesOf([path])).toThrow(message);
});
