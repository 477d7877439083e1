import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  RESERVE_SHARE,
  storageMarks,
  storageShares,
  streamBounds,
} from '#domain/storage-shares.ts';

test('deliveries have the reserve when every bounded stream is full', () => {
  const bounded = Object.values(storageShares).reduce((sum, share) => sum + share, 0);
  // As much again for deliveries while events are accepted.
  assert.ok(bounded + 2 * RESERVE_SHARE <= 1 + Number.EPSILON, String(bounded));
});

test('marks of fullness come one before the other', () => {
  const { purgeTo, purgeFrom, acceptBelow, refuseFrom } = storageMarks;
  assert.ok(purgeTo < purgeFrom && purgeFrom < acceptBelow && acceptBelow < refuseFrom);
  assert.ok(refuseFrom < 1);
});

test('bounds of shards together are the share of their streams', () => {
  const bytesMax = 1_000_003;
  for (const shards of [1, 7, 64]) {
    const bounds = streamBounds(bytesMax, shards);
    for (const name of ['events', 'records'] as const) {
      const all = bounds[name] * shards;
      const share = bytesMax * storageShares[name];
      assert.ok(all <= share && all > share - 2 * shards, `${name} of ${shards} shards: ${all}`);
    }
  }
});

test('streams have no bounds when the storage is unknown', () => {
  assert.ok(Object.values(streamBounds(undefined, 4)).every((bound) => bound === -1));
});
