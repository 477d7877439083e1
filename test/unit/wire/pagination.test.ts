import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isPosthornError } from '#domain/errors.ts';
import { decodeCursor, encodeCursor, type PageSort, toPage } from '#wire/pagination.ts';

const sort: PageSort = { name: 'events', fields: ['number', 'string'] };

function refused(cursor: string, by: PageSort = sort): boolean {
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
      assert.deepEqual(decodeCursor(sort, encodeCursor(sort, position)), position);
    }),
  );
});

test('rejects cursors of other lists', () => {
  const good = encodeCursor(sort, [1, 'a']);
  assert.ok(!refused(good));
  assert.ok(refused(good, { ...sort, name: 'deliveries' }));
  assert.ok(refused(good, { ...sort, fields: ['string', 'string'] }));
  assert.ok(refused(good, { ...sort, fields: ['number'] }));
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  for (const value of [
    null,
    {},
    [],
    ['events'],
    ['events', 1],
    ['events', '1', 'a'],
    ['events', 1, 'a', 2],
    ['events', 1, { $gt: '' }],
    ['events', null, 'a'],
    // No time, and no sequence either.
    ['events', 1e300, 'a'],
    ['events', -8.64e15 - 2, 'a'],
    ['events', 1.5, 'a'],
  ]) {
    assert.ok(refused(encode(value)), JSON.stringify(value));
  }
  const spaced = Buffer.from('["events", 1, "a"]').toString('base64url');
  for (const cursor of ['', 'a', '%', `${good}=`, `${good} `, spaced, 'A'.repeat(2000)]) {
    assert.ok(refused(cursor), cursor);
  }
  fc.assert(fc.property(fc.string(), (text) => refused(text)));
});

test('a page has a next cursor only if there are more items', () => {
  const items = [3, 2, 1];
  const byNumber: PageSort = { name: 'n', fields: ['number'] };
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
