/** Deduplication by formula (IN-7): duplicates, distinct events, and the state after a fault. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { jetstreamManager } from '@nats-io/jetstream';
import { headers } from '@nats-io/nats-core';
import { startMongod } from '#testkit/servers.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { systemClock } from '#infra/system-clock.ts';
import { DedupStore } from '#infra/nats/stores/dedup-store.ts';
import { Publisher } from '#infra/nats/publish/publisher.ts';
import { storedMessages } from '../../nats-core.ts';
import { type Answer, IngressPlane, type IngressOptions } from '../ingress-plane.ts';

const FORMULA = { fields: ['source', '/data/project'], windowSeconds: 3600 };

async function start(t: TestContext, options: IngressOptions = {}): Promise<IngressPlane> {
  const plane = await IngressPlane.start(t, options);
  await plane.eventType('build.done', { deduplication: FORMULA });
  return plane;
}

function build(project: string, more: object = {}): object {
  return { type: 'build.done', source: '/ci', data: { project, run: Math.random() }, ...more };
}

/** The messages of the stream DEDUP. */
async function places(plane: IngressPlane): Promise<{ id: string; stored?: true }[]> {
  const messages = await storedMessages(plane.core.jsm, 'DEDUP');
  return messages.map(({ data }) => JSON.parse(data.toString()) as { id: string; stored?: true });
}

async function untilMarked(plane: IngressPlane): Promise<void> {
  await waitUntil(async () => {
    const held = await places(plane);
    return held.length > 0 && held.every(({ stored }) => stored === true);
  });
}

/** Simulates the end of the 2-minute window: the stream forgets the ids and is empty. */
async function forgetMessageIds(plane: IngressPlane): Promise<void> {
  const { config } = await plane.core.jsm.streams.info('EV-0');
  await plane.core.jsm.streams.delete('EV-0');
  await plane.core.jsm.streams.add(config);
}

/** Writes the claim of the only event as if it had been made then. */
async function rewritePlace(plane: IngressPlane, change: object): Promise<void> {
  await untilMarked(plane);
  const [message] = await storedMessages(plane.core.jsm, 'DEDUP');
  assert.ok(message);
  const { id, atMs } = JSON.parse(message.data.toString()) as { id: string; atMs: number };
  await plane.core.js.publish(message.subject, JSON.stringify({ id, atMs, ...change }));
}

function assertDuplicate(answer: Answer, id: string): void {
  assert.equal(answer.status, 202);
  assert.deepEqual(answer.body, { id, status: 'accepted', deduplicated: true });
}

test('events with equal formula fields over HTTP are stored once in every form', async (t) => {
  const plane = await start(t);
  const first = await plane.post(build('a'));
  assert.deepEqual(first.body, { id: first.body.id, status: 'accepted' });
  const { id } = first.body;
  assertDuplicate(await plane.post(build('a')), id);
  assertDuplicate(await plane.post(build('a', { id: 'chosen' })), id);
  const structured = { specversion: '1.0', id: 'c1', source: '/ci', ...build('a') };
  const headersOf = { 'content-type': 'application/cloudevents+json' };
  assertDuplicate(await plane.post(structured, { headers: headersOf }), id);
  const binary = {
    'ce-specversion': '1.0',
    'ce-id': 'c2',
    'ce-source': '/ci',
    'ce-type': 'build.done',
  };
  assertDuplicate(await plane.post({ project: 'a' }, { headers: binary }), id);
  const batch = await plane.batch({ events: [build('a'), build('b'), build('b')] });
  assert.equal(batch.status, 202);
  const [one, two, three] = batch.body.results;
  assert.deepEqual(one, { status: 202, id, replayed: false, deduplicated: true });
  assert.equal(two.id, three.id);
  assert.equal([two, three].filter(({ deduplicated }) => deduplicated === true).length, 1);
  assert.equal((await plane.stored()).length, 2);
  assert.equal(await plane.metric('posthorn_ingress_events_total', { result: 'deduplicated' }), 6);
});

test('events with equal formula fields over NATS are stored once', async (t) => {
  const plane = await start(t);
  const nc = await plane.core.connect();
  const hdrs = headers();
  hdrs.set('Nats-Msg-Id', 'n1');
  const ask = async () =>
    (await nc.request('in.acme.build.done', '{"project":"a"}', { timeout: 10_000 })).json();
  const first = (await ask()) as { id: string };
  assert.deepEqual(await ask(), { id: first.id, status: 'accepted', deduplicated: true });
  const chosen = await nc.request('in.acme.build.done', '{"project":"a"}', {
    headers: hdrs,
    timeout: 10_000,
  });
  assert.deepEqual(chosen.json(), { id: first.id, status: 'accepted', deduplicated: true });
  assert.equal((await plane.stored()).length, 1);
});

test('events with another tenant, field or type, or without a formula, are not duplicates', async (t) => {
  const plane = await start(t);
  await plane.tenant('other');
  await plane.eventType('build.failed', { deduplication: FORMULA });
  await plane.eventType('build.free');
  const answers = [
    await plane.post(build('a')),
    await plane.post(build('a'), { path: '/v1/tenants/other/events' }),
    await plane.post(build('b')),
    await plane.post(build('a', { source: '/other' })),
    await plane.post(build('a', { source: undefined })),
    await plane.post(build('a', { type: 'build.failed' })),
    await plane.post(build('a', { type: 'build.free' })),
    await plane.post(build('a', { type: 'build.free' })),
  ];
  assert.deepEqual(
    answers.map(({ status, body }) => [status, body.deduplicated]),
    answers.map(() => [202, undefined]),
  );
  assert.equal(new Set(answers.map(({ body }) => body.id)).size, answers.length);
  assert.equal((await places(plane)).length, 6, 'a type without a formula was compared');
});

test('an equal event after the window is a new event, even while its claim still exists', async (t) => {
  const plane = await start(t);
  const first = await plane.post(build('a'));
  await rewritePlace(plane, { stored: true, atMs: Date.now() - 3600_000 });
  const second = await plane.post(build('a'));
  assert.equal(second.body.deduplicated, undefined);
  assert.notEqual(second.body.id, first.body.id);
  assertDuplicate(await plane.post(build('a')), second.body.id);
});

test('the broker removes a claim when its window ends', async (t) => {
  const plane = await start(t);
  await plane.eventType('short', { deduplication: { fields: ['source'], windowSeconds: 5 } });
  await plane.post({ type: 'short', source: '/s' });
  await untilMarked(plane);
  await waitUntil(async () => (await places(plane)).length === 0, {
    what: 'the place gone',
    deadlineMs: 30_000,
  });
  const again = await plane.post({ type: 'short', source: '/s' });
  assert.equal(again.body.deduplicated, undefined);
});

test('a repeated producer id is a replay, not a duplicate', async (t) => {
  const plane = await start(t);
  const event = build('a', { id: 'order-1' });
  await plane.post(event);
  const again = await plane.post(event);
  assert.deepEqual(again.body, { id: 'order-1', status: 'accepted' });
  assert.equal(again.headers['idempotency-replayed'], 'true');
  await untilMarked(plane);
  const marked = await plane.post(event);
  assert.equal(marked.headers['idempotency-replayed'], 'true');
  assert.equal((await plane.stored()).length, 1);
});

test('an equal event after a crash before the PubAck is stored under the id of the first', async (t) => {
  const plane = await start(t);
  const first = await plane.post(build('a', { id: 'first' }));
  await forgetMessageIds(plane);
  await rewritePlace(plane, {});
  const second = await plane.post(build('a', { id: 'second' }));
  assertDuplicate(second, first.body.id);
  const [event, ...more] = await plane.stored();
  assert.deepEqual(more, []);
  assert.equal(event?.head.id, 'first');
  // Otherwise a repeat by the first producer would be rejected for other content.
  assert.equal(event.head.fingerprint, undefined);
  await untilMarked(plane);
  assertDuplicate(await plane.post(build('a')), 'first');
  assert.equal((await plane.stored()).length, 1);
});

test('an equal event after a crash past the PubAck is dropped by its message id, later by the event store', async (t) => {
  const plane = await start(t);
  const first = await plane.post(build('a'));
  await rewritePlace(plane, {});
  assertDuplicate(await plane.post(build('a')), first.body.id);
  assert.equal((await plane.stored()).length, 1);
  // The projector has written it, and the duplicate window of the stream has passed.
  const { id } = first.body;
  await plane.history.events.insertOne({
    _id: `acme/${id}`,
    tenant: 'acme',
    id,
    seq: 1,
    accepted_at: new Date(),
  });
  await forgetMessageIds(plane);
  await rewritePlace(plane, { atMs: Date.now() - 600_000 });
  assertDuplicate(await plane.post(build('a')), id);
  assert.equal((await plane.stored()).length, 0, 'it was stored a second time');
});

test('two concurrent processes store an equal event once', async (t) => {
  const plane = await start(t);
  const nc = await plane.core.connect();
  const publisher = new Publisher({ clock: systemClock, nc, window: 64, log: plane.core.log });
  const jsm = await jetstreamManager(nc);
  const other = new DedupStore({ clock: systemClock, publisher, jsm, me: 'other' });
  const own = new DedupStore({
    clock: systemClock,
    publisher: plane.core.publisher,
    jsm: plane.core.jsm,
    me: 'own',
  });
  const options = { ttlSeconds: 60, notBeforeMs: 0 };
  const held = await Promise.all(
    Array.from({ length: 40 }, (_, i) =>
      (i % 2 === 0 ? own : other).claim(
        'dup.1.acme.x',
        { id: `e${i}`, atMs: Date.now() },
        { ...options, deadlineMs: performance.now() + 10_000 },
      ),
    ),
  );
  publisher.close();
  assert.equal(held.filter(({ created }) => created).length, 1);
  assert.equal(new Set(held.map(({ event }) => event.id)).size, 1);
});

test('many concurrent equal events are stored once', async (t) => {
  const plane = await start(t);
  const answers = await Promise.all(Array.from({ length: 30 }, () => plane.post(build('a'))));
  assert.deepEqual([...new Set(answers.map(({ status }) => status))], [202]);
  assert.equal(new Set(answers.map(({ body }) => body.id)).size, 1);
  assert.equal(answers.filter(({ body }) => body.deduplicated === undefined).length, 1);
  assert.equal((await plane.stored()).length, 1);
});

test('rejects events while NATS is down, and stores the repeat once afterwards', async (t) => {
  const plane = await start(t, { settings: { publishTimeoutMs: 500 } });
  await plane.core.killServer();
  const refused = await plane.post(build('a'));
  assert.equal(refused.status, 503);
  assert.equal(refused.body.code, 'POSTHORN_PUBLISH_NOT_ACKED');
  await plane.core.restartServer();
  await waitUntil(async () => (await plane.post(build('a'))).status === 202, {
    what: 'an event accepted',
    deadlineMs: 15_000,
  });
  await plane.post(build('a'));
  assert.equal((await plane.stored()).length, 1);
});

test('duplicates by formula are found without MongoDB', async (t) => {
  const mongod = await startMongod();
  t.after(() => mongod.dispose());
  const plane = await start(t, { mongoUrl: mongod.url });
  await mongod.kill('SIGKILL');
  const first = await plane.post(build('a', { id: 'one' }));
  assert.equal(first.status, 202);
  assertDuplicate(await plane.post(build('a', { id: 'two' })), 'one');
  await forgetMessageIds(plane);
  await rewritePlace(plane, { atMs: Date.now() - 600_000 });
  // No store can confirm that the event is stored, so it is stored again under the same id.
  assertDuplicate(await plane.post(build('a')), 'one');
  assert.deepEqual(
    (await plane.stored()).map(({ head }) => head.id),
    ['one'],
  );
});

test('a repeated old event does not drop a new one while MongoDB is down', async (t) => {
  const mongod = await startMongod();
  t.after(() => mongod.dispose());
  const plane = await start(t, { mongoUrl: mongod.url });
  await mongod.kill('SIGKILL');
  const event = build('a', { id: 'one' });
  await plane.post(event);
  // Its window has passed.
  await rewritePlace(plane, { stored: true, atMs: 0 });
  const replayed = await plane.post(event);
  assert.equal(replayed.headers['idempotency-replayed'], 'true');
  await waitUntil(async () => (await places(plane)).length === 0, { what: 'the place released' });
  const fresh = await plane.post(build('a', { id: 'two' }));
  assert.deepEqual(fresh.body, { id: 'two', status: 'accepted' });
});

test('an id with other content releases its claim when MongoDB is down', async (t) => {
  const mongod = await startMongod();
  await mongod.dispose();
  const plane = await IngressPlane.start(t, { mongoUrl: mongod.url });
  const deduplication = { fields: ['/data/n'], windowSeconds: 60 };
  await plane.eventType('a.b', { deduplication });
  const post = (id: string, n: number) => plane.post({ type: 'a.b', id, data: { n } });
  assert.equal((await post('x', 1)).status, 202);
  assert.equal((await post('x', 2)).body.code, 'POSTHORN_EVENT_ID_REUSED');
  const next = await post('y', 2);
  assert.deepEqual(next.body, { id: 'y', status: 'accepted' });
  assert.deepEqual(
    (await plane.stored()).map(({ head }) => head.id),
    ['x', 'y'],
  );
});
