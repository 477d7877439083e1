import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RecentIds } from '#domain/bounds/recent-ids.ts';

const numbers = (count: number) => Array.from({ length: count }, (_, i) => String(i));

test('ids are remembered for each owner', () => {
  const ids = new RecentIds(100);
  ids.add('a', '1');
  assert.equal(ids.has('a', '1'), true);
  assert.equal(ids.has('b', '1'), false);
  assert.equal(ids.has('a', '2'), false);
});

test('the last ids of an owner are remembered, and old ones are forgotten', () => {
  const ids = new RecentIds(100);
  for (const id of numbers(1000)) ids.add('a', id);
  for (let id = 921; id < 1000; id++) assert.equal(ids.has('a', String(id)), true, String(id));
  assert.equal(ids.has('a', '0'), false);
});

test('an owner with many ids does not evict the ids of another', () => {
  const ids = new RecentIds(100);
  for (const id of numbers(10)) ids.add('quiet', id);
  for (const id of numbers(100_000)) ids.add('greedy', id);
  for (const id of numbers(10)) assert.equal(ids.has('quiet', id), true, id);
});

test('an id that is added again takes no further room', () => {
  const ids = new RecentIds(10);
  ids.add('a', 'kept');
  for (let n = 0; n < 100; n++) ids.add('b', 'again');
  assert.equal(ids.has('a', 'kept'), true);
});
