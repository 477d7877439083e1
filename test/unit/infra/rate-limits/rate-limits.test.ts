import assert from 'node:assert/strict';
import { test } from 'node:test';
import { appliedLimits, rateLimited } from '#infra/rate-limits/applied-limits.ts';
import { ManualClock } from '#testkit/test-clock.ts';
import { rateLimitsAlone } from '#testkit/rate-limits-alone.ts';

const key = { policy: 'key', subject: 'key.key_a', limit: { perSecond: 2, burst: 3 } } as const;
const tenant = {
  policy: 'tenant',
  subject: 'events.acme',
  limit: { perSecond: 100, burst: 2 },
} as const;

test('a request is admitted by the strictest of its limits, and the headers show all', () => {
  const rates = rateLimitsAlone(new ManualClock());
  assert.deepEqual(rates.admit([key, tenant], 5), {
    admitted: 2,
    policyHeader: '"key";q=4;w=2, "tenant";q=100;w=1',
    limitHeader: '"key";r=1;t=1, "tenant";r=0;t=1',
    retryAfterSeconds: 1,
    refusedBy: tenant,
  });
});

test('a refused request consumes nothing, and says when the next is admitted', () => {
  const clock = new ManualClock();
  const rates = rateLimitsAlone(clock);
  const slow = [{ ...key, limit: { perSecond: 0.1, burst: 1 } }];
  assert.equal(rates.admit(slow, 1).admitted, 1);
  const refused = rates.admit(slow, 1);
  assert.equal(refused.retryAfterSeconds, 10);
  assert.equal(rateLimited(refused).status, 429);
  assert.match(rateLimited(refused).message, /API key .* 0.1 per second, bursts of 1/);
  clock.advance(10_000);
  assert.equal(rates.admit(slow, 1).admitted, 1);
});

test('a changed limit holds from the next request', () => {
  const rates = rateLimitsAlone(new ManualClock());
  assert.equal(rates.admit([key], 3).admitted, 3);
  assert.equal(rates.admit([{ ...key, limit: { perSecond: 2, burst: 100 } }], 1).admitted, 0);
  assert.match(rates.admit([{ ...key, limit: { perSecond: 9, burst: 1 } }], 1).policyHeader, /q=9/);
});

test('an idle limit is forgotten once its burst is full', () => {
  const clock = new ManualClock();
  const rates = rateLimitsAlone(clock);
  rates.admit([key], 3);
  rates.measure();
  assert.equal(rates.size, 1);
  for (let i = 0; i < 40; i++) {
    clock.advance(250);
    rates.measure();
  }
  assert.equal(rates.size, 0);
});

test('a request without limits has none, and a new life of a tenant has its own', () => {
  assert.equal(appliedLimits('api', 'key_a', undefined, { id: 'acme' }), undefined);
  const limit = { perSecond: 1, burst: 1 };
  const subjects = (life: number) =>
    appliedLimits('events', 'key_a', limit, { id: 'acme', life, rateLimit: limit })?.map(
      ({ subject }) => subject,
    );
  assert.deepEqual(subjects(0), ['key.key_a', 'events.acme']);
  assert.deepEqual(subjects(1), ['key.key_a', 'events.acme=1']);
});
