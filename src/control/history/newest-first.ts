import type { CursorPosition, PageSort } from '#wire/pagination.ts';
import { decodeCursor } from '#wire/pagination.ts';

/** Lists of the history are sorted by the time of acceptance, newest first; the id breaks ties. */
export const newestFirst = { accepted_at: -1, _id: -1 } as const;

/** The order of a list by time of acceptance and id. `name`: of the list, so that no cursor is taken for another's. */
export function newestFirstSort(name: string): PageSort {
  return { name, fields: ['number', 'string'] };
}

/** Where a document stands in that order. */
export function positionOf(document: { accepted_at: Date; _id: string }): CursorPosition {
  return [document.accepted_at.getTime(), document._id];
}

/** The condition that leaves what comes after the cursor; nothing where there is none. */
export function afterCursor(sort: PageSort, cursor: string | undefined): object[] {
  if (cursor === undefined) return [];
  const [time, id] = decodeCursor(sort, cursor) as [number, string];
  const at = new Date(time);
  // The first part lets the index go straight to the place.
  return [
    { accepted_at: { $lte: at } },
    { $or: [{ accepted_at: { $lt: at } }, { _id: { $lt: id } }] },
  ];
}
