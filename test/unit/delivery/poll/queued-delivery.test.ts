import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pollDefaults } from '#domain/endpoint/endpoint-policy.ts';
import { committedAttempt, endOf, expiredAttempt } from '#src/delivery/poll/queued-delivery.ts';
import type { DeliveryHead } from '#wire/frames/delivery-frame.ts';
import { leaseId, parseLeaseId } from '#wire/poll-request.ts';

const POLICY = { ...pollDefaults, leasesMax: 2, maxAgeSeconds: 60 };
const NOW = 1_700_000_000_000;

function head(fields: Partial<DeliveryHead> = {}): DeliveryHead {
  return { id: 'dlv_1', endpoint: 'ep_1', attemptNo: 1, hop: 0, eventSeq: 1, ...fields };
}

test('a delivery is exhausted after its last lease', () => {
  const queuedMs = NOW;
  assert.equal(endOf({ head: head({ attemptNo: 2 }), queuedMs }, POLICY, NOW), undefined);
  assert.equal(endOf({ head: head({ attemptNo: 3 }), queuedMs }, POLICY, NOW), 'exhausted');
});

test('a delivery is too old after its time in the queue', () => {
  const one = { head: head(), queuedMs: NOW };
  assert.equal(endOf(one, POLICY, NOW + 60_000), undefined);
  assert.equal(endOf(one, POLICY, NOW + 60_001), 'too_old');
});

test('a lease is an attempt, committed or expired', () => {
  const lease = { id: 'att_1', no: 2, startedMs: NOW, untilMs: NOW + 5000 };
  const leased = head({ lease });
  const expired = expiredAttempt(leased, 'w');
  assert.deepEqual(
    [expired?.id, expired?.no, expired?.durationMs, expired?.failure],
    ['att_1', 2, 5000, 'lease_expired'],
  );
  const committed = committedAttempt(leased, 'w', NOW + 1200);
  assert.deepEqual(committed, {
    id: 'att_1',
    no: 2,
    startedMs: NOW,
    durationMs: 1200,
    worker: 'w',
  });
  assert.equal(committedAttempt(leased, 'w', NOW - 5)?.durationMs, 0, 'the clock went back');
});

test('a delivery without a lease has no attempt', () => {
  assert.equal(expiredAttempt(head(), 'w'), undefined);
  assert.equal(committedAttempt(head(), 'w', NOW), undefined);
});

test('the id of a lease names its delivery and hop', () => {
  assert.deepEqual(parseLeaseId(leaseId('dlv_a-b_C', 12)), { delivery: 'dlv_a-b_C', hop: 12 });
  for (const text of ['', 'dlv_a', 'dlv_a.', 'dlv_a.x', 'dlv_a.*.1', 'x.1', 'dlv_a.1234567890']) {
    assert.equal(parseLeaseId(text), undefined, text);
  }
});
