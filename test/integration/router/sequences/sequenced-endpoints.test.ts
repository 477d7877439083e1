import assert from 'node:assert/strict';
import { test } from 'node:test';
import { waitUntil } from '#testkit/wait-until.ts';
import type { EndpointSnapshot } from '#wire/config-snapshot.ts';
import { decodeDeliveryFrame } from '#wire/frames/delivery-frame.ts';
import { parseDeliverySubject, streams } from '#wire/subjects.ts';
import { storedMessages } from '../../nats-core.ts';
import { RouterPlane, endpoint, subscription, tenant } from '../router-plane.ts';

const SEQUENCED: EndpointSnapshot = { ...endpoint('ep_1'), sequenced: true };

function tenants(endpoints: EndpointSnapshot[], id = 'acme') {
  const subscriptions = endpoints.map((one) => subscription(one.id, ['*']));
  return [tenant(endpoints, subscriptions, id)];
}

/** The numbers of the deliveries to an endpoint by event sequence. */
async function numbersOf(plane: RouterPlane, id: string): Promise<Map<number, number | undefined>> {
  const numbers = new Map<number, number | undefined>();
  for (const { subject, data } of await plane.deliveries()) {
    if (parseDeliverySubject(subject).endpoint !== id) continue;
    const { head } = decodeDeliveryFrame(data);
    numbers.set(head.eventSeq, head.sequence);
  }
  return numbers;
}

test('deliveries to a sequenced endpoint carry numbers, others carry none', async (t) => {
  const plane = await RouterPlane.start(t, tenants([SEQUENCED, endpoint('ep_2')]));
  for (const id of ['a', 'b', 'c']) await plane.publish(id);
  const { deliveries } = await plane.routed('c');
  assert.deepEqual(
    new Map(deliveries.map(({ endpoint: to, sequence }) => [to, sequence])),
    new Map([
      ['ep_1', 3],
      ['ep_2', undefined],
    ]),
    'the record for the history names the number',
  );
  assert.deepEqual([...(await numbersOf(plane, 'ep_1')).values()], [1, 2, 3]);
  assert.deepEqual([...new Set((await numbersOf(plane, 'ep_2')).values())], [undefined]);
  await plane.settled();
});

test('an ordered endpoint gets its numbers in the order of its queue', async (t) => {
  const ordered = { ...SEQUENCED, ordered: { onExhausted: 'dead_letter' as const } };
  const plane = await RouterPlane.start(t, tenants([ordered]));
  const ids = Array.from({ length: 30 }, (_, i) => `e${i}`);
  await Promise.all(ids.map((id) => plane.publish(id)));
  await waitUntil(async () => (await plane.deliveries()).length === ids.length);
  const inQueue = (await plane.deliveries()).map(({ data }) => decodeDeliveryFrame(data).head);
  assert.deepEqual(
    inQueue.map(({ sequence }) => sequence),
    ids.map((_, i) => i + 1),
  );
});

test('held deliveries have numbers too', async (t) => {
  const plane = await RouterPlane.start(t, tenants([{ ...SEQUENCED, state: 'paused' }]));
  await plane.publish('a');
  await plane.routed('a');
  const [message] = await plane.deliveries();
  assert.ok(message);
  assert.equal(parseDeliverySubject(message.subject).deliveryClass, 'x');
  assert.equal(decodeDeliveryFrame(message.data).head.sequence, 1);
});

test('no number is lost or given twice when routers die while they number', async (t) => {
  const plane = await RouterPlane.start(t, tenants([SEQUENCED]));
  const EVENTS = 120;
  for (let i = 0; i < EVENTS; i++) {
    await plane.publish(`e${i}`);
    // The next router takes over with events in flight: some are numbered and not published.
    if (i % 40 === 20) {
      const next = await plane.another(`router-${i}`);
      void plane.router?.stop(0);
      await next.start();
      plane.router = next;
    }
  }
  await waitUntil(async () => (await numbersOf(plane, 'ep_1')).size === EVENTS, {
    what: 'every event has its delivery',
    deadlineMs: 60_000,
  });
  const numbers = [...(await numbersOf(plane, 'ep_1')).values()].toSorted(
    (a, b) => (a ?? 0) - (b ?? 0),
  );
  assert.deepEqual(
    numbers,
    Array.from({ length: EVENTS }, (_, i) => i + 1),
  );
  const stored = await storedMessages(plane.core.jsm, streams.sequences);
  assert.equal(stored.length, EVENTS, 'each delivery used one number');
});

test('events wait while the numbers cannot be stored, and get them afterwards', async (t) => {
  const plane = await RouterPlane.start(t, tenants([SEQUENCED]));
  await plane.publish('a');
  await plane.routed('a');
  await plane.core.jsm.streams.update(streams.sequences, { max_msg_size: 1 });
  await plane.publish('b');
  await waitUntil(async () => (await plane.deliveries()).length === 1);
  await plane.core.jsm.streams.update(streams.sequences, { max_msg_size: -1 });
  await plane.routed('b');
  assert.deepEqual([...(await numbersOf(plane, 'ep_1')).values()], [1, 2]);
  await plane.settled();
});
