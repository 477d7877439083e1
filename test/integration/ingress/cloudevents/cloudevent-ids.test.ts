/** CloudEvents are identified by source and id (IN-6), over every protocol. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { headers } from '@nats-io/nats-core';
import { cloudEventId, tenantSource } from '#domain/event/event-id.ts';
import { streams } from '#wire/subjects.ts';
import { type Answer, IngressPlane } from '../ingress-plane.ts';

const STRUCTURED = { headers: { 'content-type': 'application/cloudevents+json' } };
const ATTRIBUTES = { specversion: '1.0', type: 'order.created', data: 1 };

function send(plane: IngressPlane, event: Record<string, unknown>): Promise<Answer> {
  return plane.post({ ...ATTRIBUTES, ...event }, STRUCTURED);
}

test('the same id from two sources identifies two events, and repeats are replays', async (t) => {
  const plane = await IngressPlane.start(t);
  for (const replayed of [undefined, 'true']) {
    for (const source of ['/orders', '/invoices']) {
      const { status, body, headers: answered } = await send(plane, { id: '1', source });
      assert.equal(status, 202);
      assert.equal(body.id, cloudEventId(source, '1'));
      assert.equal(answered['idempotency-replayed'], replayed);
    }
  }
  const stored = await plane.stored();
  assert.deepEqual(
    stored.map(({ head }) => [head.source, head.producerId]),
    [
      ['/orders', '1'],
      ['/invoices', '1'],
    ],
  );
});

test('rejects other content for the same source and id with both of them', async (t) => {
  const plane = await IngressPlane.start(t);
  assert.equal((await send(plane, { id: 'a b', source: '/orders' })).status, 202);
  const { status, body } = await send(plane, { id: 'a b', source: '/orders', data: 2 });
  assert.equal(status, 409);
  assert.match(body.errors[0].detail, /^a b from \/orders was used for another content/);
});

test('the same source and id are the same event in every mode and protocol', async (t) => {
  const plane = await IngressPlane.start(t);
  const event = { ...ATTRIBUTES, id: 'ä.1 x', source: '/orders', n: 7 };
  const { body: first } = await send(plane, event);
  const binary = {
    'ce-specversion': '1.0',
    'ce-id': '%C3%A4.1%20x',
    'ce-source': '/orders',
    'ce-type': 'order.created',
    'ce-n': '7',
  };
  // Structured mode named no content type: only as JSON without one is it the same content.
  const plain = await plane.post(event);
  const batch = await plane.batch({ events: [event] });
  const hdrs = headers();
  for (const [name, value] of Object.entries(binary)) hdrs.set(name, value);
  const options = { headers: hdrs, timeout: 10_000 };
  const reply = await plane.core.nc.request('in.acme.order.created', '1', options);
  assert.deepEqual([plain.body, reply.json()], [first, first]);
  assert.equal(batch.body.results[0].id, first.id);
  assert.equal((await plane.stored()).length, 1);
});

test('an id is kept for plain events, and for the source of the tenant when it is legal', async (t) => {
  const plane = await IngressPlane.start(t);
  assert.equal((await plane.post({ type: 'a.b', id: 'p', source: '/x' })).body.id, 'p');
  const source = tenantSource('acme');
  assert.equal((await send(plane, { id: 'legal', source })).body.id, 'legal');
  assert.equal((await send(plane, { id: 'a.b', source })).body.id, cloudEventId(source, 'a.b'));
});

test('types that are not NATS subjects are stored under their name, registered or not', async (t) => {
  const plane = await IngressPlane.start(t);
  const types = ['com.example/order:created', 'a b', '.a..b.', 'ü', 'a.*', '>', '=41'];
  await plane.eventType('com.example/order:created', { schema: { type: 'object' } });
  const refused = await plane.post({ type: 'com.example/order:created', data: 1 });
  assert.equal(refused.body.code, 'POSTHORN_EVENT_DATA_INVALID');
  for (const type of types) {
    const { status, body } = await plane.post({ type, data: {} });
    assert.equal(status, 202, JSON.stringify(body));
  }
  assert.deepEqual(
    (await plane.stored()).map(({ head }) => head.type),
    types,
  );
  const { body } = await plane.broadcast({ type: 'a/b:c', data: {} });
  const [broadcast] = await plane.stored(streams.broadcasts);
  assert.deepEqual([broadcast?.head.type, broadcast?.head.id], ['a/b:c', body.id]);
});

test('an empty batch is answered with no results', async (t) => {
  const plane = await IngressPlane.start(t);
  const empty = { accepted: 0, refused: 0, results: [] };
  const batched = { 'content-type': 'application/cloudevents-batch+json' };
  const answers = [await plane.post([], { headers: batched }), await plane.batch({ events: [] })];
  for (const { status, body } of answers) assert.deepEqual([status, body], [202, empty]);
});
