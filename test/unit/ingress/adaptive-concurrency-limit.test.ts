import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AdaptiveConcurrencyLimit } from '#src/ingress/fairness/adaptive-concurrency-limit.ts';

function setUp() {
  let nowMs = 0;
  let utilization = 0;
  const limit = new AdaptiveConcurrencyLimit({ utilization: () => utilization, now: () => nowMs });
  return {
    limit,
    recordArrival: (...tenants: string[]) =>
      tenants.forEach((tenant) => limit.recordArrival(tenant)),
    /** What it says at each of so many looks, at this utilization. */
    looks: (count: number, at: number): number[] => {
      utilization = at;
      return Array.from({ length: count }, () => {
        nowMs += 50;
        return limit.current();
      });
    },
    pass: (ms: number) => (nowMs += ms),
  };
}

test('a busy loop shared by tenants has fewer and fewer at work, and never none', () => {
  const { recordArrival, looks } = setUp();
  recordArrival('a', 'b');
  assert.deepEqual(looks(8, 0.95), [16, 11, 7, 4, 2, 1, 1, 1]);
});

test('a calm loop has one more at each look, and in the end no limit', () => {
  const { recordArrival, looks } = setUp();
  recordArrival('a', 'b');
  looks(6, 0.95);
  assert.deepEqual(looks(3, 0.5), [2, 3, 4]);
  assert.deepEqual(looks(3, 0.75), [4, 4, 4]);
  assert.deepEqual(looks(60, 0.5).slice(-2), [63, Number.POSITIVE_INFINITY]);
});

test('it does not look again at once', () => {
  const { limit, recordArrival, looks } = setUp();
  recordArrival('a', 'b');
  looks(1, 0.95);
  assert.equal(limit.current(), 16);
});

test('a tenant that is alone has no limit, and loses the one it had little by little', () => {
  const { recordArrival, looks, pass } = setUp();
  recordArrival('a', 'a', 'a');
  assert.deepEqual(looks(2, 1), [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]);
  recordArrival('b', 'a');
  assert.deepEqual(looks(1, 1), [16]);
  pass(10_000);
  assert.deepEqual(looks(2, 1), [17, 18]);
});
