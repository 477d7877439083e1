import { selectorMatches } from '#domain/event/event-type.ts';
import type { TailItem, TailKind } from './tail-items.ts';

/** The items that a reader of the tail gets. */
export interface TailSelection {
  kind: TailKind;
  /** Items of this life of a tenant; absent: of the current lives of all tenants. */
  lifeId?: string;
  /** Selectors of the event types that the caller sees; absent: all. */
  visibleTypes?: readonly string[] | undefined;
  /** By field: the values of which an item must have one. */
  filters: Readonly<Record<string, readonly unknown[]>>;
}

/** Equal for selections of the same items, so that their readers share one text. */
export function selectionKey({ kind, lifeId, visibleTypes, filters }: TailSelection): string {
  const fields = Object.entries(filters)
    .map(([name, values]) => [name, values.map(String).toSorted()] as const)
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([kind, lifeId ?? null, visibleTypes?.toSorted() ?? null, fields]);
}

/** Whether a selection has an item. The life of an item for all tenants is checked before. */
export function selects(selection: TailSelection, item: TailItem): boolean {
  const { kind, lifeId, visibleTypes, filters } = selection;
  if (item.kind !== kind || (lifeId !== undefined && item.lifeId !== lifeId)) return false;
  if (visibleTypes?.some((selector) => selectorMatches(selector, item.eventType)) === false) {
    return false;
  }
  for (const name in filters) {
    if (filters[name]?.includes(item.field(name)) === false) return false;
  }
  return true;
}
