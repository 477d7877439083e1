import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LOST_AFTER_MS, LOST_MAX, RoundLedger, TRIAL_EVERY_MS } from '#src/probe/round-ledger.ts';

const HOUR_MS = 3_600_000;

test('a webhook in time is measured, once', () => {
  const ledger = new RoundLedger();
  ledger.begin('a', 1000);
  assert.equal(ledger.arrive('a', 1012), 12);
  assert.equal(ledger.arrive('a', 1013), 'unknown');
  assert.deepEqual(ledger.takeLost(1000 + LOST_AFTER_MS), []);
});

test('a round is lost once, and its webhook is late when it comes', () => {
  const ledger = new RoundLedger();
  ledger.begin('a', 0);
  ledger.begin('b', 1);
  assert.deepEqual(ledger.takeLost(LOST_AFTER_MS - 1), []);
  assert.deepEqual(ledger.takeLost(LOST_AFTER_MS), ['a']);
  assert.deepEqual(ledger.takeLost(LOST_AFTER_MS), []);
  assert.equal(ledger.arrive('a', LOST_AFTER_MS + 5), 'late');
  assert.equal(ledger.arrive('a', LOST_AFTER_MS + 6), 'unknown');
});

test('what ingress did not take may arrive all the same: late, or before its answer', () => {
  const ledger = new RoundLedger();
  ledger.begin('a', 0);
  assert.equal(ledger.refuse('a'), true);
  assert.deepEqual(ledger.takeLost(LOST_AFTER_MS), []);
  assert.equal(ledger.arrive('a', 20), 'late');
  ledger.begin('b', 0);
  assert.equal(ledger.arrive('b', 3), 3);
  assert.equal(ledger.refuse('b'), false);
});

test('an outage leaves few events; the first that arrives lets the next go', () => {
  const ledger = new RoundLedger();
  let sent = 0;
  let now = 0;
  for (; now < HOUR_MS; now += 1000) {
    ledger.takeLost(now);
    if (!ledger.isHopeless(now)) ledger.begin(`e${sent++}`, now);
  }
  // Those of the time until it became clear, and one every two minutes.
  const bound = LOST_MAX + LOST_AFTER_MS / 1000 + HOUR_MS / TRIAL_EVERY_MS;
  assert.ok(sent > HOUR_MS / TRIAL_EVERY_MS && sent <= bound, String(sent));
  assert.equal(ledger.isHopeless(now), true);
  assert.equal(ledger.arrive(`e${sent - 1}`, now), 'late');
  assert.equal(ledger.isHopeless(now), false);
});

test('what was lost on the way to an endpoint that was removed says nothing of the next one', () => {
  const ledger = new RoundLedger();
  for (let i = 0; i < LOST_MAX; i++) ledger.begin(`e${i}`, i);
  ledger.takeLost(LOST_AFTER_MS + LOST_MAX);
  assert.equal(ledger.isHopeless(LOST_AFTER_MS + LOST_MAX), true);
  ledger.startAfresh();
  assert.equal(ledger.isHopeless(LOST_AFTER_MS + LOST_MAX), false);
});

test('refused rounds are no reason to send nothing', () => {
  const ledger = new RoundLedger();
  for (let i = 0; i < 1000; i++) {
    ledger.begin(`e${i}`, i);
    assert.equal(ledger.refuse(`e${i}`), true);
    assert.equal(ledger.isHopeless(i), false);
  }
  // What is remembered of them is bounded.
  assert.equal(ledger.arrive('e0', 1000), 'unknown');
  assert.equal(ledger.arrive('e999', 1000), 'late');
});
