import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SharedLru } from '#domain/bounds/shared-lru.ts';

test('an owner that fills its share loses its own oldest entry, and others keep theirs', () => {
  const lru = new SharedLru<number>({ max: 100 });
  assert.ok(lru.set('quiet', 'q', 0));
  for (let i = 0; i < 1000; i++) assert.ok(lru.set('noisy', `n${i}`, i));
  assert.equal(lru.size, 80);
  assert.equal(lru.peek('q'), 0);
  assert.equal(lru.peek('n999'), 999);
  assert.equal(lru.peek('n0'), undefined);
  assert.ok(lru.set('late', 'l', 1));
  assert.equal(lru.peek('l'), 1);
});

test('the most recently used entry stays', () => {
  const lru = new SharedLru<string>({ max: 5 });
  for (const key of ['a', 'b', 'c']) lru.set('t', key, key);
  lru.get('a');
  lru.peek('b');
  for (const key of ['d', 'e']) lru.set('t', key, key);
  assert.deepEqual(
    ['a', 'b', 'c', 'd', 'e'].filter((key) => lru.peek(key) !== undefined),
    ['a', 'c', 'd', 'e'].slice(-lru.size),
  );
  assert.equal(lru.peek('b'), undefined);
});

test('rejects an entry when all entries of its owner are in use, and accepts those of others', () => {
  const inUse = new Set<string>();
  const lru = new SharedLru<string>({ max: 10, mayGo: (value) => !inUse.has(value) });
  let taken = 0;
  while (lru.set('noisy', `n${taken}`, `n${taken}`)) inUse.add(`n${taken++}`);
  assert.equal(taken, 8);
  assert.ok(lru.set('quiet', 'q', 'q'));
  inUse.delete('n3');
  assert.ok(lru.set('noisy', 'more', 'more'));
  assert.equal(lru.peek('n3'), undefined);
});

test('a new owner evicts an entry of the largest owner when the cache is full', () => {
  const lru = new SharedLru<number>({ max: 4 });
  for (const [owner, key] of [
    ['a', 'a1'],
    ['b', 'b1'],
    ['a', 'a2'],
    ['c', 'c1'],
    ['d', 'd1'],
  ] as const) {
    assert.ok(lru.set(owner, key, 1));
  }
  assert.ok(lru.size <= 4);
  assert.equal(lru.peek('d1'), 1);
});

test('a key that is set again has the new value and the new owner', () => {
  const lru = new SharedLru<number>({ max: 4 });
  lru.set('a', 'k', 1);
  lru.set('b', 'k', 2);
  assert.equal(lru.get('k'), 2);
  lru.delete('k');
  lru.delete('k');
  assert.equal(lru.size, 0);
});
