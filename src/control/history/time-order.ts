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

/** A position in a list that is sorted by a time and the id. */
export interface Position {
  at: Date;
  id: string;
}

/** @throws PosthornError POSTHORN_CURSOR_INVALID */
export function positionAt(list: BoundList, cursor: string): Position {
  const [time, id] = decodeCursor(list, cursor) as [number, string];
  return { at: new Date(time), id };
}

/** Builds the conditions for documents after the cursor; none if there is no cursor. */
export function afterCursor(
  list: BoundList,
  { cursor, order }: TimeOrderedQuery,
  field = 'accepted_at',
): object[] {
  return cursor === undefined ? [] : behind(field, order, positionAt(list, cursor));
}

/** Builds the conditions for documents behind a position; none if there is no position. */
export function behind(field: string, order: ListOrder, position: Position | undefined): object[] {
  if (position === undefined) return [];
  const { at, id } = position;
  // The first condition lets MongoDB seek in the index.
  return order === 'newest'
    ? [{ [field]: { $lte: at } }, except(field, at, { $gte: id })]
    : [{ [field]: { $gte: at } }, except(field, at, { $lte: id })];
}

/** Builds the conditions for documents up to a position, the one there included. */
export function upTo(field: string, order: ListOrder, { at, id }: Position): object[] {
  return order === 'newest'
    ? [{ [field]: { $gte: at } }, except(field, at, { $lt: id })]
    : [{ [field]: { $lte: at } }, except(field, at, { $gt: id })];
}

/**
 * Excludes some documents of one time. Not as `$or`, for which MongoDB can prefer two scans that it
 * has to sort.
 */
function except(field: string, at: Date, ids: object): object {
  return { $nor: [{ [field]: at, _id: ids }] };
}
