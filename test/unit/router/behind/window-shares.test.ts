import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsMsg } from '@nats-io/jetstream';
import { WindowShares } from '#src/router/behind/window-shares.ts';
import { ConsumedEvent } from '#src/router/in-flight-event.ts';
import { ManualClock } from '#testkit/test-clock.ts';

const source = { restMsMax: 30_000, isOwner: () => true, onEnd: () => {} };

function event(tenant: string, seq: number): ConsumedEvent {
  return new ConsumedEvent({ seq, subject: `ev.0.${tenant}.x` } as JsMsg, source);
}

/** Takes places for the tenant until one is refused; returns the events that have one. */
function takeAll(shares: WindowShares, tenant: string, firstSeq: number): ConsumedEvent[] {
  const taken: ConsumedEvent[] = [];
  for (let seq = firstSeq; ; seq++) {
    const one = event(tenant, seq);
    if (!shares.tryTake(one)) return taken;
    taken.push(one);
  }
}

test('one tenant gets four fifths of the places, and another finds room', () => {
  const shares = new WindowShares(100, new ManualClock());
  assert.equal(takeAll(shares, 'acme', 1).length, 80);
  assert.ok(takeAll(shares, 'beta', 200).length > 10);
});

test('a nak’ed event keeps its place until it is redelivered and ends', () => {
  const shares = new WindowShares(100, new ManualClock());
  const [first] = takeAll(shares, 'acme', 1) as [ConsumedEvent];
  shares.end(first, 1000);
  assert.deepEqual(shares.readAgain('acme', 0), [1]);
  assert.equal(shares.tryTake(event('acme', 300)), false);
  const again = event('acme', 1);
  assert.equal(shares.tryTake(again), true);
  assert.deepEqual(shares.readAgain('acme', 0), []);
  shares.end(again, undefined);
  assert.equal(shares.tryTake(event('acme', 301)), true);
});

test('a nak’ed event frees its place when its redelivery is acked without one', () => {
  const shares = new WindowShares(100, new ManualClock());
  const [first] = takeAll(shares, 'acme', 1) as [ConsumedEvent];
  shares.end(first, 1000);
  shares.end(event('acme', 1), undefined);
  assert.deepEqual(shares.readAgain('acme', 0), []);
  assert.equal(shares.tryTake(event('acme', 300)), true);
});

test('the places of nak’ed events are free when they are long overdue, as after a purge', () => {
  const clock = new ManualClock();
  const shares = new WindowShares(100, clock);
  const taken = takeAll(shares, 'acme', 1);
  for (const one of taken) shares.end(one, 1000);
  assert.equal(shares.tryTake(event('acme', 300)), false);
  clock.advance(32_000);
  assert.equal(shares.tryTake(event('acme', 301)), true);
});

test('a nak’ed event keeps the tick of its first arrival until its tenant reads it again', () => {
  const shares = new WindowShares(10, new ManualClock());
  const first = event('acme', 1);
  first.firstTick = 4;
  assert.ok(shares.tryTake(first));
  shares.end(first, 1000);
  assert.equal(shares.firstTickOf(1), 4);
  assert.deepEqual([...shares.restingSince(3)], []);
  assert.deepEqual([...shares.restingSince(4)], ['acme']);
  assert.deepEqual(shares.readAgain('acme', 7), [1]);
  assert.deepEqual([...shares.restingSince(6)], []);
});

test('a nak’ed event no longer counts when it is long overdue, as after a purge', () => {
  const clock = new ManualClock();
  const shares = new WindowShares(10, clock);
  const first = event('acme', 1);
  assert.ok(shares.tryTake(first));
  shares.end(first, 1000);
  clock.advance(31_000);
  assert.deepEqual([...shares.restingSince(100)], []);
});
