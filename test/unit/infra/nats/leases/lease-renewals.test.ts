import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { LeaseEnd } from '#infra/nats/leases/lease-clock.ts';
import { LeaseRenewals, RENEW_EVERY_MS, leaseEndMs } from '#infra/nats/leases/lease-renewals.ts';
import { OWNER_STUCK_MS, OwnerProgress } from '#infra/nats/leases/owner-progress.ts';
import { createLog } from '#infra/telemetry/log.ts';

/** Renewals of one lease, whose answers arrive when the test says so. */
function renewals(t: TestContext) {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const state = { nowMs: 0, isOwnerAlive: true, updates: 0 };
  let answer = async (): Promise<number> => state.updates + 1;
  const kv = {
    put: async () => 1,
    get: async () => null,
    update: async () => {
      state.updates++;
      return answer();
    },
  };
  const end = new LeaseEnd();
  end.ms = leaseEndMs(0);
  const all = new LeaseRenewals({
    kv,
    now: () => state.nowMs,
    isOwnerAlive: () => state.isOwnerAlive,
    log: createLog('silent'),
  });
  all.hold('key', 'me', 1, end);
  return {
    state,
    end,
    all,
    answerBy: (by: () => Promise<number>) => void (answer = by),
    second: async (): Promise<void> => {
      state.nowMs += RENEW_EVERY_MS;
      t.mock.timers.tick(RENEW_EVERY_MS);
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

test('a lease is extended from the time at which its renewal was sent', async (t) => {
  const { state, end, second } = renewals(t);
  await second();
  assert.equal(state.updates, 1);
  assert.equal(end.ms, leaseEndMs(RENEW_EVERY_MS));
});

test('a lease is not renewed while its owner makes no progress', async (t) => {
  const { state, end, second } = renewals(t);
  state.isOwnerAlive = false;
  await second();
  await second();
  assert.equal(state.updates, 0);
  assert.equal(end.ms, leaseEndMs(0));
});

test('a lease that has ended is neither renewed nor extended', async (t) => {
  const { state, end, second, answerBy } = renewals(t);
  const answer = Promise.withResolvers<number>();
  answerBy(() => answer.promise);
  await second();
  state.nowMs = end.ms;
  answer.resolve(2);
  await second();
  assert.equal(end.ms, leaseEndMs(0), 'a late answer extended it');
  await second();
  assert.equal(state.updates, 1);
});

test('a released key is not renewed, and has the revision of the renewal in flight', async (t) => {
  const { state, all, second, answerBy } = renewals(t);
  const answer = Promise.withResolvers<number>();
  answerBy(() => answer.promise);
  await second();
  const released = all.release('key');
  answer.resolve(7);
  assert.equal(await released, 7);
  await second();
  assert.equal(state.updates, 1);
});

test('an owner counts as alive until its counter has not changed for the bound', () => {
  const memory = new SharedArrayBuffer(4);
  const counter = new Int32Array(memory);
  let nowMs = 0;
  const progress = new OwnerProgress(memory, () => nowMs);
  nowMs = OWNER_STUCK_MS - 1;
  assert.ok(progress.isRecent());
  nowMs = OWNER_STUCK_MS;
  assert.ok(!progress.isRecent());
  Atomics.add(counter, 0, 1);
  assert.ok(progress.isRecent());
  nowMs += OWNER_STUCK_MS - 1;
  assert.ok(progress.isRecent());
});
