/** Producers over NATS: the same answers as over HTTP, or the stream REJECTED (IN-4). */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { cloudEventId } from '#domain/event/event-id.ts';
import { type NatsConnection, headers } from '@nats-io/nats-core';
import { waitUntil } from '#testkit/wait-until.ts';
import { decodeRejectedFrame } from '#wire/frames/rejected-event.ts';
import { storedMessages } from '../../nats-core.ts';
import { IngressPlane, type IngressOptions } from '../ingress-plane.ts';

interface Reply {
  // oxlint-disable-next-line typescript/no-explicit-any -- assertions check the shape
  body: any;
  header: (name: string) => string | undefined;
}

async function start(
  t: TestContext,
  options: IngressOptions = {},
): Promise<{ plane: IngressPlane; nc: NatsConnection }> {
  const plane = await IngressPlane.start(t, options);
  return { plane, nc: await plane.core.connect() };
}

async function ask(
  nc: NatsConnection,
  subject: string,
  body: string | Uint8Array,
  named: Record<string, string> = {},
): Promise<Reply> {
  const hdrs = headers();
  for (const [name, value] of Object.entries(named)) hdrs.set(name, value);
  const reply = await nc.request(subject, body, { headers: hdrs, timeout: 10_000 });
  return { body: reply.json(), header: (name) => reply.headers?.get(name) };
}

test('a bare message is the data of an event whose type is the subject', async (t) => {
  const { plane, nc } = await start(t);
  const reply = await ask(nc, 'in.acme.order.created', '{"total": 12.50}');
  const [event, ...more] = await plane.stored();
  assert.deepEqual(more, []);
  assert.deepEqual(reply.body, { id: event?.head.id, status: 'accepted' });
  assert.equal(event?.head.type, 'order.created');
  assert.equal(event.data.toString(), '{"total": 12.50}');
  assert.match(event.subject, /^ev\.\d+\.acme\.order\.created$/);
});

test('Nats-Msg-Id is the event id: the same content is stored once, and other content is rejected', async (t) => {
  const { plane, nc } = await start(t);
  const id = { 'Nats-Msg-Id': 'order-7' };
  const first = await ask(nc, 'in.acme.order.created', '1', id);
  assert.deepEqual(first.body, { id: 'order-7', status: 'accepted' });
  assert.ok(!first.header('Idempotency-Replayed'));
  const again = await ask(nc, 'in.acme.order.created', '1', id);
  assert.deepEqual(again.body, first.body);
  assert.equal(again.header('Idempotency-Replayed'), 'true');
  const other = await ask(nc, 'in.acme.order.created', '2', id);
  assert.equal(other.body.status, 409);
  assert.equal(other.body.code, 'POSTHORN_EVENT_ID_REUSED');
  assert.equal((await plane.stored()).length, 1);
});

test('binary CloudEvents have attributes in headers and the media type in either place', async (t) => {
  const { plane, nc } = await start(t);
  const attributes = {
    'ce-specversion': '1.0',
    'ce-id': 'c1',
    'ce-source': '/shop',
    'ce-type': 'order.created',
    'ce-subject': 'caf%C3%A9',
    'ce-region': 'eu',
  };
  const text = { ...attributes, 'ce-datacontenttype': 'text/plain' };
  const reply = await ask(nc, 'in.acme.order.created', 'plain', text);
  assert.deepEqual(reply.body, { id: cloudEventId('/shop', 'c1'), status: 'accepted' });
  const bytes = { ...attributes, 'ce-id': 'c2', 'content-type': 'image/png' };
  await ask(nc, 'in.acme.order.created', Uint8Array.of(0, 255, 1), bytes);
  const [first, second] = await plane.stored();
  assert.equal(first?.head.kind, 'text');
  assert.equal(first.head.contentType, 'text/plain');
  assert.equal(first.head.subject, 'café');
  assert.deepEqual(first.head.ext, { region: 'eu' });
  assert.equal(second?.head.kind, 'binary');
  assert.deepEqual([...second.data], [0, 255, 1]);
});

test('structured CloudEvents are recognized by their content type', async (t) => {
  const { plane, nc } = await start(t);
  const event = { specversion: '1.0', id: 's1', source: '/shop', type: 'order.paid', data: [1] };
  const reply = await ask(nc, 'in.acme.order.paid', JSON.stringify(event), {
    'content-type': 'application/cloudevents+json; charset=utf-8',
  });
  assert.deepEqual(reply.body, { id: cloudEventId('/shop', 's1'), status: 'accepted' });
  const [stored] = await plane.stored();
  assert.equal(stored?.head.source, '/shop');
  assert.equal(stored.data.toString(), '[1]');
});

const CE = { 'ce-specversion': '1.0', 'ce-id': 'c1', 'ce-source': '/s', 'ce-type': 'a.b' };
const STRUCTURED = { 'content-type': 'application/cloudevents+json' };

test('rejects an invalid request with a problem that names the field', async (t) => {
  const { plane, nc } = await start(t, { settings: { eventBytesMax: 65_536 } });
  await plane.eventType('order.paid', { schema: { type: 'object', required: ['total'] } });
  await plane.tenant('strict', { eventTypePolicy: 'strict' });
  const cases: [
    subject: string,
    body: string,
    named: Record<string, string>,
    code: string,
    pointer?: string,
  ][] = [
    ['in.acme.a.b', '{', {}, 'POSTHORN_BODY_INVALID'],
    ['in.acme.a.b', '1', { 'Nats-Msg-Id': 'a.b' }, 'POSTHORN_EVENT_INVALID', '/id'],
    ['in.acme.a.=0Ab', '1', {}, 'POSTHORN_EVENT_INVALID', '/type'],
    ['in.acme.a.c', '1', CE, 'POSTHORN_EVENT_INVALID', '/type'],
    ['in.acme.a.b', '1', { ...CE, 'ce-specversion': '2' }, 'POSTHORN_EVENT_INVALID'],
    ['in.acme.a.b', '1', { ...CE, 'CE-Id': 'c2' }, 'POSTHORN_EVENT_INVALID', '#header/ce-id'],
    ['in.acme.a.b', '1', { h: 'v'.repeat(70_000) }, 'POSTHORN_EVENT_INVALID', '#header'],
    ['in.acme.a.b', '1', MANY, 'POSTHORN_EVENT_INVALID', '#header'],
    ['in.acme.a.b', '[]', STRUCTURED, 'POSTHORN_EVENT_INVALID'],
    ['in.acme.a.b', '[]', { 'content-type': 'application/cloudevents+avro' }, MEDIA],
    ['in.acme.order.paid', '{}', {}, 'POSTHORN_EVENT_DATA_INVALID', '/data/total'],
    ['in.strict.a.b', '{}', {}, 'POSTHORN_EVENT_TYPE_UNKNOWN', '/type'],
    ['in.nobody.a.b', '{}', {}, 'POSTHORN_TENANT_UNKNOWN'],
    ['in.-.a.b', '{}', {}, 'POSTHORN_TENANT_UNKNOWN'],
    ['in.acme.a.b', `"${'x'.repeat(70_000)}"`, {}, 'POSTHORN_EVENT_TOO_LARGE'],
    ['in.acme.a.b', `"${'x'.repeat(140_000)}"`, {}, 'POSTHORN_EVENT_TOO_LARGE'],
  ];
  for (const [subject, body, named, code, pointer] of cases) {
    const reply = await ask(nc, subject, body, named);
    assert.equal(reply.body.code, code, subject);
    assert.equal(reply.header('Content-Type'), 'application/problem+json');
    assert.equal(reply.body.instance, subject);
    assert.ok(reply.body.status >= 400);
    if (pointer !== undefined) assert.equal(reply.body.errors[0].pointer, pointer, subject);
  }
  assert.deepEqual(await plane.stored(), []);
  assert.equal(await plane.metric('posthorn_ingress_rejected_total'), 0);
});
const MANY = Object.fromEntries(Array.from({ length: 129 }, (_, i) => [`h${i}`, 'v']));
const MEDIA = 'POSTHORN_MEDIA_TYPE_UNSUPPORTED';

test('a message without a reply subject is stored when valid, and otherwise kept with its reason', async (t) => {
  const { plane, nc } = await start(t);
  nc.publish('in.acme.order.created', '{"good":1}');
  nc.publish('in.acme.order.created', '{"bad":');
  nc.publish('in.nobody.order.created', '1');
  await waitUntil(async () => (await plane.metric('posthorn_ingress_rejected_total')) === 2);
  await waitUntil(async () => (await plane.stored()).length === 1);
  const rejected = await storedMessages(plane.core.jsm, 'REJECTED');
  assert.equal(rejected.length, 1);
  const { head, body } = decodeRejectedFrame(rejected[0]?.data as Buffer);
  assert.equal(head.problem.code, 'POSTHORN_BODY_INVALID');
  assert.equal(head.type, 'order.created');
  assert.equal(head.bytes, 7);
  assert.equal(body.toString(), '{"bad":');
  const kept = await plane.metric('posthorn_ingress_rejected_total', { result: 'kept' });
  assert.equal(kept, 1);
});

test('answers go to inboxes only, so that a reply subject cannot reach a stream', async (t) => {
  const { plane, nc } = await start(t);
  nc.publish('in.acme.order.created', '1', { reply: 'dlq.1.acme.ep_forged' });
  nc.publish('in.acme.order.created', '{', { reply: 'dlq.1.acme.ep_forged' });
  await waitUntil(async () => (await plane.metric('posthorn_ingress_rejected_total')) === 1);
  await waitUntil(async () => (await plane.stored()).length === 1);
  assert.equal((await plane.core.jsm.streams.info('DLQ')).state.messages, 0);
});

test('rejects an event with 503 when the stream has no broker', async (t) => {
  const { plane, nc } = await start(t, { settings: { publishTimeoutMs: 300 } });
  await plane.core.jsm.streams.delete('EV-0');
  const reply = await ask(nc, 'in.acme.order.created', '1');
  assert.equal(reply.body.status, 503);
  assert.equal(reply.header('Retry-After'), '1');
});
