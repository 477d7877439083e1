/**
 * Pages of a list (CT-5): an opaque cursor marks the item after which the next page begins. It
 * holds the values that the list is sorted by, so new or deleted items do not shift the pages. It
 * also holds a digest of the order and the filters, so a cursor continues only its own list.
 */
import { createHash } from 'node:crypto';
import { PosthornError } from '#domain/errors.ts';
import { limits } from '#domain/limits.ts';

/** The sort fields of a list and their types: a list rejects the cursor of another. */
export interface PageSort {
  name: string;
  fields: readonly ('string' | 'number')[];
}

/** The last millisecond of a date (ECMAScript, time values); larger than any sequence. */
const TIME_MAX = 8.64e15;

/** A list with the order and the filters of one request: it rejects cursors of other requests. */
export interface BoundList extends PageSort {
  /** Digest of the tenant's life, the order and the filters. */
  binding: string;
}

/** Query fields that may differ between the pages of one list. */
const UNBOUND: ReadonlySet<string> = new Set(['limit', 'cursor', 'include']);
/** Enough to tell queries apart by accident; a cursor gives no access to anything. */
const BINDING_CHARACTERS = 16;

/**
 * Binds the cursors of a list to what the list shows: every query field but `limit`, `cursor` and
 * `include`. The values of a repeated filter are a set: their order does not count.
 *
 * @param owner life id of the tenant, or another id that the path names; empty for a list of the
 *   platform
 */
export function boundList(sort: PageSort, owner: string, query: object): BoundList {
  const fields = Object.entries(query)
    .filter(([name, value]) => value !== undefined && !UNBOUND.has(name))
    .map(([name, value]): [string, unknown] => [
      name,
      Array.isArray(value) ? [...new Set(value.map(String))].sort(compareTexts) : value,
    ])
    .sort(([one], [other]) => compareTexts(one, other));
  const digest = createHash('sha256')
    .update(JSON.stringify([owner, fields]))
    .digest('base64url');
  return { ...sort, binding: digest.slice(0, BINDING_CHARACTERS) };
}

function compareTexts(one: string, other: string): number {
  return one < other ? -1 : 1;
}

export type CursorPosition = readonly (string | number)[];

export interface Page<T> {
  data: T[];
  /** Absent items are on later pages if this is not null. */
  next_cursor: string | null;
}

/** The cursor behind a position of a list; opaque to clients. */
export function encodeCursor(list: BoundList, position: CursorPosition): string {
  return Buffer.from(JSON.stringify([list.name, list.binding, ...position])).toString('base64url');
}

/**
 * @throws PosthornError POSTHORN_CURSOR_INVALID if it is not a cursor of that list with that order
 *   and those filters
 */
export function decodeCursor(list: BoundList, cursor: string): CursorPosition {
  const parts = parseCursor(cursor);
  const [name, binding, ...position] = parts;
  const fits =
    name === list.name &&
    position.length === list.fields.length &&
    position.every((value, i) => typeof value === list.fields[i] && isPosition(value));
  if (!fits) throw invalid();
  if (binding !== list.binding) {
    throw cursorInvalid('is of this list with another order, other filters or another tenant');
  }
  const values = position as (string | number)[];
  // Each position has exactly one cursor: reject one that only happens to decode.
  if (encodeCursor(list, values) !== cursor) throw invalid();
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
  return cursorInvalid('is not a cursor of this list');
}

/** @param detail the fault of the query field `cursor` */
export function cursorInvalid(detail: string): PosthornError {
  return new PosthornError('POSTHORN_CURSOR_INVALID', {
    detail: `the cursor ${detail}; leave it out to start at the first page`,
    fields: [{ pointer: '#query/cursor', detail }],
  });
}

/** Makes the page from up to `limit + 1` items: the extra item shows that a next page exists. */
export function toPage<D, T>(
  items: D[],
  limit: number,
  list: BoundList,
  positionOf: (item: D) => CursorPosition,
  show: (item: D) => T,
): Page<T> {
  const shown = items.slice(0, limit);
  const last = shown.at(-1);
  const more = items.length > limit && last !== undefined;
  return {
    data: shown.map((item) => show(item)),
    next_cursor: more ? encodeCursor(list, positionOf(last)) : null,
  };
}
