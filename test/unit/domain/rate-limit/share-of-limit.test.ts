import assert from 'node:assert/strict';
import { test } from 'node:test';
import { announcedDemand, shareOfLimit } from '#domain/rate-limit/share-of-limit.ts';

const limit = { perSecond: 100, burst: 40 };

test('a process alone has the whole limit', () => {
  assert.equal(shareOfLimit(limit, { processes: 1, own: undefined, others: undefined }), limit);
});

test('processes without announced demand have equal shares', () => {
  const share = shareOfLimit(limit, { processes: 4, own: undefined, others: undefined });
  assert.deepEqual(share, { perSecond: 25, burst: 10 });
});

test('announced demands divide the limit, and the other processes keep a small share', () => {
  assert.deepEqual(shareOfLimit(limit, { processes: 4, own: 30, others: 90 }), {
    perSecond: 25,
    burst: 10,
  });
  assert.deepEqual(shareOfLimit(limit, { processes: 4, own: undefined, others: 90 }), {
    perSecond: 1.25,
    burst: 10,
  });
  const slow = { perSecond: 1, burst: 40 };
  assert.equal(shareOfLimit(slow, { processes: 4, own: undefined, others: 1 }).burst, 0.25);
});

test('only a demand above half of an equal share is announced, and never above the limit', () => {
  assert.equal(announcedDemand(limit, 12.5, 4), undefined);
  assert.equal(announcedDemand(limit, 13, 4), 13);
  assert.equal(announcedDemand(limit, 1000, 4), 100);
  assert.equal(announcedDemand(limit, 1000, 1), undefined);
});
