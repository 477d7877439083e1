import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { AttemptOutcome } from '#domain/outcome/delivery.ts';
import {
  type RetryPolicy,
  defaultRetryPolicy,
  judge,
  retryDelayMs,
} from '#domain/outcome/verdict.ts';

const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const attemptNo = fc.integer({ min: 1, max: 60 });
const policies: fc.Arbitrary<RetryPolicy> = fc.record({
  delaysSeconds: fc.array(fc.integer({ min: 1, max: 100_000 }), { maxLength: 49 }),
  finalStatuses: fc.array(fc.integer({ min: 300, max: 599 }), { maxLength: 5 }),
  retryAfterMaxMs: fc.integer({ min: 0, max: 86_400_000 }),
});

function failed(status: number | undefined, retryAfterMs?: number): AttemptOutcome {
  return { ok: false, kind: 'http_status', status, detail: '', retryAfterMs };
}

test('the default delays are 1, 5, 25, 125 and 625 s, then longer ones, about three days in all', () => {
  const delays = defaultRetryPolicy.delaysSeconds;
  assert.deepEqual(delays.slice(0, 5), [1, 5, 25, 125, 625]);
  assert.deepEqual(
    [...delays].sort((a, b) => a - b),
    delays,
  );
  const days = delays.reduce((sum, seconds) => sum + seconds, 0) / 86_400;
  assert.ok(days > 2.5 && days < 4, `${days} days`);
});

test('a delay is its step with a jitter of 10 %, and there is none after the last step', () => {
  fc.assert(
    fc.property(policies, attemptNo, random, (policy, no, r) => {
      const delayMs = retryDelayMs(policy, no, r);
      const seconds = policy.delaysSeconds[no - 1];
      if (seconds === undefined) assert.equal(delayMs, undefined);
      else {
        assert.ok((delayMs as number) >= seconds * 900, 'too early');
        assert.ok((delayMs as number) <= seconds * 1100, 'too late');
      }
    }),
  );
});

test('the jitter uses its whole range', () => {
  assert.equal(retryDelayMs(defaultRetryPolicy, 2, 0), 4500);
  assert.equal(retryDelayMs(defaultRetryPolicy, 2, 0.5), 5000);
  assert.ok((retryDelayMs(defaultRetryPolicy, 2, 0.999) as number) > 5490);
});

test('Retry-After postpones a retry within the bounds of the policy, and never brings it forward', () => {
  fc.assert(
    fc.property(policies, attemptNo, random, fc.nat(200_000_000), (policy, no, r, askedMs) => {
      const verdict = judge({ ...policy, finalStatuses: [] }, no, failed(503, askedMs), r);
      const ownMs = retryDelayMs(policy, no, r);
      if (ownMs === undefined) {
        assert.deepEqual(verdict, { kind: 'dead', reason: 'exhausted' });
        return;
      }
      const leastMs = Math.max(ownMs, Math.min(askedMs, policy.retryAfterMaxMs));
      const { delayMs } = verdict as { kind: 'retry'; delayMs: number };
      assert.ok(delayMs >= leastMs, 'not before the requested time');
      assert.ok(delayMs <= Math.ceil(leastMs * 1.1), 'and not much later');
    }),
  );
});

test('deliveries with the same Retry-After do not return at the same moment', () => {
  const delays = [0, 0.25, 0.5, 0.999].map((r) => {
    const verdict = judge(defaultRetryPolicy, 1, failed(429, 100_000), r);
    return verdict.kind === 'retry' ? verdict.delayMs : undefined;
  });
  assert.deepEqual(delays, [100_000, 102_500, 105_000, 109_990]);
});

test('an endless Retry-After does not delay a delivery forever', () => {
  const verdict = judge(defaultRetryPolicy, 1, failed(429, Number.POSITIVE_INFINITY), 0);
  assert.deepEqual(verdict, { kind: 'retry', delayMs: 86_400_000 });
});

test('any failure is exhausted when it is the last attempt', () => {
  const last = defaultRetryPolicy.delaysSeconds.length + 1;
  for (const outcome of [failed(500), failed(undefined), failed(429, 1000), failed(404)]) {
    assert.equal(judge(defaultRetryPolicy, last - 1, outcome, 0.5).kind, 'retry');
    const verdict = judge(defaultRetryPolicy, last, outcome, 0.5);
    assert.deepEqual(verdict, { kind: 'dead', reason: 'exhausted' });
  }
});

test('a retry too long after the first attempt is not made', () => {
  const policy = { ...defaultRetryPolicy, maxAgeMs: 10_000 };
  const tooOld = { kind: 'dead', reason: 'too_old' };
  assert.equal(judge(policy, 2, failed(500), 0.5, 5000).kind, 'retry');
  assert.deepEqual(judge(policy, 2, failed(500), 0.5, 5001), tooOld);
  // The delay of the receiver counts.
  assert.deepEqual(judge(policy, 1, failed(429, 10_001), 0, 0), tooOld);
  assert.deepEqual(judge(policy, 2, { ok: true, status: 200 }, 0, 99_999), { kind: 'delivered' });
  assert.deepEqual(judge(policy, 2, failed(410), 0, 99_999), { kind: 'gone' });
});

test('410 is gone at any attempt, even as a final status', () => {
  const policy = { ...defaultRetryPolicy, finalStatuses: [410] };
  for (const no of [1, 12, 50])
    assert.deepEqual(judge(policy, no, failed(410), 0), { kind: 'gone' });
});

test('a final status is dead immediately, and other statuses are retried', () => {
  const policy = { ...defaultRetryPolicy, finalStatuses: [400, 404] };
  assert.deepEqual(judge(policy, 1, failed(404), 0), { kind: 'dead', reason: 'final_status' });
  for (const status of [401, 403, 408, 409, 422, 425, 429, 302, 500, 503]) {
    assert.equal(judge(policy, 1, failed(status), 0).kind, 'retry', String(status));
  }
});

test('a 2xx is delivered at any attempt', () => {
  fc.assert(
    fc.property(policies, attemptNo, fc.integer({ min: 200, max: 299 }), (policy, no, status) => {
      assert.deepEqual(judge(policy, no, { ok: true, status }, 0), { kind: 'delivered' });
    }),
  );
});
