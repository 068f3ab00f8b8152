/** The manifest and the code name the same things. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { commands, contexts, taskType, views, viewType } from '../../client/ids.ts';
import { serverCommands } from '../../server/lsp/protocol.ts';
import { defaultSettings, readSettings } from '../../server/lsp/settings.ts';
import { strata, temporaryFolder } from '../server/cli/cli.ts';

interface Manifest {
  readonly activationEvents: readonly string[];
  readonly contributes: {
    readonly commands: readonly { readonly command: string; readonly title: string; readonly category: string }[];
    readonly menus: Readonly<Record<string, readonly { readonly command: string; readonly when?: string }[]>>;
    readonly views: Readonly<Record<string, readonly { readonly id: string }[]>>;
    readonly viewsWelcome: readonly { readonly view: string; readonly contents: string }[];
    readonly configuration: { readonly properties: Readonly<Record<string, { readonly default: unknown }>> };
    readonly taskDefinitions: readonly { readonly type: string }[];
    readonly problemMatchers: readonly {
      readonly name: string;
      readonly pattern: readonly (Readonly<Record<string, number>> & { readonly regexp: never })[];
    }[];
    readonly walkthroughs: readonly { readonly steps: readonly { readonly description: string }[] }[];
  };
}
const english = JSON.parse(readFileSync('package.nls.json', 'utf8')) as Readonly<Record<string, string>>;
/** As VS Code reads it: with the English texts in place of their keys. */
const text = readFileSync('package.json', 'utf8').replace(/"%([\w.]+)%"/g, (_, key) => JSON.stringify(english[key]));
const manifest = JSON.parse(text) as Manifest;
const { contributes } = manifest;
const known: readonly string[] = Object.values(commands);
const sorted = (names: readonly string[]) => [...names].sort();

/** The section with `value` at a path within it. */
function merged(
  section: Record<string, unknown>,
  [name, ...rest]: readonly string[],
  value: unknown,
): Record<string, unknown> {
  const inner = (section[name!] ?? {}) as Record<string, unknown>;
  return { ...section, [name!]: rest.length === 0 ? value : merged(inner, rest, value) };
}

describe('the manifest', () => {
  it('contributes the commands that are registered, in one category', () => {
    expect(sorted(contributes.commands.map(c => c.command))).toEqual(sorted(known));
    expect(new Set(contributes.commands.map(c => c.category))).toEqual(new Set(['Strata']));
    expect(known).toEqual(expect.arrayContaining(Object.values(serverCommands)));
  });
  it('names no other command, in menus, links and welcome texts', () => {
    const menus = Object.values(contributes.menus).flatMap(items => items.map(item => item.command));
    const texts = [
      ...contributes.viewsWelcome.map(w => w.contents),
      ...contributes.walkthroughs.flatMap(w => w.steps.map(s => s.description)),
    ];
    const links = texts.flatMap(text => [...text.matchAll(/\(command:(strata[\w.]*)/g)].map(m => m[1]!));
    for (const command of [...menus, ...links]) expect(known).toContain(command);
  });
  it('contributes the views that are made', () => {
    const ids: readonly string[] = Object.values(views);
    expect(sorted(Object.values(contributes.views).flatMap(list => list.map(v => v.id)))).toEqual(sorted(ids));
    const conditions = Object.values(contributes.menus).flatMap(items => items.map(item => item.when ?? ''));
    for (const [, view] of conditions.join(' ').matchAll(/\bview == ([\w.]+)/g)) expect(ids).toContain(view);
    for (const { view } of contributes.viewsWelcome) expect(ids).toContain(view);
  });
  it('asks for no other contexts of its own', () => {
    const asked = [...text.matchAll(/"(?:when|enablement)": "([^"]*)"/g)].flatMap(m => [
      ...m[1]!.matchAll(/\bstrata\.\w+/g),
    ]);
    const ids: readonly string[] = [...Object.values(contexts), ...Object.values(views)];
    for (const [name] of asked) expect(ids).toContain(name);
  });
  it('restores the panel of runs', () => expect(manifest.activationEvents).toContain(`onWebviewPanel:${viewType}`));
  it('has the defaults of the server', () => {
    const section = Object.entries(contributes.configuration.properties).reduce(
      (all, [key, { default: value }]) => merged(all, key.split('.').slice(1), value),
      {},
    );
    expect(readSettings(section, defaultSettings)).toEqual({ ...defaultSettings, device: 'auto' });
  });
  it('reads what `strata check` prints', async () => {
    const { path, remove } = temporaryFolder();
    writeFileSync(join(path, 'a b.strata'), 'model Net(x: [B, 784]) -> [B, 10] {\n  x |> linear(11)\n}\n');
    const { out } = await strata(['check', 'a b.strata'], path);
    remove();
    expect(contributes.taskDefinitions.map(t => t.type)).toEqual([taskType]);
    const [matcher] = contributes.problemMatchers;
    expect(matcher!.name).toBe(taskType);
    const [head, place] = matcher!.pattern.map(p => new RegExp(p.regexp, 'm').exec(out));
    expect(head!.slice(1)).toEqual(['error', 'shape-mismatch', expect.stringContaining('expected [B, 10]')]);
    expect(place!.slice(1)).toEqual(['a b.strata', '2', '8']);
  });
});
