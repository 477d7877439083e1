import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TenantEvenness } from '#src/ingress/fairness/tenant-evenness.ts';

function setUp() {
  let nowMs = 0;
  const evenness = new TenantEvenness(() => nowMs);
  return {
    evenness,
    /** Each tenant sends its requests, spread over a second, for this many seconds. */
    publish: (seconds: number, perSecond: Record<string, number>): void => {
      for (let ms = 0; ms < seconds * 1000; ms++) {
        for (const [tenant, rate] of Object.entries(perSecond)) {
          if (Math.floor((ms * rate) / 1000) < Math.floor(((ms + 1) * rate) / 1000)) {
            evenness.record(tenant);
          }
        }
        nowMs++;
      }
    },
  };
}

test('tenants that publish alike are even after two seconds', () => {
  const { evenness, publish } = setUp();
  publish(1, { a: 400, b: 300, c: 120 });
  assert.equal(evenness.isEven(), false);
  publish(2, { a: 400, b: 300, c: 120 });
  assert.equal(evenness.isEven(), true);
});

test('tenants are uneven while one publishes less than a quarter of the busiest', () => {
  const { evenness, publish } = setUp();
  publish(30, { flood: 1000, quiet: 40 });
  assert.equal(evenness.isEven(), false);
});

test('tenants are uneven while a tenant sends one request every few seconds', () => {
  const { evenness, publish } = setUp();
  publish(30, { a: 400, b: 400 });
  assert.equal(evenness.isEven(), true);
  publish(3, { a: 400, b: 400, rare: 0.5 });
  publish(8, { a: 400, b: 400 });
  assert.equal(evenness.isEven(), false);
  publish(4, { a: 400, b: 400 });
  assert.equal(evenness.isEven(), true);
});

test('tenants are uneven at the first request of another tenant', () => {
  const { evenness, publish } = setUp();
  publish(5, { a: 400 });
  assert.equal(evenness.isEven(), true);
  evenness.record('b');
  assert.equal(evenness.isEven(), false);
});

test('tenants with few requests count as uneven', () => {
  const { evenness, publish } = setUp();
  publish(30, { a: 5, b: 5 });
  assert.equal(evenness.isEven(), false);
});
