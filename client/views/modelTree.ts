/** The view of the model: the layers of the file in front with shapes, weights and operations. */
import * as vscode from 'vscode';
import type { OutlineBlock, OutlineLayer } from '../../server/lsp/protocol.ts';
import { formatCount, formatShort } from '../format.ts';
import { views } from '../ids.ts';
import type { Server } from '../server.ts';
import type { Sources } from './sources.ts';

type Element =
  | { readonly kind: 'block'; readonly id: string; readonly uri: vscode.Uri; readonly block: OutlineBlock }
  | { readonly kind: 'layer'; readonly id: string; readonly layer: OutlineLayer };

export function createModelTree(server: Server, sources: Sources, log: vscode.LogOutputChannel): vscode.Disposable {
  const refreshed = new vscode.EventEmitter<void>();
  const provider: vscode.TreeDataProvider<Element> = {
    onDidChangeTreeData: refreshed.event,
    getChildren: element => (element === undefined ? blocksOf(server, sources, log) : childrenOf(element)),
    getTreeItem: element => (element.kind === 'block' ? blockItem(element) : layerItem(element)),
  };
  const view = vscode.window.createTreeView(views.model, { treeDataProvider: provider, showCollapseAll: true });
  return vscode.Disposable.from(
    refreshed,
    view,
    sources.onDidChange(() => refreshed.fire()),
    server.onDidChangeState(state => {
      if (state === 'running') refreshed.fire();
    }),
  );
}

async function blocksOf(server: Server, sources: Sources, log: vscode.LogOutputChannel): Promise<Element[]> {
  const document = sources.current();
  if (document === undefined) return [];
  try {
    const blocks = await server.outline(String(document.uri));
    return blocks.map(block => ({ kind: 'block', id: `${document.uri}#${block.train}`, uri: document.uri, block }));
  } catch (error) {
    log.warn(`model: ${error}`);
    return [];
  }
}

/** Paths repeat where a function without weights does, so the place among the siblings is part of the id. */
function childrenOf(element: Element): Element[] {
  const layers = element.kind === 'block' ? element.block.layers : element.layer.children;
  return layers.map((layer, i) => ({ kind: 'layer', id: `${element.id}/${i}:${layer.name}`, layer }));
}

function blockItem({ id, uri, block }: Extract<Element, { kind: 'block' }>): vscode.TreeItem {
  const item = new vscode.TreeItem(block.train, vscode.TreeItemCollapsibleState.Expanded);
  item.id = id;
  item.iconPath = new vscode.ThemeIcon(block.problem === undefined ? 'symbol-event' : 'warning');
  item.description = block.problem ?? weightsText(block.weights);
  item.tooltip = block.problem ?? summary(block.train, block.weights, block.flops);
  item.command = openAt(uri, block.range);
  if (block.layers.length === 0) item.collapsibleState = vscode.TreeItemCollapsibleState.None;
  return item;
}

function layerItem({ id, layer }: Extract<Element, { kind: 'layer' }>): vscode.TreeItem {
  const { Collapsed, None } = vscode.TreeItemCollapsibleState;
  const item = new vscode.TreeItem(layer.name, layer.children.length > 0 ? Collapsed : None);
  item.id = id;
  item.iconPath = new vscode.ThemeIcon(layer.children.length > 0 ? 'symbol-class' : 'symbol-field');
  const kind = layer.kind === '' || layer.kind === layer.name ? [] : [layer.kind];
  const weights = layer.weights === 0 ? [] : [weightsText(layer.weights)];
  // `[]`, the shape of one number, looks like something missing.
  const output = layer.output === '[]' ? [] : [layer.output];
  item.description = [...output, ...kind, ...weights].join(' · ');
  item.tooltip = summary(`${layer.path} ${layer.output}`, layer.weights, layer.flops);
  item.accessibilityInformation = { label: [layer.name, ...output, ...kind, ...weights].join(', ') };
  if (layer.location) item.command = openAt(vscode.Uri.parse(layer.location.uri), layer.location.range);
  return item;
}

function weightsText(weights: number): string {
  return vscode.l10n.t('{0} weights', formatShort(weights));
}

function summary(title: string, weights: number, flops: number): string {
  const counts = vscode.l10n.t('{0} weights, {1} FLOPs a sample', formatCount(weights), formatCount(flops));
  return `${title}\n${counts}`;
}

function openAt(uri: vscode.Uri, { start, end }: OutlineBlock['range']): vscode.Command {
  const selection = new vscode.Range(start.line, start.character, end.line, end.character);
  return { command: 'vscode.open', title: '', arguments: [uri, { selection, preserveFocus: true }] };
}
