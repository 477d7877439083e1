/** Expensive filters: they delay no other tenant, and keep the guarantees of their own tenant. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { waitUntil } from '#testkit/wait-until.ts';
import type { SubscriptionSnapshot, TenantSnapshot } from '#wire/config-snapshot.ts';
import { decodeDeliveryFrame } from '#wire/frames/delivery-frame.ts';
import { decodeEventFrame } from '#wire/frames/event-frame.ts';
import { consumers, parseDeliverySubject, streams } from '#wire/subjects.ts';
import { RouterPlane, endpoint, subscription, tenant } from './router-plane.ts';

/** About 3 million steps for each filter. */
const DATA = JSON.stringify({ text: 'ab'.repeat(1600) });

/** A tenant with this many filters for `order.created`, of which only the last matches. */
function expensive(filters: number): TenantSnapshot {
  const ids = Array.from({ length: filters }, (_, i) => `ep_${i}`);
  const subscriptions: SubscriptionSnapshot[] = ids.map((id) =>
    subscription(id, ['order.created'], { 'data.text': { $regex: '[ab]*a[ab]{900}c' } }),
  );
  const ordered = { ...endpoint('ep_ordered'), ordered: { onExhausted: 'dead_letter' as const } };
  return tenant(
    [...ids.map((id) => endpoint(id)), ordered],
    [...subscriptions, subscription('ep_ordered', ['order.*'], { 'data.text': { $exists: true } })],
  );
}

const OTHER = tenant([endpoint('ep_o')], [subscription('ep_o', ['*'])], 'beta');

async function stored(plane: RouterPlane): Promise<string[]> {
  return (await plane.deliveries()).map(({ subject, data }) => {
    const { tenant: id } = parseDeliverySubject(subject);
    return `${id} ${decodeEventFrame(decodeDeliveryFrame(data).eventBytes).head.id}`;
  });
}

/** So many events are not acked. */
async function deliveriesStored(plane: RouterPlane, events: number): Promise<void> {
  await waitUntil(async () => {
    const info = await plane.core.jsm.consumers.info(streams.events(0), consumers.router);
    return info.num_ack_pending === events;
  });
}

test('an event of another tenant is routed while expensive filters run, and order is kept', async (t) => {
  const plane = await RouterPlane.start(t, [expensive(12), OTHER], { started: false });
  await plane.publish('a1', { data: DATA });
  await plane.publish('a2', { type: 'order.paid', data: DATA });
  await plane.publish('a3', { data: DATA });
  await plane.publish('a4', { type: 'order.paid', data: DATA });
  for (let i = 1; i <= 40; i++) await plane.publish(`b${i}`, { tenant: 'beta' });
  await plane.router?.start();
  await plane.routed('a4');
  await plane.settled();
  const order = await stored(plane);
  const ofBeta = Array.from({ length: 40 }, (_, i) => `beta b${i + 1}`);
  assert.deepEqual(order, [...ofBeta, 'acme a1', 'acme a2', 'acme a3', 'acme a4']);
});

test('a router that stops during an event publishes nothing of it, and the next router publishes all of it', async (t) => {
  const settings = { router: { shutdownDeadlineMs: 100 } };
  const plane = await RouterPlane.start(t, [expensive(500), OTHER], { settings });
  await plane.publish('a1', { data: DATA });
  await plane.publish('a2', { type: 'order.paid', data: DATA });
  await plane.publish('b1', { tenant: 'beta' });
  await plane.routed('b1');
  await deliveriesStored(plane, 2);
  await plane.router?.stop(5000);
  assert.deepEqual(await stored(plane), ['beta b1']);
  await deliveriesStored(plane, 2);
  plane.tenants.set('acme', expensive(1));
  await (await plane.another('router-2')).start();
  await plane.routed('a2');
  assert.deepEqual(await stored(plane), ['beta b1', 'acme a1', 'acme a2']);
  await plane.settled();
});
