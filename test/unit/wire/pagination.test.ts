import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isPosthornError } from '#domain/errors.ts';
import {
  type BoundList,
  boundList,
  decodeCursor,
  encodeCursor,
  type PageSort,
  toPage,
} from '#wire/pagination.ts';

const sort: PageSort = { name: 'events', fields: ['number', 'string'] };
const list = boundList(sort, 'acme', { order: 'newest' });

function refused(cursor: string, by: BoundList = list): boolean {
  try {
    decodeCursor(by, cursor);
    return false;
  } catch (error) {
    assert.ok(isPosthornError(error) && error.code === 'POSTHORN_CURSOR_INVALID');
    return true;
  }
}

test('a cursor returns its position, whichever values it contains', () => {
  fc.assert(
    fc.property(fc.integer(), fc.string({ unit: 'grapheme', maxLength: 200 }), (time, id) => {
      const position = [time, id];
      assert.deepEqual(decodeCursor(list, encodeCursor(list, position)), position);
    }),
  );
});

test('rejects cursors of other lists', () => {
  const good = encodeCursor(list, [1, 'a']);
  assert.ok(!refused(good));
  assert.ok(refused(good, { ...list, name: 'deliveries' }));
  assert.ok(refused(good, { ...list, fields: ['string', 'string'] }));
  assert.ok(refused(good, { ...list, fields: ['number'] }));
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  for (const value of [
    null,
    {},
    [],
    ['events'],
    ['events', list.binding],
    ['events', list.binding, 1],
    ['events', list.binding, '1', 'a'],
    ['events', list.binding, 1, 'a', 2],
    ['events', list.binding, 1, { $gt: '' }],
    ['events', list.binding, null, 'a'],
    // No time, and no sequence either.
    ['events', list.binding, 1e300, 'a'],
    ['events', list.binding, -8.64e15 - 2, 'a'],
    ['events', list.binding, 1.5, 'a'],
  ]) {
    assert.ok(refused(encode(value)), JSON.stringify(value));
  }
  const spaced = Buffer.from(`["events", "${list.binding}", 1, "a"]`).toString('base64url');
  for (const cursor of ['', 'a', '%', `${good}=`, `${good} `, spaced, 'A'.repeat(2000)]) {
    assert.ok(refused(cursor), cursor);
  }
  fc.assert(fc.property(fc.string(), (text) => refused(text)));
});

test('rejects the cursor of another order, filter or tenant', () => {
  const query = { order: 'newest', status: ['failed', 'held'], limit: 10 };
  const cursor = encodeCursor(boundList(sort, 'acme', query), [1, 'a']);
  const fits = (owner: string, other: object) => !refused(cursor, boundList(sort, owner, other));
  assert.ok(fits('acme', { ...query, limit: 20, cursor, include: ['data'] }));
  assert.ok(fits('acme', { ...query, status: ['held', 'failed', 'held'] }));
  assert.ok(fits('acme', { ...query, 'accepted_at[gte]': undefined }));
  assert.ok(!fits('acme', { ...query, order: 'oldest' }));
  assert.ok(!fits('acme', { ...query, status: ['failed'] }));
  assert.ok(!fits('acme', { order: 'newest' }));
  assert.ok(!fits('acme', { ...query, 'accepted_at[gte]': '2026-01-01T00:00:00Z' }));
  assert.ok(!fits('acme~2', query));
});

test('a page has a next cursor only if there are more items', () => {
  const items = [3, 2, 1];
  const byNumber = boundList({ name: 'n', fields: ['number'] }, '', {});
  const page = (limit: number) =>
    toPage(
      items.slice(0, limit + 1),
      limit,
      byNumber,
      (n) => [n],
      (n) => n * 10,
    );
  assert.deepEqual(page(3), { data: [30, 20, 10], next_cursor: null });
  const first = page(2);
  assert.deepEqual(first.data, [30, 20]);
  assert.deepEqual(decodeCursor(byNumber, first.next_cursor ?? ''), [2]);
});
