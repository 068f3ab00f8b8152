// Licences of what is bundled: gathered from the packages that the bundles were made of, and refused where one is not permissive.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const permissive = new Set([
  'MIT',
  'ISC',
  '0BSD',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'CC0-1.0',
  'Unlicense',
]);

/** The text of third-party-notices.txt. `inputs`: paths of all files that went into the bundles. */
export function noticesOf(inputs) {
  const folders = new Set(inputs.flatMap(path => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? []));
  const notices = [...folders].map(noticeOf);
  const unique = new Map(notices.map(notice => [`${notice.name} ${notice.version}`, notice]));
  const parts = [...unique]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([title, { license, text }]) => `${title} (${license})\n\n${text.trim()}\n`);
  return `Strata's bundles contain these packages.\n\n${parts.join(`\n${'-'.repeat(80)}\n\n`)}`;
}

function noticeOf(folder) {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  if (!permissive.has(license))
    throw new Error(`${folder}: expected a permissive licence, found ${license}; take another package`);
  const file = readdirSync(folder).find(each => /^licen[cs]e/i.test(each));
  if (file === undefined) throw new Error(`${folder}: expected a file with its licence, found none`);
  return { name, version, license, text: readFileSync(join(folder, file), 'utf8') };
}
