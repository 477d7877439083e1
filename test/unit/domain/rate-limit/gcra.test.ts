import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Gcra } from '#domain/rate-limit/gcra.ts';

test('a limit admits its burst, and then its rate', () => {
  const gcra = new Gcra({ perSecond: 10, burst: 3 }, 3, 0);
  assert.equal(gcra.admissible(5, 0), 3);
  gcra.take(3, 0);
  assert.equal(gcra.admissible(1, 99), 0);
  assert.equal(gcra.waitMs(0), 100 - 1e-4);
  assert.equal(gcra.admissible(1, 100), 1);
  assert.equal(gcra.fullInMs(0), 300);
  assert.equal(gcra.admissible(5, 3_600_000), 3);
});

test('a fraction of a burst admits one request, and then waits as long as for a whole token', () => {
  const gcra = new Gcra({ perSecond: 1, burst: 0.25 }, 0.25, 0);
  assert.equal(gcra.admissible(4, 0), 1);
  gcra.take(1, 0);
  assert.equal(gcra.admissible(1, 999), 0);
  assert.equal(gcra.admissible(1, 1000), 1);
});

test('a request for nothing is admitted by no fraction', () => {
  const gcra = new Gcra({ perSecond: 1, burst: 0.25 }, 0.25, 0);
  assert.equal(gcra.admissible(0, 0), 0);
});

test('a changed limit keeps the available tokens, up to the new burst', () => {
  const gcra = new Gcra({ perSecond: 10, burst: 10 }, 10, 0);
  gcra.take(4, 0);
  gcra.configure({ perSecond: 1, burst: 100 }, 0);
  assert.equal(gcra.available(0), 6);
  gcra.configure({ perSecond: 5, burst: 2 }, 0);
  assert.equal(gcra.available(0), 2);
});
