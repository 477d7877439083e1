/** Order of lists by id. Generated ids begin with the time, so it is the order of creation. */
import type { ListOrder } from '#wire/api/page.ts';
import { type BoundList, decodeCursor } from '#wire/pagination.ts';

/** Returns the sort of MongoDB by `field`, an id. */
export function idOrder(order: ListOrder, field = '_id'): Record<string, 1 | -1> {
  return { [field]: order === 'newest' ? -1 : 1 };
}

/** Builds the condition for documents after the cursor; empty if there is no cursor. */
export function afterId(
  list: BoundList,
  { cursor, order }: { cursor?: string; order: ListOrder },
  field = '_id',
): object {
  if (cursor === undefined) return {};
  const [id] = decodeCursor(list, cursor);
  return { [field]: { [order === 'newest' ? '$lt' : '$gt']: id } };
}
