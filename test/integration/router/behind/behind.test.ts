/** Tenants that are behind: their backlog delays no other tenant, and keeps its order. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { routerFloor } from '#infra/nats/consume/router-floor.ts';
import type { BehindStep } from '#src/router/behind/behind-tenant.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import type { TenantSnapshot } from '#wire/config-snapshot.ts';
import { consumers, streams, subjects } from '#wire/subjects.ts';
import { RouterPlane, endpoint, subscription, tenant } from '../router-plane.ts';
import {
  WINDOW,
  assertAllOnce,
  behind,
  deliveryCount,
  eventSeqs,
  greedy,
  publishMany,
  startNarrow,
  untilBehind,
  untilNoneBehind,
} from './behind-plane.ts';

/** A tenant with four endpoints, which match all events of a type. */
function wide(id: string, type = '*'): TenantSnapshot {
  const ids = ['ep_1', 'ep_2', 'ep_3', 'ep_4'];
  return tenant(
    ids.map((one) => endpoint(one)),
    ids.map((one) => subscription(one, [type])),
    id,
  );
}

const OTHER = tenant([endpoint('ep_o')], [subscription('ep_o', ['*'])], 'beta');

test('an event of another tenant is routed while 5,000 events with expensive filters wait', async (t) => {
  const filter = { 'data.text': { $regex: '[ab]*a[ab]{900}c' } };
  const expensive = tenant([endpoint('ep_1')], [subscription('ep_1', ['*'], filter)]);
  const settings = { router: { shutdownDeadlineMs: 100 } };
  const plane = await RouterPlane.start(t, [expensive, OTHER], { settings, started: false });
  const data = JSON.stringify({ text: 'ab'.repeat(1600) });
  for (let from = 0; from < 5000; from += 500) {
    const some = Array.from({ length: 500 }, (_, i) => plane.publish(`a${from + i}`, { data }));
    await Promise.all(some);
  }
  await plane.publish('b1', { tenant: 'beta' });
  await plane.router?.start();
  await plane.routed('b1');
  const routed = await plane.routedCount();
  assert.ok(routed < 1000, `${routed} events were routed before it`);
  assert.deepEqual(Object.keys(await behind(plane)), ['acme']);
});

test('an event of a third tenant is routed while two tenants with large fan-outs are behind', async (t) => {
  const [one, two] = [greedy('acme', 30), greedy('gamma', 30)];
  const plane = await startNarrow(t, [one, two, OTHER]);
  for (let from = 0; from < 40; from += 10) {
    await publishMany(plane, 'acme', from, 10);
    await publishMany(plane, 'gamma', from, 10);
  }
  await plane.publish('b1', { tenant: 'beta' });
  await plane.router?.start();
  await plane.routed('b1');
  const counts = [await deliveryCount(plane, 'acme'), await deliveryCount(plane, 'gamma')];
  for (const count of counts) {
    assert.ok(count < 40 * 15, `${counts.join(' and ')} deliveries of others went first`);
  }
  // Both continue concurrently: neither waits for the end of the other.
  await waitUntil(async () => (await deliveryCount(plane, 'acme')) >= 40 * 20);
  const other = await deliveryCount(plane, 'gamma');
  assert.ok(other > 40 * 5, `gamma had ${other} deliveries by then`);
  await assertAllOnce(plane, one);
  await assertAllOnce(plane, two);
});

test('an ordered endpoint gets the events of before, during and after its tenant is behind in order', async (t) => {
  const one = greedy('acme', 3);
  const plane = await startNarrow(t, [one, OTHER]);
  await publishMany(plane, 'acme', 0, 200);
  await plane.router?.start();
  await untilBehind(plane, 'acme');
  for (let from = 200; from < 400; from += 20) await publishMany(plane, 'acme', from, 20);
  await untilNoneBehind(plane);
  await publishMany(plane, 'acme', 400, 5);
  await assertAllOnce(plane, one);
});

test('the floor of the router stays below the unrouted events of a tenant that is behind', async (t) => {
  const gate = Promise.withResolvers<void>();
  t.after(() => gate.resolve());
  const plane = await startNarrow(t, [greedy('acme', 3), OTHER]);
  const onBehindStep = (step: BehindStep) => (step === 'acked' ? gate.promise : undefined);
  await (await plane.another('router-2', 8, { onBehindStep })).start();
  await publishMany(plane, 'acme', 0, 100);
  await plane.settled();
  const { jsm } = plane.core;
  const { ack_floor } = await jsm.consumers.info(streams.events(0), consumers.router);
  assert.equal(ack_floor.stream_seq, 100);
  // The events that were in flight are routed, and the walk waits.
  const from = await waitUntil(async () => {
    const state = (await behind(plane))['acme'];
    return state !== undefined && state.waiting === 101 - state.from && state.from;
  });
  assert.ok(from > 1 && from <= WINDOW, `behind from ${from}`);
  assert.equal(await routerFloor(jsm, 0), from - 1);
  gate.resolve();
  await untilNoneBehind(plane);
  assert.equal(await routerFloor(jsm, 0), 100);
});

test('a tenant stays behind when its new events exceed its share while the last ones are routed', async (t) => {
  const one = greedy('acme', 3);
  const plane = await startNarrow(t, [one, OTHER]);
  let reads = 0;
  const reached = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  t.after(() => gate.resolve());
  const onBehindStep = (step: BehindStep) => {
    if (step !== 'read') return;
    if (++reads > 1) return;
    reached.resolve();
    return gate.promise;
  };
  await (await plane.another('router-2', 8, { onBehindStep })).start();
  await publishMany(plane, 'acme', 0, 100);
  await reached.promise;
  await publishMany(plane, 'acme', 100, 100);
  await plane.publish('b1', { tenant: 'beta' });
  await plane.routed('b1');
  gate.resolve();
  await assertAllOnce(plane, one);
  assert.ok(reads > 1);
});

test('events that arrive while the key of a tenant is removed are held, and routed in order', async (t) => {
  const one = greedy('acme', 3);
  const plane = await startNarrow(t, [one, OTHER]);
  const reached = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  t.after(() => gate.resolve());
  const onBehindStep = (step: BehindStep) => {
    if (step !== 'removed') return;
    reached.resolve();
    return gate.promise;
  };
  await (await plane.another('router-2', 8, { onBehindStep })).start();
  await publishMany(plane, 'acme', 0, 100);
  await reached.promise;
  assert.deepEqual(await behind(plane), {});
  await publishMany(plane, 'acme', 100, 10);
  await waitUntil(async () => {
    const info = await plane.core.jsm.consumers.info(streams.events(0), consumers.router);
    return info.num_ack_pending === 10 && info.num_pending === 0;
  });
  assert.equal(await deliveryCount(plane, 'acme'), 100 * one.endpoints.length);
  gate.resolve();
  await assertAllOnce(plane, one);
});

test('an event that is in flight for long is acked, and its tenant keeps its order', async (t) => {
  const one = greedy('acme', 3);
  const unmatched = { ...one, subscriptions: [] };
  const plane = await startNarrow(t, [unmatched, OTHER]);
  const gate = Promise.withResolvers<void>();
  t.after(() => gate.resolve());
  // The first event matches nothing, so it waits for a refresh of its tenant.
  plane.refreshes = gate.promise;
  await (await plane.another('router-2', 8, { behindTickMs: 20 })).start();
  await publishMany(plane, 'acme', 0, 3);
  await plane.publish('b1', { tenant: 'beta' });
  await plane.routed('b1');
  await plane.settled();
  const { jsm } = plane.core;
  const { ack_floor } = await jsm.consumers.info(streams.events(0), consumers.router);
  assert.equal(ack_floor.stream_seq, 4);
  assert.equal(await routerFloor(jsm, 0), 0);
  await publishMany(plane, 'acme', 3, 30);
  // Held for long, they are acked as well.
  await plane.settled();
  assert.equal(await deliveryCount(plane, 'acme'), 0);
  plane.tenants.set('acme', one);
  gate.resolve();
  await assertAllOnce(plane, one);
});

test('events that are delayed for their fan-out do not use up the window', async (t) => {
  const settings = { router: { fanOutDelays: [{ over: 3, delayMs: 120_000 }] } };
  const plane = await startNarrow(t, [wide('acme'), OTHER], { settings });
  await plane.router?.start();
  await publishMany(plane, 'acme', 0, 2 * WINDOW);
  await plane.publish('b1', { tenant: 'beta' });
  await plane.routed('b1');
  assert.equal(await deliveryCount(plane, 'acme'), 0);
});

test('an event is routed while many earlier ones of its tenant are delayed for hours', async (t) => {
  const settings = { router: { fanOutDelays: [{ over: 3, delayMs: 99_999_000 }] } };
  const large = wide('acme', 'large');
  const small = subscription('ep_1', ['small']);
  const one = { ...large, subscriptions: [...large.subscriptions, small] };
  const plane = await startNarrow(t, [one], { settings });
  await plane.router?.start();
  // One after the other: each is read alone, and would hold one of 64 slots.
  for (let n = 0; n < 70; n++) await plane.publish(`l${n}`, { type: 'large' });
  await untilBehind(plane, 'acme');
  await plane.publish('s1', { type: 'small' });
  await plane.routed('s1');
  assert.equal(await deliveryCount(plane, 'acme'), 1);
});

test('an event that is delayed for long is acked, and stays above the floor of the router', async (t) => {
  const settings = { router: { fanOutDelays: [{ over: 3, delayMs: 99_999_000 }] } };
  const plane = await startNarrow(t, [wide('gamma'), OTHER], { settings });
  await (await plane.another('router-2', 8, { behindTickMs: 20 })).start();
  await publishMany(plane, 'gamma', 0, 1);
  await plane.publish('b1', { tenant: 'beta' });
  await plane.routed('b1');
  await plane.settled();
  const { jsm } = plane.core;
  const { ack_floor } = await jsm.consumers.info(streams.events(0), consumers.router);
  assert.equal(ack_floor.stream_seq, 2);
  assert.equal(await routerFloor(jsm, 0), 0);
  assert.equal(await deliveryCount(plane, 'gamma'), 0);
});

test('a tenant that is deleted while it is behind is behind no more, and events of others are routed', async (t) => {
  const plane = await startNarrow(t, [greedy('acme', 30), OTHER]);
  await publishMany(plane, 'acme', 0, 200);
  await plane.router?.start();
  await untilBehind(plane, 'acme');
  plane.tenants.delete('acme');
  await plane.core.jsm.streams.purge(streams.events(0), { filter: subjects.eventsOf('acme') });
  await untilNoneBehind(plane);
  await plane.publish('b1', { tenant: 'beta' });
  await plane.routed('b1');
  await plane.settled();
});

test('events of an ended life that is behind are dropped, and those of the new life are routed', async (t) => {
  const one = greedy('acme', 30);
  const plane = await startNarrow(t, [one]);
  await publishMany(plane, 'acme', 0, 200);
  await plane.router?.start();
  await untilBehind(plane, 'acme');
  plane.tenants.set('acme', { ...one, life: 1 });
  await plane.publish('n1', { tenant: 'acme=1' });
  await untilNoneBehind(plane);
  await plane.settled();
  assert.equal(await deliveryCount(plane, 'acme=1'), 31);
  const routed = (await deliveryCount(plane, 'acme')) / 31;
  assert.ok(routed < 200, 'all events of the ended life were routed');
  assert.equal((await eventSeqs(plane, 'acme')).length, 200);
});

test('nothing is written for tenants within their share', async (t) => {
  const plane = await startNarrow(t, [greedy('acme', 3), OTHER]);
  await plane.router?.start();
  await waitUntil(async () => (await plane.owners()).size === 1);
  const revision = async () => (await plane.core.jsm.streams.info('KV_BEHIND')).state.last_seq;
  const before = await revision();
  for (let n = 0; n < 20; n++) {
    await publishMany(plane, 'acme', n, 1);
    await plane.routed(`acme-${n}`);
  }
  await plane.settled();
  assert.equal(await revision(), before);
  assert.equal(await deliveryCount(plane, 'acme'), 80);
});
