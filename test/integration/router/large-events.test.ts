/** Filters over the data of large events, which is not in them (IN-12, RT-1). */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { limits } from '#domain/limits.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import type { PayloadRef } from '#wire/frames/event-frame.ts';
import { decodeDeliveryFrame } from '#wire/frames/delivery-frame.ts';
import { decodeEventFrame } from '#wire/frames/event-frame.ts';
import { parseDeliverySubject } from '#wire/subjects.ts';
import { RouterPlane, endpoint, subscription, tenant } from './router-plane.ts';

const TENANT = tenant(
  ['ep_all', 'ep_data', 'ep_attribute'].map((id) => endpoint(id)),
  [
    subscription('ep_all', ['*']),
    subscription('ep_data', ['*'], { 'data.total': { $gt: 12 } }),
    subscription('ep_attribute', ['order.*'], { source: '/shop' }),
  ],
);

async function put(plane: RouterPlane, key: string, data: string): Promise<PayloadRef> {
  await plane.core.payloads.put(key, Buffer.from(data), 'application/json');
  return refOf(key, data);
}

function refOf(key: string, data: string): PayloadRef {
  const sha256 = createHash('sha256').update(data).digest('hex');
  return { key, size: Buffer.byteLength(data), sha256 };
}

/** The endpoints that an event was routed to. */
async function endpointsOf(plane: RouterPlane, event: string): Promise<string[]> {
  return (await plane.routed(event)).deliveries.map(({ endpoint }) => endpoint);
}

test('filters see the data of a large event, and its deliveries carry only the reference', async (t) => {
  const plane = await RouterPlane.start(t, [TENANT]);
  const more = await put(plane, 'acme/pay_more', '{"total":12.50}');
  await plane.publish('more', { data: '', payload: more });
  const less = await put(plane, 'acme/pay_less', '{"total":1}');
  await plane.publish('less', { data: '', payload: less });
  assert.deepEqual(await endpointsOf(plane, 'more'), ['ep_all', 'ep_data', 'ep_attribute']);
  assert.deepEqual(await endpointsOf(plane, 'less'), ['ep_all', 'ep_attribute']);
  await plane.settled();
  for (const { data } of await plane.deliveries()) {
    const event = decodeEventFrame(decodeDeliveryFrame(data).eventBytes);
    assert.equal(event.data.length, 0);
    assert.ok(event.head.payload);
  }
});

test('an event with lost or too large data is matched by its attributes', async (t) => {
  const plane = await RouterPlane.start(t, [TENANT]);
  await plane.publish('gone', { data: '', payload: refOf('acme/pay_gone', '{"total":13}') });
  const size = limits.filterPayloadBytesMax + 1;
  const ref = await put(plane, 'acme/pay_large', '{"total":13}');
  await plane.publish('large', { data: '', payload: { ...ref, size } });
  for (const event of ['gone', 'large']) {
    assert.deepEqual(await endpointsOf(plane, event), ['ep_all', 'ep_attribute'], event);
  }
});

test('the events of a tenant keep their order around a large one', async (t) => {
  const plane = await RouterPlane.start(t, [TENANT], { started: false });
  const ref = await put(plane, 'acme/pay_more', `{"total":13,"x":"${'x'.repeat(1_000_000)}"}`);
  const ids: string[] = [];
  for (let i = 0; i < 30; i++) {
    const id = `e${i}`;
    ids.push(id);
    await plane.publish(id, i % 7 === 0 ? { data: '', payload: ref } : {});
  }
  await plane.router?.start();
  await waitUntil(async () => (await plane.routedCount()) === ids.length, { deadlineMs: 20_000 });
  const order = (await plane.deliveries())
    .filter(({ subject }) => parseDeliverySubject(subject).endpoint === 'ep_data')
    .map(({ data }) => decodeEventFrame(decodeDeliveryFrame(data).eventBytes).head.id);
  assert.deepEqual(order, ids);
});

test("a tenant's large event delays no other tenant, and needs no store without a filter", async (t) => {
  const other = { ...tenant([endpoint('ep_o')], [subscription('ep_o', ['*'])]), id: 'other' };
  const settings = { router: { shutdownDeadlineMs: 200 } };
  const plane = await RouterPlane.start(t, [TENANT, other], { settings });
  const ref = await put(plane, 'acme/pay_more', '{"total":13}');
  await plane.core.jsm.streams.delete('OBJ_PAYLOADS');
  await plane.publish('stuck', { data: '', payload: ref });
  await plane.publish('o1', { tenant: 'other' });
  await plane.publish('o2', { tenant: 'other', data: '', payload: ref });
  assert.deepEqual(await endpointsOf(plane, 'o1'), ['ep_o']);
  assert.deepEqual(await endpointsOf(plane, 'o2'), ['ep_o']);
  // The event is not lost: the router retries until the store answers.
  assert.equal((await plane.core.storedRecords()).length, 2);
  const { num_ack_pending } = await plane.core.jsm.consumers.info('EV-0', 'router');
  assert.equal(num_ack_pending, 1);
});
