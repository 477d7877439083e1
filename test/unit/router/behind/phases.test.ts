import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsMsg } from '@nats-io/jetstream';
import { type BehindShard, BehindTenant } from '#src/router/behind/behind-tenant.ts';
import type { Walk } from '#src/router/behind/walk.ts';
import { ConsumedEvent } from '#src/router/in-flight-event.ts';

/** A tenant of a shard whose walk is controlled by the test; `log` has what happened, in order. */
function course(start: { isStored: boolean; joined?: number[]; isWanted?: () => boolean }) {
  const log: string[] = [];
  const event = (seq: number, isOwner = true): ConsumedEvent => {
    const act = (what: string) => () => log.push(`${what} ${seq}`);
    const message = { seq, subject: 'ev.0.acme.x', ack: act('ack'), working: act('working') };
    const source = { restMsMax: 30_000, isOwner: () => isOwner, onEnd: act('end') };
    return new ConsumedEvent(message as object as JsMsg, source);
  };
  const shard: BehindShard = {
    lives: { drops: () => false },
    save: async () => void log.push('save'),
    isWanted: start.isWanted ?? (() => true),
    tryTake: () => true,
    route: ({ seq }) => log.push(`route ${seq}`),
    onCaughtUp: (_tenant, held) => log.push(`caught up with ${held.map(({ seq }) => seq).join()}`),
    onStep: (step) => void log.push(step),
  };
  const idle = { isIdle: true, isResting: false, isQuiet: true };
  const reports: (() => void)[] = [];
  const walk: Partial<Walk> & { isIdle: boolean } = {
    ...idle,
    from: 1,
    join: () => {},
    isOpen: () => true,
    hasRead: () => true,
    readUpTo: () => Promise.resolve(),
  };
  const behind = new BehindTenant({
    shard,
    tenant: 'acme',
    since: 2,
    waiting: 0,
    target: 3,
    joined: (start.joined ?? []).map((seq) => event(seq)),
    isStored: start.isStored,
    walk: (onRouted) => {
      reports.push(onRouted);
      return walk as Walk;
    },
  });
  return { behind, event, log, walk, onRouted: () => reports[0]?.() };
}

test('the key is stored before the first event is acked without routing', async () => {
  const { behind, event, log } = course({ isStored: false, joined: [3] });
  await behind.enter(event(5));
  const acked = ['save', 'entered', 'ack 3', 'end 3', 'ack 5', 'end 5', 'acked'];
  assert.deepEqual(log, [...acked, 'read', 'routed', 'save', 'removed', 'caught up with ']);
  assert.equal(behind.state, undefined);
});

test('nothing is acked when no further events are wanted after the key is stored', async () => {
  const { behind, event, log } = course({ isStored: false, joined: [3], isWanted: () => false });
  await behind.enter(event(5));
  assert.deepEqual(log, ['save', 'entered']);
  behind.stop();
  assert.deepEqual(log.slice(2), ['end 5']);
});

test('an event before the first unrouted one is routed, and one that was read is acked', () => {
  const { behind, event, log } = course({ isStored: true });
  behind.take(event(1));
  behind.take(event(3));
  behind.take(event(3, false));
  assert.deepEqual(log, ['route 1', 'ack 3', 'end 3', 'end 3']);
});

test('events held while leaving are routed by the consumer when the last one is routed', async () => {
  const { behind, event, log, walk, onRouted } = course({ isStored: true });
  walk.isIdle = false;
  const caughtUp = behind.catchUp();
  await new Promise(setImmediate);
  behind.take(event(4));
  behind.working(() => false);
  assert.deepEqual(log, ['read', 'working 4']);
  walk.isIdle = true;
  onRouted();
  await caughtUp;
  assert.deepEqual(log.slice(2), ['routed', 'save', 'removed', 'caught up with 4']);
});

test('held events are acked for the walk when they are held for long', async () => {
  const { behind, event, log, walk, onRouted } = course({ isStored: true });
  walk.isIdle = false;
  const caughtUp = behind.catchUp();
  await new Promise(setImmediate);
  behind.take(event(4));
  walk.isIdle = true;
  behind.working(() => true);
  assert.equal(behind.state?.waiting, 1);
  onRouted();
  await caughtUp;
  assert.deepEqual(
    log.filter((line) => line.endsWith('4')),
    ['ack 4', 'end 4'],
  );
  assert.equal(log.at(-1), 'caught up with ');
});
