/** Training through VS Code's own commands. */
import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import { activated, eventually, workspaceFile } from './support.ts';

async function lensesOf(uri: vscode.Uri): Promise<vscode.Command[]> {
  const lenses = await vscode.commands.executeCommand<vscode.CodeLens[]>('vscode.executeCodeLensProvider', uri, 100);
  return lenses.flatMap(lens => lens.command ?? []);
}

/** The whole lines of the log; its last may still be being written. Empty before there is a log. */
async function eventsOf(folder: string): Promise<{ type: string; [key: string]: unknown }[]> {
  const log = vscode.Uri.joinPath(vscode.Uri.file(folder), 'metrics.jsonl');
  try {
    const text = new TextDecoder().decode(await vscode.workspace.fs.readFile(log));
    return text
      .split('\n')
      .slice(0, -1)
      .map(line => JSON.parse(line));
  } catch {
    return [];
  }
}

function isPanelOpen(): boolean {
  const tabs = vscode.window.tabGroups.all.flatMap(group => group.tabs);
  return tabs.some(tab => tab.input instanceof vscode.TabInputWebview && tab.input.viewType.includes('strata.run'));
}

describe('training', () => {
  it('is offered above the train block, and writes a run with falling loss', async () => {
    await activated();
    const uri = workspaceFile('short.strata');
    await vscode.window.showTextDocument(uri);
    const lens = await eventually(
      async () => (await lensesOf(uri)).find(command => command.command === 'strata.train'),
      'Train lens',
    );
    const folder = await vscode.commands.executeCommand<string>('strata.train', ...(lens.arguments ?? []));
    assert(folder, 'the run was started');
    // Tabs are told to extensions a little later than they open.
    await eventually(() => isPanelOpen() || undefined, 'panel');
    const events = await eventually(async () => {
      const all = await eventsOf(folder);
      return all.some(event => event.type === 'done') ? all : undefined;
    }, 'end of the run');
    const losses = events.filter(event => event.type === 'step').map(event => event.loss as number);
    assert.equal(events.at(-1)?.reason, 'finished');
    assert(losses.at(-1)! < losses[0]! / 2, `${losses[0]} to ${losses.at(-1)}`);
  });

  it('stops when told to', async () => {
    await activated();
    const uri = workspaceFile('endless.strata');
    await vscode.window.showTextDocument(uri);
    const folder = await vscode.commands.executeCommand<string>('strata.train', { uri: String(uri) });
    assert(folder);
    await eventually(
      async () => ((await eventsOf(folder)).some(event => event.type === 'step') ? true : undefined),
      'first step',
    );
    await vscode.commands.executeCommand('strata.stop', { folder });
    const done = await eventually(async () => (await eventsOf(folder)).find(event => event.type === 'done'), 'done');
    assert.equal(done.reason, 'stopped');
  });
});
