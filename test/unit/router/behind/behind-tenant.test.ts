import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsMsg } from '@nats-io/jetstream';
import { type BehindShard, BehindTenant } from '#src/router/behind/behind-tenant.ts';
import type { Walk } from '#src/router/behind/walk.ts';
import { ConsumedEvent } from '#src/router/in-flight-event.ts';

/** A tenant whose walk has read all events up to the sequence 3, and routes the last ones. */
async function leaving(isResting: boolean) {
  const { promise: areRead, resolve } = Promise.withResolvers<void>();
  const shard: BehindShard = {
    lives: { drops: () => false },
    save: () => Promise.resolve(),
    isWanted: () => true,
    tryTake: () => true,
    route: () => {},
    onCaughtUp: () => {},
    onStep: (step) => (step === 'read' ? resolve() : undefined),
  };
  const walk: Partial<Walk> = {
    isIdle: false,
    isResting,
    hasRead: () => true,
    readUpTo: () => Promise.resolve(),
  };
  const start = { since: 1, from: 1, waiting: 3, target: 3, joined: [], isStored: true };
  const behind = new BehindTenant({ shard, tenant: 'acme', ...start, walk: () => walk as Walk });
  void behind.catchUp();
  await areRead;
  return behind;
}

/** Gives the tenant an event of the consumer; returns whether it was acked for the walk. */
function isAcked(behind: BehindTenant): boolean {
  let acked = false;
  const source = { restMsMax: 30_000, isOwner: () => true, onEnd: () => {} };
  const message = { seq: 4, subject: 'ev.0.acme.x', ack: () => (acked = true), working: () => {} };
  behind.take(new ConsumedEvent(message as object as JsMsg, source));
  return acked;
}

test('a new event is held while the last ones that were read are being routed', async () => {
  assert.equal(isAcked(await leaving(false)), false);
});

test('a new event does not wait when the last ones that were read are only delayed', async () => {
  const behind = await leaving(true);
  assert.equal(isAcked(behind), true);
  assert.equal(behind.state?.waiting, 4);
});
