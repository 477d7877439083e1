import assert from 'node:assert/strict';
import { test } from 'node:test';
import { broadcastEventId } from '#domain/event/event-id.ts';
import { streams } from '#wire/subjects.ts';
import { IngressPlane } from '../ingress-plane.ts';

const EVENT = { id: 'b1', type: 'order.created', data: { total: 12 } };
const broadcasts = (plane: IngressPlane) => plane.stored(streams.broadcasts);

test('a broadcast is stored once, and nothing of it is in the streams of tenants', async (t) => {
  const plane = await IngressPlane.start(t);
  const answer = await plane.broadcast('{"type":"order.created","data":{"total":12.50}}');
  assert.equal(answer.status, 202, JSON.stringify(answer.body));
  const [stored, ...more] = await broadcasts(plane);
  assert.deepEqual(more, []);
  assert.equal(stored?.subject, `bc.event.${answer.body.id}`);
  assert.equal(stored.head.id, answer.body.id);
  assert.equal(stored.head.broadcast, true);
  assert.equal(stored.head.source, '/broadcasts');
  assert.equal(stored.data.toString(), '{"total":12.50}');
  assert.deepEqual(await plane.stored(), []);
  assert.equal(await plane.metric('posthorn_ingress_events_total', { result: 'accepted' }), 1);
});

test('the same id with the same content is a replay, and with other content gets 409, even concurrently', async (t) => {
  const plane = await IngressPlane.start(t);
  const answers = await Promise.all(
    Array.from({ length: 8 }, (_, i) => plane.broadcast({ ...EVENT, data: { total: i % 2 } })),
  );
  const statuses = answers.map(({ status }) => status).toSorted((a, b) => a - b);
  assert.deepEqual(statuses, [202, 202, 202, 202, 409, 409, 409, 409]);
  const replayed = answers.filter(({ headers }) => headers['idempotency-replayed'] === 'true');
  assert.equal(replayed.length, 3);
  const reused = answers.find(({ status }) => status === 409);
  assert.equal(reused?.body.code, 'POSTHORN_EVENT_ID_REUSED');
  assert.equal(reused.body.errors[0].pointer, '/id');
  assert.equal((await broadcasts(plane)).length, 1);
});

test('a broadcast shares its id with no event of a tenant when both have one chosen id', async (t) => {
  const plane = await IngressPlane.start(t);
  const { data } = EVENT;
  const cloud = { specversion: '1.0', type: 'order.created', data };
  const cloudEvents = { 'content-type': 'application/cloudevents+json' };
  const plain = [EVENT, {}] as const;
  const ofShop = [{ ...cloud, id: 'b2', source: '/shop' }, cloudEvents] as const;
  const ofBroadcasts = [{ ...cloud, id: 'b1', source: '/broadcasts' }, cloudEvents] as const;
  const keyed = [{ type: 'order.created', data }, { 'idempotency-key': 'k1' }] as const;
  const idsOf = async (answers: ReturnType<IngressPlane['post']>[]): Promise<string[]> =>
    (await Promise.all(answers)).map(({ status, body }) => {
      assert.equal(status, 202, JSON.stringify(body));
      return body.id;
    });
  const ofTenant = await idsOf(
    [plain, ofShop, ofBroadcasts, keyed].map(([event, headers]) => plane.post(event, { headers })),
  );
  const ofAll = await idsOf(
    [plain, ofShop, keyed].map(([event, headers]) => plane.broadcast(event, headers)),
  );
  // A producer that knows the id of a broadcast cannot take it.
  const taken = ofAll.map((id) => plane.post({ ...EVENT, id }));
  const known = new Set([...ofTenant, ...(await idsOf(taken))]);
  assert.deepEqual(
    ofAll.filter((id) => known.has(id)),
    [],
  );
  assert.equal(new Set(ofAll).size, ofAll.length);
});

test('an Idempotency-Key is used as the id', async (t) => {
  const plane = await IngressPlane.start(t);
  const headers = { 'idempotency-key': 'k1' };
  const { id: _, ...event } = EVENT;
  const first = await plane.broadcast(event, headers);
  const again = await plane.broadcast(event, headers);
  assert.equal(first.status, 202);
  assert.equal(again.body.id, first.body.id);
  assert.equal(again.headers['idempotency-replayed'], 'true');
  assert.equal((await broadcasts(plane)).length, 1);
});

test('broadcasts are accepted as CloudEvents in all modes and in batches', async (t) => {
  const plane = await IngressPlane.start(t);
  const cloud = { specversion: '1.0', source: '/shop', type: 'order.created', data: 1 };
  const structured = { 'content-type': 'application/cloudevents+json' };
  assert.equal((await plane.broadcast({ ...cloud, id: 'c1' }, structured)).status, 202);
  const batched = { 'content-type': 'application/cloudevents-batch+json' };
  const list = [
    { ...cloud, id: 'c2' },
    { ...cloud, id: 'c3' },
  ];
  assert.equal((await plane.broadcast(list, batched)).body.accepted, 2);
  const binary = { 'ce-specversion': '1.0', 'ce-id': 'c4', 'ce-source': '/shop', 'ce-type': 'a.b' };
  assert.equal((await plane.broadcast('1', binary)).status, 202);
  const path = '/v1/events/batch';
  const batch = await plane.post({ events: [EVENT, { type: 'no\ntype' }, EVENT] }, { path });
  assert.equal(batch.status, 207);
  assert.deepEqual(
    batch.body.results.map((one: { status: number }) => one.status),
    [202, 400, 202],
  );
  const ids = (await broadcasts(plane)).map(({ head }) => head.id);
  const cloudIds = ['c1', 'c2', 'c3', 'c4'].map((id) => broadcastEventId('/shop', id));
  assert.deepEqual(ids, [...cloudIds, broadcastEventId('/broadcasts', 'b1')]);
});

test('rejects a broadcast like an event of one tenant: by form, type, schema and size', async (t) => {
  const plane = await IngressPlane.start(t, {
    settings: { eventTypePolicy: 'strict', eventBytesMax: 2048 },
  });
  await plane.eventType('order.created', {
    schema: { type: 'object', properties: { total: { type: 'number' } }, required: ['total'] },
  });
  await plane.eventType('old.type', { state: 'INACTIVE' });
  const codes = async (body: unknown): Promise<string> => (await plane.broadcast(body)).body.code;
  assert.equal(await codes('{'), 'POSTHORN_BODY_INVALID');
  assert.equal(await codes({ data: 1 }), 'POSTHORN_EVENT_INVALID');
  assert.equal(await codes({ type: 'posthorn.x' }), 'POSTHORN_EVENT_INVALID');
  assert.equal(await codes({ type: 'new.type' }), 'POSTHORN_EVENT_TYPE_UNKNOWN');
  assert.equal(await codes({ type: 'old.type' }), 'POSTHORN_EVENT_TYPE_INACTIVE');
  const invalid = await plane.broadcast({ type: 'order.created', data: { total: 'x' } });
  assert.equal(invalid.status, 422);
  assert.equal(invalid.body.errors[0].pointer, '/data/total');
  const large = { ...EVENT, data: { total: 1, text: 'x'.repeat(2048) } };
  assert.equal(await codes(large), 'POSTHORN_EVENT_TOO_LARGE');
  assert.deepEqual(await broadcasts(plane), []);
});

test('rejects a broadcast without a platform key or an unbound producer key', async (t) => {
  const plane = await IngressPlane.start(t);
  await plane.key('unbound', 'producer');
  await plane.key('bound', 'producer', { tenant: 'acme' });
  await plane.key('tenant', 'tenant', { tenant: 'acme' });
  const statusOf = async (authorization: string, path = '/v1/events'): Promise<number> =>
    (await plane.post({ type: 'a.b' }, { path, headers: { authorization } })).status;
  assert.equal(await statusOf('Bearer unbound'), 202);
  for (const path of ['/v1/events', '/v1/events/batch']) {
    assert.equal(await statusOf('Bearer bound', path), 403);
    assert.equal(await statusOf('Bearer tenant', path), 403);
    assert.equal(await statusOf('Bearer wrong', path), 401);
    assert.equal(await statusOf('', path), 401);
  }
  assert.equal((await broadcasts(plane)).length, 1);
});

test('rejects an event with 503 when NATS is down, and accepts the same id afterwards', async (t) => {
  const plane = await IngressPlane.start(t, { settings: { publishTimeoutMs: 300 } });
  await plane.core.killServer();
  const unavailable = await plane.broadcast(EVENT);
  assert.equal(unavailable.status, 503);
  assert.equal(unavailable.headers['retry-after'], '1');
  await plane.core.restartServer();
  let again = await plane.broadcast(EVENT);
  for (let i = 0; i < 50 && again.status === 503; i++) again = await plane.broadcast(EVENT);
  assert.equal(again.status, 202);
  assert.equal((await broadcasts(plane)).length, 1);
});

test('an event of an unregistered type names its key when that is bound to no tenant', async (t) => {
  const plane = await IngressPlane.start(t);
  await plane.key('unbound', 'producer');
  await plane.key('bound', 'producer', { tenant: 'acme' });
  await plane.eventType('known.type', {});
  const send = (key: string, type: string, path?: string) =>
    plane.post(
      { type },
      {
        headers: { authorization: `Bearer ${key}` },
        ...(path === undefined ? {} : { path }),
      },
    );
  for (const key of ['unbound', 'bound']) {
    for (const type of ['new.type', 'known.type']) {
      assert.equal((await send(key, type)).status, 202);
    }
  }
  assert.equal((await send('unbound', 'new.type', '/v1/events')).status, 202);
  const keysOf = (heads: { type: string; producerKey?: string }[]) =>
    heads.map(({ type, producerKey }) => [type, producerKey]);
  assert.deepEqual(keysOf((await plane.stored()).map(({ head }) => head)), [
    ['new.type', 'key_unbound'],
    ['known.type', undefined],
    ['new.type', undefined],
    ['known.type', undefined],
  ]);
  const [copy] = await broadcasts(plane);
  assert.equal(copy?.head.producerKey, 'key_unbound');
});
