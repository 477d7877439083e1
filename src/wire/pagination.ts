/**
 * Pages of a list (CT-5): an opaque cursor says after which item the next page begins. It holds the values
 * that the list is sorted by, so items that come or go do not shift the pages.
 */
import { PosthornError } from '#domain/errors.ts';
import { limits } from '#domain/limits.ts';

/** What a list is sorted by, and of which types: a cursor of one list is refused by another. */
export interface PageSort {
  name: string;
  fields: readonly ('string' | 'number')[];
}

/** The last millisecond that a date can be (ECMAScript, time values); more than any stream will count to. */
const TIME_MAX = 8.64e15;

export type CursorPosition = readonly (string | number)[];

export interface Page<T> {
  data: T[];
  /** Absent items are on later pages where this is not null. */
  next_cursor: string | null;
}

/** The cursor behind a position of a list; opaque to clients. */
export function encodeCursor(sort: PageSort, position: CursorPosition): string {
  return Buffer.from(JSON.stringify([sort.name, ...position])).toString('base64url');
}

/** @throws PosthornError POSTHORN_CURSOR_INVALID where it is not a cursor of that list */
export function decodeCursor(sort: PageSort, cursor: string): CursorPosition {
  const parts = parseCursor(cursor);
  const [name, ...position] = parts;
  const fits =
    name === sort.name &&
    position.length === sort.fields.length &&
    position.every((value, i) => typeof value === sort.fields[i] && isPosition(value));
  if (!fits) throw invalid();
  const values = position as (string | number)[];
  // One position has one cursor: what decodes by luck is refused.
  if (encodeCursor(sort, values) !== cursor) throw invalid();
  return values;
}

/** The numbers that lists are sorted by are times and sequences; `NaN` and infinities cannot stand in JSON. */
function isPosition(value: unknown): boolean {
  return typeof value !== 'number' || (Number.isSafeInteger(value) && Math.abs(value) <= TIME_MAX);
}

function parseCursor(cursor: string): unknown[] {
  if (cursor.length > limits.cursorLengthMax || !/^[A-Za-z0-9_-]+$/.test(cursor)) throw invalid();
  try {
    const value: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    if (Array.isArray(value)) return value;
  } catch {
    // Falls through to the one refusal.
  }
  throw invalid();
}

function invalid(): PosthornError {
  return new PosthornError('POSTHORN_CURSOR_INVALID', {
    detail: 'the cursor was not made by this list; leave it out to begin anew',
    fields: [{ pointer: '#query/cursor', detail: 'is not a cursor of this list' }],
  });
}

/** The page out of up to `limit + 1` items: the one too many says that there is a next page. */
export function toPage<D, T>(
  items: D[],
  limit: number,
  sort: PageSort,
  positionOf: (item: D) => CursorPosition,
  show: (item: D) => T,
): Page<T> {
  const shown = items.slice(0, limit);
  const last = shown.at(-1);
  const more = items.length > limit && last !== undefined;
  return {
    data: shown.map((item) => show(item)),
    next_cursor: more ? encodeCursor(sort, positionOf(last)) : null,
  };
}
