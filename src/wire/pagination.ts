/**
 * Pages of a list (CT-5): an opaque cursor marks the item after which the next page begins. It
 * holds the values that the list is sorted by, so new or deleted items do not shift the pages.
 */
import { PosthornError } from '#domain/errors.ts';
import { limits } from '#domain/limits.ts';

/** The sort fields of a list and their types: a list rejects the cursor of another. */
export interface PageSort {
  name: string;
  fields: readonly ('string' | 'number')[];
}

/** The last millisecond of a date (ECMAScript, time values); larger than any sequence. */
const TIME_MAX = 8.64e15;

export type CursorPosition = readonly (string | number)[];

export interface Page<T> {
  data: T[];
  /** Absent items are on later pages if this is not null. */
  next_cursor: string | null;
}

/** The cursor behind a position of a list; opaque to clients. */
export function encodeCursor(sort: PageSort, position: CursorPosition): string {
  return Buffer.from(JSON.stringify([sort.name, ...position])).toString('base64url');
}

/** @throws PosthornError POSTHORN_CURSOR_INVALID if it is not a cursor of that list */
export function decodeCursor(sort: PageSort, cursor: string): CursorPosition {
  const parts = parseCursor(cursor);
  const [name, ...position] = parts;
  const fits =
    name === sort.name &&
    position.length === sort.fields.length &&
    position.every((value, i) => typeof value === sort.fields[i] && isPosition(value));
  if (!fits) throw invalid();
  const values = position as (string | number)[];
  // Each position has exactly one cursor: reject one that only happens to decode.
  if (encodeCursor(sort, values) !== cursor) throw invalid();
  return values;
}

/** Lists are sorted by times and sequences; JSON cannot represent `NaN` and infinities. */
function isPosition(value: unknown): boolean {
  return typeof value !== 'number' || (Number.isSafeInteger(value) && Math.abs(value) <= TIME_MAX);
}

function parseCursor(cursor: string): unknown[] {
  if (cursor.length > limits.cursorLengthMax || !/^[A-Za-z0-9_-]+$/.test(cursor)) throw invalid();
  try {
    const value: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    if (Array.isArray(value)) return value;
  } catch {
    // Continue with the common rejection.
  }
  throw invalid();
}

function invalid(): PosthornError {
  return new PosthornError('POSTHORN_CURSOR_INVALID', {
    detail: 'the cursor was not made by this list; leave it out to start at the first page',
    fields: [{ pointer: '#query/cursor', detail: 'is not a cursor of this list' }],
  });
}

/** Makes the page from up to `limit + 1` items: the extra item shows that a next page exists. */
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
