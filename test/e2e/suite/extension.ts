/** Activation and the manifest. */
import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import { activated, record } from './support.ts';

interface Manifest {
  readonly contributes: { readonly commands: readonly { readonly command: string }[] };
}

describe('extension', () => {
  it('activates within 100 ms', async () => {
    const began = performance.now();
    await vscode.extensions.getExtension('strata.strata')?.activate();
    record('activation with loading the bundle', performance.now() - began);
    const { activation } = await activated();
    record('activation', activation);
    assert(activation < 100, `took ${activation} ms`);
  });

  it('registers the commands of the manifest, and no others', async () => {
    await activated();
    const manifest = vscode.extensions.getExtension('strata.strata')?.packageJSON as Manifest;
    const contributed = manifest.contributes.commands.map(item => item.command).sort();
    // VS Code itself registers `strata.runs.*` for the view of that name.
    const views = /^strata\.runs\.|^workbench/;
    const registered = (await vscode.commands.getCommands(true)).filter(
      id => id.startsWith('strata.') && !views.test(id),
    );
    assert.deepEqual(registered.sort(), contributed);
  });

  it('copies a report for an issue, without paths', async () => {
    await activated();
    await vscode.commands.executeCommand('strata.copyDiagnostics');
    const report = await vscode.env.clipboard.readText();
    assert.match(report, /^Strata \d/);
    assert.match(report, /Language server: running/);
    assert.doesNotMatch(report, /\/(home|tmp|Users|work)\//);
  });
});
