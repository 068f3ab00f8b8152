/** The tiles' elements. */
import './tileGrid.css';
import { tiles } from './describe.ts';
import { element, setText } from './dom.ts';
import type { RunStore } from './store.ts';

export interface TileGrid {
  readonly root: HTMLElement;
  update(store: RunStore, now: number): void;
}

export function tileGrid(): TileGrid {
  const root = element('dl', { class: 'tiles' });
  const cells = new Map<string, { label: HTMLElement; value: HTMLElement; detail: HTMLElement }>();
  return {
    root,
    update(store, now) {
      for (const tile of tiles(store, now)) {
        let cell = cells.get(tile.id);
        if (!cell) {
          cell = {
            label: element('dt'),
            value: element('dd', { class: 'value' }),
            detail: element('dd', { class: 'detail' }),
          };
          cells.set(tile.id, cell);
          root.append(element('div', { class: 'tile', 'data-tile': tile.id }, cell.label, cell.value, cell.detail));
        }
        setText(cell.label, tile.label);
        setText(cell.value, tile.value);
        setText(cell.detail, tile.detail);
        cell.detail.title = tile.detail;
      }
    },
  };
}
