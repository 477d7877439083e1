/** Positions in a list that is sorted by a time and the id. */
import type { ListOrder } from '#wire/api/page.ts';

export interface Position {
  at: Date;
  id: string;
}

/** The field that a list is sorted by. */
export type TimeField = 'accepted_at' | 'started_at';

/** Returns MongoDB's sort of the list. */
export function sortBy(field: TimeField, order: ListOrder): Record<string, 1 | -1> {
  const direction = order === 'newest' ? -1 : 1;
  return { [field]: direction, _id: direction };
}

/** Builds the conditions for documents behind a position; none if there is no position. */
export function behind(
  field: TimeField,
  order: ListOrder,
  position: Position | undefined,
): object[] {
  if (position === undefined) return [];
  const { at, id } = position;
  const [from, before] = order === 'newest' ? ['$lte', '$gte'] : ['$gte', '$lte'];
  return [{ [field]: { [from]: at } }, except(field, at, { [before]: id })];
}

/** Builds the conditions for documents up to a position, the one there included. */
export function upTo(field: TimeField, order: ListOrder, { at, id }: Position): object[] {
  const [from, beyond] = order === 'newest' ? ['$gte', '$lt'] : ['$lte', '$gt'];
  return [{ [field]: { [from]: at } }, except(field, at, { [beyond]: id })];
}

/**
 * Excludes some documents of one time. Not as `$or`, for which MongoDB can prefer two scans that it
 * has to sort.
 */
function except(field: TimeField, at: Date, ids: object): object {
  return { $nor: [{ [field]: at, _id: ids }] };
}
