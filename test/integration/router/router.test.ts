import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deliveryId } from '#domain/ids.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { decodeDeliveryFrame } from '#wire/frames/delivery-frame.ts';
import { decodeEventFrame } from '#wire/frames/event-frame.ts';
import { consumers, parseDeliverySubject, streams, subjects } from '#wire/subjects.ts';
import type { StoredMessage } from '../nats-core.ts';
import { RouterPlane, endpoint, subscription, tenant } from './router-plane.ts';

test('an event becomes one delivery for each endpoint that matches, however many subscriptions do', async (t) => {
  const plane = await RouterPlane.start(t, [
    tenant(
      ['ep_1', 'ep_2', 'ep_3', 'ep_4', 'ep_5'].map((id) => endpoint(id)),
      [
        subscription('ep_1', ['order.created']),
        subscription('ep_1', ['*']),
        subscription('ep_2', ['order.*']),
        subscription('ep_3', ['invoice.*', 'order']),
        subscription('ep_4', ['*'], { 'data.total': { $gt: 12 }, region: 'eu' }),
        subscription('ep_5', ['*'], { 'data.total': { $gt: 13 } }),
      ],
    ),
  ]);
  const data = '{"total":12.50,"total":12.50}';
  const head = await plane.publish('e1', { data, ext: { region: 'eu' } });
  const record = await plane.routed('e1');
  const stored = await plane.deliveries();
  assert.deepEqual(
    stored.map(({ subject }) => subject),
    ['ep_1', 'ep_2', 'ep_4'].map((id) => subjects.delivery('acme', id)),
  );
  for (const { data: bytes, subject, messageId } of stored) {
    const { head: delivery, eventBytes } = decodeDeliveryFrame(bytes);
    const id = deliveryId('acme', 'e1', parseDeliverySubject(subject).endpoint);
    assert.deepEqual(delivery, {
      id,
      endpoint: parseDeliverySubject(subject).endpoint,
      attemptNo: 1,
      hop: 0,
      eventSeq: 1,
    });
    assert.equal(messageId, `${id}:0`);
    const event = decodeEventFrame(eventBytes);
    assert.deepEqual(event.head, head);
    assert.equal(event.data.toString(), data);
  }
  assert.deepEqual(record, {
    k: 'routed',
    tenant: 'acme',
    event: 'e1',
    type: 'order.created',
    acceptedMs: head.acceptedMs,
    deliveries: ['ep_1', 'ep_2', 'ep_4'].map((id) => ({
      id: deliveryId('acme', 'e1', id),
      endpoint: id,
      status: 'pending',
    })),
  });
  await plane.settled();
});

test('a redelivered event creates no second delivery', async (t) => {
  const plane = await RouterPlane.start(t, [
    tenant(
      [endpoint('ep_1'), endpoint('ep_2')],
      [subscription('ep_1', ['*']), subscription('ep_2', ['*'])],
    ),
  ]);
  await plane.publish('e1');
  await plane.routed('e1');
  // Unacked events of a dead router are redelivered to the next.
  await plane.core.jsm.consumers.reset(streams.events(0), consumers.router, 1);
  await waitUntil(async () => (await plane.routedCount()) >= 2);
  await plane.settled();
  assert.equal((await plane.deliveries()).length, 2);
});

test('an event that matches nothing is recorded as unmatched, and acked', async (t) => {
  const plane = await RouterPlane.start(t, [
    tenant([endpoint('ep_1')], [subscription('ep_1', ['invoice.*'])]),
  ]);
  await plane.publish('e1');
  assert.deepEqual((await plane.routed('e1')).deliveries, []);
  await plane.settled();
  assert.equal((await plane.deliveries()).length, 0);
});

test('an event of a deleted tenant is unmatched', async (t) => {
  const plane = await RouterPlane.start(t, []);
  await plane.publish('e1');
  assert.deepEqual((await plane.routed('e1')).deliveries, []);
  await plane.settled();
});

test('an event of an ended life of its tenant is acked, unrouted and unrecorded', async (t) => {
  const current = tenant([endpoint('ep_1')], [subscription('ep_1', ['*'])]);
  const plane = await RouterPlane.start(t, [{ ...current, life: 1 }]);
  await plane.publish('old');
  await plane.publish('new', { tenant: 'acme=1' });
  const { deliveries } = await plane.routed('new');
  assert.deepEqual(
    deliveries.map((delivery) => delivery.endpoint),
    ['ep_1'],
  );
  await plane.settled();
  assert.equal(await plane.routedCount(), 1);
  assert.equal((await plane.deliveries()).length, 1);
});

test('an event of a life that the configuration does not have yet waits for it', async (t) => {
  const before = tenant([endpoint('ep_old')], [subscription('ep_old', ['*'])]);
  const next = tenant([endpoint('ep_new')], [subscription('ep_new', ['*'])]);
  const plane = await RouterPlane.start(t, [before], { late: [{ ...next, rev: 2, life: 1 }] });
  await plane.publish('e1', { tenant: 'acme=1' });
  const { deliveries } = await plane.routed('e1');
  assert.deepEqual(
    deliveries.map((delivery) => delivery.endpoint),
    ['ep_new'],
  );
});

test("an event that is ahead of the configuration is routed by the bucket's content", async (t) => {
  const late = tenant([endpoint('ep_1')], [subscription('ep_1', ['*'])]);
  const plane = await RouterPlane.start(t, [], { late: [late] });
  await plane.publish('e1');
  const record = await plane.routed('e1');
  assert.deepEqual(
    record.deliveries.map((delivery) => delivery.endpoint),
    ['ep_1'],
  );
  assert.equal((await plane.deliveries()).length, 1);
});

test('deliveries for paused and disabled endpoints are held', async (t) => {
  const endpoints = [
    endpoint('ep_1', 'paused'),
    endpoint('ep_2', 'disabled'),
    endpoint('ep_3', 'active'),
  ];
  const plane = await RouterPlane.start(t, [
    tenant(
      endpoints,
      endpoints.map(({ id }) => subscription(id, ['*'])),
    ),
  ]);
  await plane.publish('e1');
  const { deliveries } = await plane.routed('e1');
  assert.deepEqual(
    deliveries.map(({ status }) => status),
    ['held', 'held', 'pending'],
  );
  assert.deepEqual(
    (await plane.deliveries()).map(({ subject }) => subject),
    [
      subjects.held('acme', 'ep_1'),
      subjects.held('acme', 'ep_2'),
      subjects.delivery('acme', 'ep_3'),
    ],
  );
});

test('a configuration change applies to the next event', async (t) => {
  const plane = await RouterPlane.start(t, [tenant([endpoint('ep_1')], [])]);
  await plane.publish('e1');
  assert.equal((await plane.routed('e1')).deliveries.length, 0);
  plane.tenants.set('acme', tenant([endpoint('ep_1')], [subscription('ep_1', ['*'])]));
  await plane.publish('e2');
  assert.equal((await plane.routed('e2')).deliveries.length, 1);
});

test('a large event, or one with many endpoints, travels by reference', async (t) => {
  const ids = Array.from({ length: 100 }, (_, i) => `ep_${i}`);
  const plane = await RouterPlane.start(t, [
    tenant(
      ids.map((id) => endpoint(id)),
      [
        subscription('ep_0', ['large']),
        ...ids.map((id) => subscription(id, ['wide'], { 'data.x': { $exists: true } })),
      ],
    ),
  ]);
  const large = JSON.stringify('x'.repeat(17 * 1024));
  const head = await plane.publish('e1', { type: 'large', data: large });
  await plane.routed('e1');
  const wide = JSON.stringify({ x: 'x'.repeat(15 * 1024) });
  await plane.publish('e2', { type: 'wide', data: wide });
  await plane.routed('e2');
  const stored = await plane.deliveries();
  assert.equal(stored.length, 101);
  for (const [i, { data }] of stored.entries()) {
    const { head: delivery, eventBytes } = decodeDeliveryFrame(data);
    assert.equal(eventBytes.length, 0);
    assert.equal(delivery.eventSeq, i === 0 ? 1 : 2);
    assert.deepEqual(delivery.byReference, {
      id: i === 0 ? 'e1' : 'e2',
      type: i === 0 ? 'large' : 'wide',
      acceptedMs: head.acceptedMs,
    });
  }
});

test('high-priority events go to the high-priority lane, and events of a tenant with a lane to that lane', async (t) => {
  const plane = await RouterPlane.start(t, [
    tenant([endpoint('ep_1')], [subscription('ep_1', ['*'])]),
  ]);
  await plane.publish('e1', { priority: 'high', data: JSON.stringify('x'.repeat(17 * 1024)) });
  await plane.routed('e1');
  plane.lanes.add('acme'); // for normal priority, until the lane is removed
  await plane.publish('e2', { priority: 'high' });
  await plane.publish('e3', {});
  await plane.routed('e3');
  plane.lanes.delete('acme');
  await plane.publish('e4', {});
  await plane.routed('e4');
  const all = await plane.deliveries();
  const lanes = (['h', 'h', 't', 's'] as const).map((one) =>
    subjects.delivery('acme', 'ep_1', one),
  );
  assert.deepEqual(
    all.map(({ subject }) => subject),
    lanes,
  );
  const [stored] = all as [StoredMessage];
  assert.equal(decodeDeliveryFrame(stored.data).head.byReference?.priority, 'high');
});

test('a fan-out to 3,000 endpoints through a window of 64 creates one delivery each and acks once', async (t) => {
  const ids = Array.from({ length: 3000 }, (_, i) => `ep_${i}`);
  const plane = await RouterPlane.start(
    t,
    [
      tenant(
        ids.map((id) => endpoint(id)),
        ids.map((id) => subscription(id, ['order.*'])),
      ),
    ],
    { window: 64 },
  );
  await plane.publish('e1');
  await plane.publish('e2', { type: 'invoice.sent' });
  assert.equal((await plane.routed('e1')).total, 3000);
  assert.equal((await plane.routed('e2')).deliveries.length, 0);
  await plane.settled();
  const { state } = await plane.core.jsm.streams.info(streams.deliveries(0), {
    subjects_filter: 'dlv.*.s.>',
  });
  assert.equal(state.messages, 3000);
  assert.equal(Object.keys(state.subjects ?? {}).length, 3000);
  const { delivered } = await plane.core.jsm.consumers.info(streams.events(0), consumers.router);
  assert.equal(delivered.consumer_seq, 2, 'an event was given more than once');
});

test('every endpoint gets one delivery when the server is killed during a fan-out', async (t) => {
  const ids = Array.from({ length: 1000 }, (_, i) => `ep_${i}`);
  const plane = await RouterPlane.start(
    t,
    [
      tenant(
        ids.map((id) => endpoint(id)),
        ids.map((id) => subscription(id, ['*'])),
      ),
    ],
    { window: 16 },
  );
  await plane.publish('e1');
  await waitUntil(async () => {
    const { state } = await plane.core.jsm.streams.info(streams.deliveries(0));
    return state.messages > 50;
  });
  await plane.core.killServer();
  await plane.core.restartServer();
  await plane.routed('e1');
  await plane.settled();
  const found = (await plane.deliveries()).map(
    ({ subject }) => parseDeliverySubject(subject).endpoint,
  );
  assert.equal(found.length, 1000);
  assert.equal(new Set(found).size, 1000);
});

test('an undecodable event is terminated and the next one is routed', async (t) => {
  const plane = await RouterPlane.start(t, [
    tenant([endpoint('ep_1')], [subscription('ep_1', ['*'], { 'data.a': 1 })]),
  ]);
  const damaged = ['rubbish', '{}\n{}', '{"id":"e0","kind":"json","type":"a"}\nnot json'];
  for (const [i, payload] of damaged.entries()) {
    await plane.core.publisher.publishAsync({
      subject: subjects.event('acme', 'a.b'),
      payload: Buffer.from(payload),
      messageId: `damaged-${i}`,
      timeoutMs: 5000,
    });
  }
  await plane.publish('e1', { data: '{"a":1}' });
  assert.equal((await plane.routed('e1')).deliveries.length, 1);
  await plane.settled();
});

test('an internal error delays an event by a second and does not lose it', async (t) => {
  const plane = await RouterPlane.start(t, [
    tenant([endpoint('ep_1')], [subscription('ep_1', ['*'])]),
  ]);
  const faulty = t.mock.method(plane.lanes, 'has', () => {
    throw new TypeError('a bug');
  });
  await plane.publish('e1', { data: '{}' });
  await waitUntil(() => faulty.mock.callCount() > 0, { what: 'the fault' });
  faulty.mock.restore();
  await plane.routed('e1');
  assert.equal((await plane.deliveries()).length, 1);
  await plane.settled();
});
