import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LOST_AFTER_MS, LOST_MAX, RoundLedger, TRIAL_EVERY_MS } from '#src/probe/round-ledger.ts';

const HOUR_MS = 3_600_000;

test('a webhook in time is measured once', () => {
  const ledger = new RoundLedger();
  ledger.begin('a', 1000);
  assert.equal(ledger.arrive('a', 1012), 12);
  assert.equal(ledger.arrive('a', 1013), 'unknown');
  assert.deepEqual(ledger.expire(1000 + LOST_AFTER_MS), []);
});

test('a round is lost once, and its webhook counts as late when it arrives', () => {
  const ledger = new RoundLedger();
  ledger.begin('a', 0);
  ledger.begin('b', 1);
  assert.deepEqual(ledger.expire(LOST_AFTER_MS - 1), []);
  assert.deepEqual(ledger.expire(LOST_AFTER_MS), ['a']);
  assert.deepEqual(ledger.expire(LOST_AFTER_MS), []);
  assert.equal(ledger.arrive('a', LOST_AFTER_MS + 5), 'late');
  assert.equal(ledger.arrive('a', LOST_AFTER_MS + 6), 'unknown');
});

test('the webhook of a rejected event counts as late, or arrives before the rejection', () => {
  const ledger = new RoundLedger();
  ledger.begin('a', 0);
  assert.equal(ledger.refuse('a'), true);
  assert.deepEqual(ledger.expire(LOST_AFTER_MS), []);
  assert.equal(ledger.arrive('a', 20), 'late');
  ledger.begin('b', 0);
  assert.equal(ledger.arrive('b', 3), 3);
  assert.equal(ledger.refuse('b'), false);
});

test('an outage leaves few events, and the first arrival resumes the rounds', () => {
  const ledger = new RoundLedger();
  let sent = 0;
  let now = 0;
  for (; now < HOUR_MS; now += 1000) {
    ledger.expire(now);
    if (!ledger.isPathBroken(now)) ledger.begin(`e${sent++}`, now);
  }
  // Those before the path counted as broken, and one every two minutes.
  const bound = LOST_MAX + LOST_AFTER_MS / 1000 + HOUR_MS / TRIAL_EVERY_MS;
  assert.ok(sent > HOUR_MS / TRIAL_EVERY_MS && sent <= bound, String(sent));
  assert.equal(ledger.isPathBroken(now), true);
  assert.equal(ledger.arrive(`e${sent - 1}`, now), 'late');
  assert.equal(ledger.isPathBroken(now), false);
});

test('losses on the way to a removed endpoint do not count for the next one', () => {
  const ledger = new RoundLedger();
  for (let i = 0; i < LOST_MAX; i++) ledger.begin(`e${i}`, i);
  ledger.expire(LOST_AFTER_MS + LOST_MAX);
  assert.equal(ledger.isPathBroken(LOST_AFTER_MS + LOST_MAX), true);
  ledger.reset();
  assert.equal(ledger.isPathBroken(LOST_AFTER_MS + LOST_MAX), false);
});

test('rejected rounds do not stop further rounds', () => {
  const ledger = new RoundLedger();
  for (let i = 0; i < 1000; i++) {
    ledger.begin(`e${i}`, i);
    assert.equal(ledger.refuse(`e${i}`), true);
    assert.equal(ledger.isPathBroken(i), false);
  }
  // The number of remembered rounds is bounded.
  assert.equal(ledger.arrive('e0', 1000), 'unknown');
  assert.equal(ledger.arrive('e999', 1000), 'late');
});
