/** Deliveries of an ordered endpoint are stored in the order of the events (DL-16). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { waitUntil } from '#testkit/wait-until.ts';
import type { EndpointSnapshot } from '#wire/config-snapshot.ts';
import { decodeDeliveryFrame } from '#wire/frames/delivery-frame.ts';
import { consumers, parseDeliverySubject, streams, subjects } from '#wire/subjects.ts';
import { RouterPlane, endpoint, subscription, tenant } from './router-plane.ts';

function ordered(id: string, state: EndpointSnapshot['state'] = 'active'): EndpointSnapshot {
  return { ...endpoint(id, state), ordered: { onExhausted: 'dead_letter' } };
}

async function queueOf(plane: RouterPlane, id: string): Promise<number[]> {
  const stored = await plane.deliveries();
  return stored
    .filter(({ subject }) => subject === subjects.ordered('acme', id))
    .map(({ data }) => decodeDeliveryFrame(data).head.eventSeq);
}

/** Counts without reading: a poll that reads hundreds of messages slows the routing down. */
async function queueLength(plane: RouterPlane, id: string): Promise<number> {
  const subject = subjects.ordered('acme', id);
  const stream = streams.deliveries(0);
  const { state } = await plane.core.jsm.streams.info(stream, { subjects_filter: subject });
  return state.subjects?.[subject] ?? 0;
}

test('deliveries of an ordered endpoint go to its queue, high-priority and held ones too, and others do not', async (t) => {
  const plane = await RouterPlane.start(t, [
    tenant(
      [ordered('ep_1'), ordered('ep_2', 'paused'), endpoint('ep_3')],
      ['ep_1', 'ep_2', 'ep_3'].map((id) => subscription(id, ['*'])),
    ),
  ]);
  await plane.publish('e1', { priority: 'high' });
  await plane.publish('e2');
  const { deliveries } = await plane.routed('e2');
  assert.deepEqual(deliveries.map(({ endpoint, status }) => `${endpoint} ${status}`).toSorted(), [
    'ep_1 pending',
    'ep_2 held',
    'ep_3 pending',
  ]);
  await plane.settled();
  assert.deepEqual(await queueOf(plane, 'ep_1'), [1, 2]);
  assert.deepEqual(await queueOf(plane, 'ep_2'), [1, 2]);
  const lanes = (await plane.deliveries()).map(
    ({ subject }) => parseDeliverySubject(subject).deliveryClass,
  );
  assert.deepEqual(lanes.toSorted(), ['h', 'o', 'o', 'o', 'o', 's']);
});

test('ordered queues contain each delivery once and in order when the server is killed during routing', async (t) => {
  const ids = ['ep_1', 'ep_2', 'ep_3'];
  const plane = await RouterPlane.start(
    t,
    [
      tenant(
        ids.map((id) => ordered(id)),
        ids.map((id) => subscription(id, ['*'])),
      ),
    ],
    { window: 8, started: false },
  );
  for (let i = 0; i < 300; i++) await plane.publish(`e${i}`);
  await plane.router?.start();
  await waitUntil(async () => (await queueLength(plane, 'ep_1')) > 20, {
    what: 'routing is under way',
  });
  await plane.core.killServer();
  await plane.core.restartServer();
  const all = Array.from({ length: 300 }, (_, i) => i + 1);
  for (const id of ids) {
    await waitUntil(async () => (await queueLength(plane, id)) >= 300, {
      what: `all are queued for ${id}`,
      // Events in flight at the kill are redelivered after 30 s, then they are routed.
      deadlineMs: 120_000,
      intervalMs: 250,
    });
    assert.deepEqual(await queueOf(plane, id), all);
  }
});

test('an event that waits for a refresh is not overtaken by the next', async (t) => {
  const known = tenant([ordered('ep_1')], [subscription('ep_1', ['*'])]);
  const plane = await RouterPlane.start(t, [], { late: [known] });
  const gate = Promise.withResolvers<void>();
  t.after(() => gate.resolve());
  plane.refreshes = gate.promise;
  const unackedReaches = async (count: number): Promise<void> => {
    await waitUntil(async () => {
      const info = await plane.core.jsm.consumers.info(streams.events(0), consumers.router);
      return info.num_ack_pending === count;
    });
  };
  await plane.publish('e1');
  await unackedReaches(1);
  plane.tenants.set('acme', known);
  await plane.publish('e2');
  await unackedReaches(2);
  gate.resolve();
  await plane.settled();
  assert.deepEqual(await queueOf(plane, 'ep_1'), [1, 2]);
});
