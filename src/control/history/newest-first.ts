import type { CursorPosition, PageSort } from '#wire/pagination.ts';
import { decodeCursor } from '#wire/pagination.ts';

/** Sort order of the history's lists: time of acceptance, newest first; the id breaks ties. */
export const newestFirst = { accepted_at: -1, _id: -1 } as const;

/**
 * Returns the sort order by time of acceptance and id. `name` names the list, so that a cursor of
 * another list is rejected.
 */
export function newestFirstSort(name: string): PageSort {
  return { name, fields: ['number', 'string'] };
}

/** Returns the position of a document in that order. */
export function positionOf(document: { accepted_at: Date; _id: string }): CursorPosition {
  return [document.accepted_at.getTime(), document._id];
}

/** Builds the condition for documents after the cursor; empty if there is no cursor. */
export function afterCursor(sort: PageSort, cursor: string | undefined): object[] {
  if (cursor === undefined) return [];
  const [time, id] = decodeCursor(sort, cursor) as [number, string];
  const at = new Date(time);
  // The first part lets MongoDB seek in the index.
  return [
    { accepted_at: { $lte: at } },
    { $or: [{ accepted_at: { $lt: at } }, { _id: { $lt: id } }] },
  ];
}
