import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultBurst } from '#domain/endpoint/endpoint-policy.ts';
import { RateLimiter } from '#src/delivery/scheduling/rate-limiter.ts';

class Clock {
  ms = 1000;
  readonly now = () => this.ms;
}

/** When each of `count` simultaneous deliveries may leave, in milliseconds from the first. */
function departures(limiter: RateLimiter, clock: Clock, count: number): number[] {
  const startMs = clock.ms;
  return Array.from({ length: count }, () => {
    clock.ms += limiter.waitMs(0);
    assert.equal(limiter.waitMs(0), 0);
    limiter.take();
    return Math.round(clock.ms - startMs);
  });
}

test('10 simultaneous deliveries at 1/s take 9 s', () => {
  const clock = new Clock();
  const limiter = new RateLimiter({ perSecond: 1, burst: 1 }, clock.now);
  assert.deepEqual(
    departures(limiter, clock, 10),
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map((s) => s * 1000),
  );
});

test('a burst leaves immediately, then the rate holds, and an idle bucket fills up to its burst only', () => {
  const clock = new Clock();
  const limiter = new RateLimiter({ perSecond: 10, burst: 3 }, clock.now);
  assert.deepEqual(departures(limiter, clock, 5), [0, 0, 0, 100, 200]);
  clock.ms += 3_600_000;
  assert.deepEqual(departures(limiter, clock, 5), [0, 0, 0, 100, 200]);
});

test('over a long time no more deliveries leave than the rate allows, for any rate', () => {
  for (const perSecond of [0.01, 0.3, 7, 333.3, 10_000]) {
    const clock = new Clock();
    const limiter = new RateLimiter({ perSecond, burst: defaultBurst(perSecond) }, clock.now);
    const count = 5000;
    const last = departures(limiter, clock, count).at(-1) as number;
    const least = ((count - defaultBurst(perSecond)) / perSecond) * 1000;
    assert.ok(Math.abs(last - least) <= 1, `${perSecond}/s: ${last} ms, not ${least} ms`);
  }
});

test('a delivery behind others waits for their tokens too', () => {
  const clock = new Clock();
  const limiter = new RateLimiter({ perSecond: 4, burst: 2 }, clock.now);
  assert.equal(limiter.waitMs(1), 0);
  assert.equal(Math.round(limiter.waitMs(2)), 250);
  assert.equal(Math.round(limiter.waitMs(5)), 1000);
});

test('parked deliveries get consecutive slots, and a new delivery queues behind them', () => {
  const clock = new Clock();
  const limiter = new RateLimiter({ perSecond: 1, burst: 1 }, clock.now);
  limiter.take();
  const slots = [1, 2, 3].map(() => Math.round(limiter.reserveSlotMs(2)));
  assert.deepEqual(slots, [3000, 4000, 5000]);
  assert.equal(Math.round(limiter.waitBehindParkedMs(0)), 6000);
  // A delivery that returns at its slot queues behind the mailbox only.
  assert.equal(Math.round(limiter.waitMs(0)), 1000);
  assert.equal(limiter.isFull, false);
  clock.ms += 10_000;
  assert.equal(limiter.waitBehindParkedMs(0), 0);
  assert.equal(limiter.isFull, true);
});

test('a new limit applies immediately and adds no burst that was not saved up', () => {
  const clock = new Clock();
  const limiter = new RateLimiter({ perSecond: 1, burst: 1 }, clock.now);
  limiter.take();
  limiter.configure({ perSecond: 100, burst: 50 });
  assert.equal(Math.round(limiter.waitMs(0)), 10);
  clock.ms += 1000;
  assert.equal(limiter.waitMs(49), 0);
  limiter.configure({ perSecond: 1, burst: 2 });
  assert.equal(Math.round(limiter.waitMs(2)), 1000);
});

test('a limit without a burst gets a tenth of a second of its rate, at least one', () => {
  assert.deepEqual([0.01, 1, 19, 20, 10_000].map(defaultBurst), [1, 1, 1, 2, 1000]);
});

test('a change that keeps the limit keeps the slots of parked deliveries', () => {
  const clock = new Clock();
  const limit = { perSecond: 0.1, burst: 1 };
  const limiter = new RateLimiter(limit, clock.now);
  limiter.take();
  assert.equal(Math.round(limiter.reserveSlotMs(0)), 10_000);
  limiter.configure({ ...limit });
  assert.equal(Math.round(limiter.waitBehindParkedMs(0)), 20_000);
  limiter.configure({ ...limit, burst: 2 });
  assert.equal(Math.round(limiter.waitBehindParkedMs(0)), 10_000);
});
