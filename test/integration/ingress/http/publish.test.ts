import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cloudEventId } from '#domain/event/event-id.ts';
import { CloudEvent, HTTP } from 'cloudevents';
import { IngressPlane } from '../ingress-plane.ts';

test('a plain event is stored as it was sent, and then answered with 202 and its id', async (t) => {
  const plane = await IngressPlane.start(t);
  const body = '{"type":"order.created","data":{"n":1.0,"n":12345678901234567890},"subject":"7"}';
  const answer = await plane.post(body, { headers: { 'x-request-id': 'corr-1' } });
  assert.equal(answer.status, 202);
  assert.match(String(answer.headers['content-type']), /^application\/json/);
  assert.equal(answer.headers['x-request-id'], 'corr-1');
  assert.equal(answer.headers['idempotency-replayed'], undefined);
  assert.match(answer.body.id, /^evt_[0-9a-z]{26}$/);
  assert.deepEqual(answer.body, { id: answer.body.id, status: 'accepted' });
  const [stored, ...more] = await plane.stored();
  assert.ok(stored);
  assert.equal(more.length, 0);
  assert.match(stored.subject, /^ev\.\d+\.acme\.order\.created$/);
  assert.equal(stored.messageId, `acme:${answer.body.id}`);
  assert.equal(stored.data.toString(), '{"n":1.0,"n":12345678901234567890}');
  const { time, acceptedMs, ...head } = stored.head;
  assert.deepEqual(head, {
    id: answer.body.id,
    type: 'order.created',
    source: '/tenants/acme',
    subject: '7',
    kind: 'json',
    correlationId: 'corr-1',
    // The type is unregistered, and the key is bound to no tenant.
    producerKey: 'key_bootstrap',
  });
  assert.equal(time, new Date(acceptedMs).toISOString());
  assert.equal(await plane.metric('posthorn_ingress_events_total', { result: 'accepted' }), 1);
});

test('CloudEvents from the cloudevents package are accepted in structured and binary mode', async (t) => {
  const plane = await IngressPlane.start(t);
  const made = new CloudEvent({
    id: 'c1',
    type: 'a.b',
    source: '/s',
    subject: 'x',
    region: 'eu',
    data: { total: 12 },
  });
  for (const mode of ['structured', 'binary'] as const) {
    const event = made.cloneWith({ id: `c-${mode}` });
    const { headers, body } = HTTP[mode](event);
    const sent = Object.fromEntries(Object.entries(headers).map(([k, v]) => [k, String(v)]));
    const answer = await plane.post(body, { headers: sent });
    assert.equal(answer.status, 202, JSON.stringify(answer.body));
    assert.equal(answer.body.id, cloudEventId('/s', `c-${mode}`));
  }
  const stored = await plane.stored();
  assert.equal(stored.length, 2);
  for (const { head, data } of stored) {
    assert.equal(head.subject, 'x');
    assert.equal(head.time, made.time);
    assert.deepEqual(head.ext, { region: 'eu' });
    assert.deepEqual(JSON.parse(data.toString()), { total: 12 });
  }
});

test('CloudEvents batches and plain batches get one result for each item, in order', async (t) => {
  const plane = await IngressPlane.start(t);
  const event = (id: string) => ({ specversion: '1.0', id, source: '/s', type: 'a.b', data: id });
  const idOf = (id: string) => cloudEventId('/s', id);
  const ce = await plane.post([event('b1'), event('b2')], {
    headers: { 'content-type': 'application/cloudevents-batch+json; charset=utf-8' },
  });
  assert.equal(ce.status, 202);
  assert.deepEqual(ce.body, {
    accepted: 2,
    refused: 0,
    results: [
      { status: 202, id: idOf('b1'), replayed: false },
      { status: 202, id: idOf('b2'), replayed: false },
    ],
  });
  const plain = await plane.batch({ events: [{ type: 'a.b', id: 'b3' }, event('b4')] });
  assert.equal(plain.status, 202);
  const ids = (await plane.stored()).map(({ head }) => head.id);
  assert.deepEqual(new Set(ids), new Set([idOf('b1'), idOf('b2'), 'b3', idOf('b4')]));
});

test('invalid items of a batch are rejected with their pointers, and the others are stored', async (t) => {
  const plane = await IngressPlane.start(t, {
    settings: { eventBytesMax: 262_144 },
  });
  await plane.eventType('order.old', { state: 'INACTIVE' });
  await plane.post({ type: 'a.b', id: 'known' });
  const answer = await plane.batch({
    events: [
      { type: 'a.b', id: 'good' },
      { type: 'a\nb' },
      7,
      { type: 'order.old' },
      { type: 'a.b', data: 'x'.repeat(300_000) },
      { type: 'a.b', id: 'good2', unknown: 1 },
      { type: 'a.b', id: 'known' },
      { type: 'a.b', id: 'known', data: 'other' },
    ],
  });
  assert.equal(answer.status, 207);
  assert.deepEqual([answer.body.accepted, answer.body.refused], [2, 6]);
  const results = answer.body.results as {
    status: number;
    replayed?: boolean;
    error?: { code: string; errors?: { pointer: string }[] };
  }[];
  assert.deepEqual(
    results.map(({ status, error }) => [
      status,
      error?.code,
      error?.errors?.map(({ pointer }) => pointer),
    ]),
    [
      [202, undefined, undefined],
      [400, 'POSTHORN_EVENT_INVALID', ['/events/1/type']],
      [400, 'POSTHORN_EVENT_INVALID', ['/events/2']],
      [422, 'POSTHORN_EVENT_TYPE_INACTIVE', ['/events/3/type']],
      [413, 'POSTHORN_EVENT_TOO_LARGE', undefined],
      [400, 'POSTHORN_EVENT_INVALID', ['/events/5/unknown']],
      [202, undefined, undefined],
      [409, 'POSTHORN_EVENT_ID_REUSED', ['/events/7/id']],
    ],
  );
  assert.equal(results[6]?.replayed, true);
  assert.deepEqual(
    (await plane.stored()).map(({ head }) => head.id),
    ['known', 'good'],
  );
});

test('a batch larger than the window is stored whole', async (t) => {
  const plane = await IngressPlane.start(t, { window: 4 });
  const events = Array.from({ length: 500 }, (_, i) => ({ type: 'a.b', data: i }));
  const answer = await plane.batch({ events });
  assert.equal(answer.status, 202);
  assert.equal(answer.body.accepted, 500);
  const { state } = await plane.core.jsm.streams.info('EV-0');
  assert.equal(state.messages, 500);
});

test('a tenant is found as soon as it is created, and an unknown one gets 404', async (t) => {
  const plane = await IngressPlane.start(t);
  await plane.tenant('fresh');
  const found = await plane.post({ type: 'a.b' }, { path: '/v1/tenants/fresh/events' });
  assert.equal(found.status, 202, JSON.stringify(found.body));
  for (const id of ['nobody', 'no%20body', 'a.b', '*', '%3E', 'x'.repeat(65)]) {
    const answer = await plane.post({ type: 'a.b' }, { path: `/v1/tenants/${id}/events` });
    assert.equal(answer.status, 404, id);
    assert.equal(answer.body.code, 'POSTHORN_TENANT_UNKNOWN', id);
  }
  assert.equal((await plane.stored()).length, 1);
});

test('platform and producer keys publish, and keys of tenants, foreign, wrong and revoked ones do not', async (t) => {
  const plane = await IngressPlane.start(t);
  await plane.tenant('other');
  await plane.key('producer', 'producer');
  await plane.key('producer-of-acme', 'producer', { tenant: 'acme' });
  await plane.key('tenant-acme', 'tenant', { tenant: 'acme' });
  const publish = async (authorization: string, tenant = 'acme') => {
    const path = `/v1/tenants/${tenant}/events`;
    const { status, body } = await plane.post(
      { type: 'a.b' },
      { path, headers: { authorization } },
    );
    return [status, body.code];
  };
  assert.deepEqual(await publish('Bearer producer'), [202, undefined]);
  assert.deepEqual(await publish('Bearer producer', 'other'), [202, undefined]);
  assert.deepEqual(await publish('Bearer producer-of-acme'), [202, undefined]);
  assert.deepEqual(await publish('Bearer producer-of-acme', 'other'), [403, 'POSTHORN_KEY_SCOPE']);
  // A tenant outside of the key's reach gets the same answer whether it exists or not.
  assert.deepEqual(await publish('Bearer producer-of-acme', 'nobody'), [403, 'POSTHORN_KEY_SCOPE']);
  assert.deepEqual(await publish('Bearer tenant-acme'), [403, 'POSTHORN_KEY_SCOPE']);
  assert.deepEqual(await publish(''), [401, 'POSTHORN_KEY_MISSING']);
  assert.deepEqual(await publish('Bearer wrong'), [401, 'POSTHORN_KEY_INVALID']);
  assert.deepEqual(await publish('Basic producer'), [401, 'POSTHORN_KEY_INVALID']);
  await plane.revokeKey('producer');
  assert.deepEqual(await publish('Bearer producer'), [401, 'POSTHORN_KEY_INVALID']);
  assert.equal((await plane.stored()).length, 3);
});

test('the publish latency counts each event that is answered with 202, and no other', async (t) => {
  const plane = await IngressPlane.start(t);
  const measured = () => plane.metric('posthorn_ingress_publish_duration_seconds', { le: '+Inf' });
  await plane.post({ type: 'a.b', id: 'e1' });
  await plane.post({ type: 'a.b', id: 'e1' });
  await plane.post({ type: '' });
  assert.equal(await measured(), 2);
  await plane.batch({ events: [{ type: 'a.b' }, { type: 'a.b' }, { type: '' }] });
  assert.equal(await measured(), 4);
});
