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
    /** The limit at each of this many polls, at this utilization. */
    checks: (count: number, at: number): number[] => {
      utilization = at;
      return Array.from({ length: count }, () => {
        nowMs += 50;
        return limit.current();
      });
    },
    pass: (ms: number) => (nowMs += ms),
  };
}

test('the limit falls to 1 and not below while the loop is busy and tenants share it', () => {
  const { recordArrival, checks } = setUp();
  recordArrival('a', 'b');
  assert.deepEqual(checks(8, 0.95), [16, 11, 7, 4, 2, 1, 1, 1]);
});

test('the limit grows by 1 at each poll of a calm loop until there is none', () => {
  const { recordArrival, checks } = setUp();
  recordArrival('a', 'b');
  checks(6, 0.95);
  assert.deepEqual(checks(3, 0.5), [2, 3, 4]);
  assert.deepEqual(checks(3, 0.75), [4, 4, 4]);
  assert.deepEqual(checks(60, 0.5).slice(-2), [63, Number.POSITIVE_INFINITY]);
});

test('a router does not refresh a tenant twice within a second', () => {
  const { limit, recordArrival, checks } = setUp();
  recordArrival('a', 'b');
  checks(1, 0.95);
  assert.equal(limit.current(), 16);
});

test('a tenant that is alone has no limit, and a limit it had grows away', () => {
  const { recordArrival, checks, pass } = setUp();
  recordArrival('a', 'a', 'a');
  assert.deepEqual(checks(2, 1), [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]);
  recordArrival('b', 'a');
  assert.deepEqual(checks(1, 1), [16]);
  pass(10_000);
  assert.deepEqual(checks(2, 1), [17, 18]);
});

test('tenants that publish alike lose their limit while the loop is busy', () => {
  const { recordArrival, checks } = setUp();
  const check = (): number => {
    recordArrival('a', 'b', 'b', 'posthorn-probe-local-1');
    return checks(1, 0.95)[0] as number;
  };
  const beforeProof = Array.from({ length: 30 }, check);
  assert.equal(beforeProof.at(-1), 1);
  const after = Array.from({ length: 90 }, check);
  assert.equal(after.at(-1), Number.POSITIVE_INFINITY);
});
