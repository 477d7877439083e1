import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isPosthornError } from '#domain/errors.ts';
import { boundList, encodeCursor } from '#wire/pagination.ts';
import { afterCursor, positionOf, timeOrder, timeSort } from '#src/control/history/time-order.ts';
import { queryRange, timeRange } from '#src/control/history/time-range.ts';
import { afterId, idOrder } from '#src/control/resources/id-order.ts';
import { anyOf } from '#infra/mongo/any-of.ts';

test('the order of a list decides the sort and the side of the cursor', () => {
  const list = boundList(timeSort('x'), 'acme', { order: 'newest' });
  const cursor = encodeCursor(list, [5, 'b']);
  const at = new Date(5);
  assert.deepEqual(timeOrder('at', 'newest'), { at: -1, _id: -1 });
  assert.deepEqual(timeOrder('at', 'oldest'), { at: 1, _id: 1 });
  assert.deepEqual(positionOf({ accepted_at: at, _id: 'b' }), [5, 'b']);
  assert.deepEqual(afterCursor(list, { order: 'newest' }), []);
  assert.deepEqual(afterCursor(list, { order: 'newest', cursor }, 'at'), [
    { at: { $lte: at } },
    { $nor: [{ at, _id: { $gte: 'b' } }] },
  ]);
  assert.deepEqual(afterCursor(list, { order: 'oldest', cursor }, 'at'), [
    { at: { $gte: at } },
    { $nor: [{ at, _id: { $lte: 'b' } }] },
  ]);
});

test('the order by id has the cursor on the side of later items', () => {
  const list = boundList({ name: 'x', fields: ['string'] }, '', {});
  const cursor = encodeCursor(list, ['b']);
  assert.deepEqual(idOrder('newest'), { _id: -1 });
  assert.deepEqual(idOrder('oldest', 'id'), { id: 1 });
  assert.deepEqual(afterId(list, { order: 'oldest' }), {});
  assert.deepEqual(afterId(list, { order: 'oldest', cursor }), { _id: { $gt: 'b' } });
  assert.deepEqual(afterId(list, { order: 'newest', cursor }, 'id'), { id: { $lt: 'b' } });
});

test('a range of times is half-open, and names the field with a time that does not exist', () => {
  assert.equal(queryRange({}, 'at'), undefined);
  const query = { 'at[gte]': '2026-01-01T00:00:00Z', 'at[lt]': '2026-02-01T00:00:00Z' };
  const [gte, lt] = [new Date('2026-01-01T00:00:00Z'), new Date('2026-02-01T00:00:00Z')];
  assert.deepEqual(queryRange(query, 'at'), { $gte: gte, $lt: lt });
  const pointers = (make: () => unknown): string[] => {
    try {
      make();
      return [];
    } catch (error) {
      assert.ok(isPosthornError(error));
      return error.fields.map(({ pointer }) => pointer);
    }
  };
  const missing = '2026-02-30T00:00:60Z';
  assert.deepEqual(
    pointers(() => queryRange({ 'at[lt]': missing }, 'at')),
    ['#query/at[lt]'],
  );
  assert.deepEqual(
    pointers(() => timeRange({ gte: missing, lt: missing }, (bound) => `/at/${bound}`)),
    ['/at/gte', '/at/lt'],
  );
});

test('a filter without values selects everything, and several values any of them', () => {
  assert.deepEqual(anyOf('a', undefined), {});
  assert.deepEqual(anyOf('a', [1]), { a: 1 });
  assert.deepEqual(anyOf('a', [1, 2]), { a: { $in: [1, 2] } });
});
