/** Order of lists by a time, newest or oldest first; the id breaks ties. */
import type { ListOrder } from '#wire/api/page.ts';
import {
  type BoundList,
  type CursorPosition,
  decodeCursor,
  type PageSort,
} from '#wire/pagination.ts';

export interface TimeOrderedQuery {
  cursor?: string;
  order: ListOrder;
}

/**
 * Returns the sort order by a time and the id. `name` names the list, so that a cursor of another
 * list is rejected.
 */
export function timeSort(name: string): PageSort {
  return { name, fields: ['number', 'string'] };
}

/** Returns the sort of MongoDB by `field`, a date. */
export function timeOrder(field: string, order: ListOrder): Record<string, 1 | -1> {
  const direction = order === 'newest' ? -1 : 1;
  return { [field]: direction, _id: direction };
}

/** Returns the position of a document of the history in the order by time of acceptance. */
export function positionOf(document: { accepted_at: Date; _id: string }): CursorPosition {
  return [document.accepted_at.getTime(), document._id];
}

/** Builds the condition for documents after the cursor; empty if there is no cursor. */
export function afterCursor(
  list: BoundList,
  { cursor, order }: TimeOrderedQuery,
  field = 'accepted_at',
): object[] {
  if (cursor === undefined) return [];
  const [time, id] = decodeCursor(list, cursor) as [number, string];
  const at = new Date(time);
  const newest = order === 'newest';
  const beyond = newest ? '$lt' : '$gt';
  const from = newest ? '$lte' : '$gte';
  // The first part lets MongoDB seek in the index.
  return [
    { [field]: { [from]: at } },
    { $or: [{ [field]: { [beyond]: at } }, { _id: { [beyond]: id } }] },
  ];
}
