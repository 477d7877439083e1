import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ByteCache } from '#src/delivery/attempt/byte-cache.ts';

function cacheOf(bytesMax: number) {
  const cache = new ByteCache<string>({ bytesMax, sizeOf: ({ length }) => length });
  const reads: string[] = [];
  const get = (key: string, owner = 'acme') =>
    cache.get(owner, key, async () => {
      reads.push(key);
      return `${key}-of-ten..`;
    });
  return { get, reads };
}

test('concurrent readers of one key share one read, and its size counts once', async () => {
  const { get, reads } = cacheOf(30);
  for (const key of ['a', 'b', 'c', 'd', 'e']) {
    await Promise.all(Array.from({ length: 10 }, () => get(key)));
  }
  assert.deepEqual(reads, ['a', 'b', 'c', 'd', 'e']);
  // Two values of ten bytes fit, regardless of earlier entries.
  await get('d');
  await get('e');
  assert.equal(reads.length, 5);
});

test('the cache evicts the oldest entry first and does not keep a value above its limit', async () => {
  const { get, reads } = cacheOf(30);
  for (const key of ['a', 'b', 'c', 'c', 'b', 'a']) await get(key);
  assert.deepEqual(reads, ['a', 'b', 'c', 'a']);
  const small = cacheOf(5);
  await small.get('a');
  await small.get('a');
  assert.deepEqual(small.reads, ['a', 'a']);
});

test('undefined and failed reads are not cached', async () => {
  const cache = new ByteCache<string>({ bytesMax: 10, sizeOf: ({ length }) => length });
  const fails = () => cache.get('acme', 'a', () => Promise.reject(new Error('no answer')));
  await Promise.all([assert.rejects(fails(), /no answer/), assert.rejects(fails(), /no answer/)]);
  assert.equal(await cache.get('acme', 'a', async () => undefined), undefined);
  assert.equal(await cache.get('acme', 'a', async () => 'x'), 'x');
});

test('an owner over its share loses its own values and not those of another', async () => {
  const { get, reads } = cacheOf(100);
  await get('x', 'quiet');
  for (const key of 'abcdefghijklm') await get(key, 'greedy');
  reads.length = 0;
  await get('x', 'quiet');
  await get('m', 'greedy');
  assert.deepEqual(reads, []);
  await get('a', 'greedy');
  assert.deepEqual(reads, ['a']);
});

test('an owner without a value finds room in a full cache', async () => {
  const { get, reads } = cacheOf(30);
  for (const [owner, key] of [
    ['a', '1'],
    ['b', '2'],
    ['c', '3'],
    ['d', '4'],
  ] as const) {
    await get(key, owner);
  }
  await get('4', 'd');
  assert.equal(reads.length, 4);
});
