import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { jetstreamManager } from '@nats-io/jetstream';
import { deliveryId } from '#domain/ids.ts';
import { historyOf } from '#infra/mongo/documents.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { type DeadLetterHead, encodeDeadLetterFrame } from '#wire/frames/dead-letter-frame.ts';
import { decodeDeliveryFrame } from '#wire/frames/delivery-frame.ts';
import { decodeEventFrame, encodeEventFrame } from '#wire/frames/event-frame.ts';
import { consumers, streams, subjects } from '#wire/subjects.ts';
import { metricValue } from '../../metric-value.ts';
import { storedMessages } from '../../nats-core.ts';
import { type ControlPlane, startControlPlane } from '../control-plane.ts';
import { loseAnswers } from '../idempotency/crashed-request.ts';

let plane: ControlPlane;
before(async (t) => {
  plane = await startControlPlane(t as never);
});

interface Tenant {
  name: string;
  path: string;
  endpoint: string;
}

async function newTenant(name: string): Promise<Tenant> {
  const path = `/v1/tenants/${name}`;
  await plane.call('PUT', path, {});
  const made = await plane.call('POST', `${path}/endpoints`, { url: 'https://example.com/' });
  const endpoint = made.body.id as string;
  await waitUntil(() => plane.config.tenant(name)?.endpoints.some(({ id }) => id === endpoint));
  return { name, path, endpoint };
}

interface Fields {
  endpoint?: string;
  type?: string;
  reason?: string;
  status?: number;
  data?: string;
  expired?: boolean;
}

const ACCEPTED_MS = Date.now() - 3_600_000;

/** As a worker writes it. */
async function addDeadLetter(tenant: Tenant, event: string, fields: Fields = {}): Promise<string> {
  const { endpoint = tenant.endpoint, type = 'order.created', reason = 'exhausted' } = fields;
  const id = deliveryId(tenant.name, event, endpoint);
  const facts = { id: event, type, acceptedMs: ACCEPTED_MS };
  const head: DeadLetterHead = { id, endpoint, attemptNo: 12, hop: 11, eventSeq: 5, reason };
  if (fields.expired === true) head.byReference = facts;
  else {
    const { status = 503 } = fields;
    const attempt = { id: `att_${event}`, no: 12, startedMs: ACCEPTED_MS, durationMs: 3 };
    head.lastAttempt = { ...attempt, status, failure: 'http_status', worker: 'w' };
  }
  const whole = { ...facts, source: '/s', time: '2026-01-31T12:00:00Z', kind: 'json' as const };
  const frame = encodeEventFrame({ ...whole, correlationId: 'req_1' }, fields.data ?? '{"n":1.0}');
  const bytes = fields.expired === true ? Buffer.alloc(0) : frame;
  plane.nc.publish(subjects.deadLetter(tenant.name, endpoint), encodeDeadLetterFrame(head, bytes));
  await plane.nc.flush();
  return id;
}

/** Waits until the page has this number of dead letters. */
function listed(tenant: Tenant, count: number, query = ''): Promise<{ id: string }[]> {
  return waitUntil(async () => {
    const { body } = await plane.call('GET', `${tenant.path}/dead-letters?limit=250${query}`);
    return body.data.length === count ? body.data : undefined;
  });
}

async function deliveriesOf(tenant: Tenant) {
  const jsm = await jetstreamManager(plane.nc);
  const stored = await storedMessages(jsm, streams.deliveries(0));
  return stored.filter(({ subject }) => subject.includes(`.${tenant.name}.`));
}

test('a dead letter is listed, grouped, and shown with its event byte for byte', async () => {
  const tenant = await newTenant('shown');
  const data = '{"n":1.0,"n":12345678901234567890}';
  const first = await addDeadLetter(tenant, 'e1', { data });
  await addDeadLetter(tenant, 'e2', { status: 404 });
  await addDeadLetter(tenant, 'e3', { type: 'order.paid' });
  const expired = await addDeadLetter(tenant, 'e4', { reason: 'event_expired', expired: true });
  await listed(tenant, 4);
  const { text, body } = await plane.call('GET', `${tenant.path}/dead-letters/${first}`);
  assert.ok(text.includes(`"data":${data}`), text);
  assert.equal(body.event.id, 'e1');
  assert.equal(body.last_attempt.response_status, 503);
  assert.equal(body.attempt_count, 12);
  assert.equal(body.replayed_at, null);
  const none = await plane.call('GET', `${tenant.path}/dead-letters/${expired}`);
  assert.equal(none.body.event, null);
  assert.equal((await listed(tenant, 1, '&event_type=order.paid')).length, 1);
  assert.equal((await listed(tenant, 1, '&cause=http_404')).length, 1);
  assert.equal((await listed(tenant, 1, '&reason=event_expired'))[0]?.id, expired);
  await listed(tenant, 0, '&endpoint_id=ep_other');
  await listed(tenant, 0, '&failed_at[lt]=2020-01-01T00:00:00Z');
  const groups = await plane.call('GET', `${tenant.path}/dead-letters/groups`);
  const seen = groups.body.data.map((group: Record<string, unknown>) => [
    group['endpoint_id'],
    group['cause'],
    group['count'],
  ]);
  assert.deepEqual(seen[0], [tenant.endpoint, 'http_503', 2]);
  assert.equal(seen.length, 3);
});

test('pages follow each other without gaps', async () => {
  const tenant = await newTenant('paged');
  for (let i = 0; i < 7; i++) await addDeadLetter(tenant, `e${i}`);
  const all = await listed(tenant, 7);
  const ids: string[] = [];
  let cursor = '';
  for (let page = 0; page < 3; page++) {
    const path = `${tenant.path}/dead-letters?limit=3${cursor}`;
    const { body } = await plane.call('GET', path);
    ids.push(...body.data.map(({ id }: { id: string }) => id));
    cursor = `&cursor=${body.next_cursor}`;
  }
  assert.deepEqual(
    ids,
    all.map(({ id }) => id),
  );
});

test('a repeated replay creates one new delivery of the same event', async () => {
  const tenant = await newTenant('replayed');
  const dead = await addDeadLetter(tenant, 'e1', { data: '{"n":1.0}' });
  await listed(tenant, 1);
  const path = `${tenant.path}/dead-letters/${dead}/replay`;
  const answers = await Promise.all([1, 2, 3].map(() => plane.call('POST', path)));
  for (const { status, body } of answers) {
    assert.equal(status, 202);
    assert.deepEqual(body, answers[0]?.body);
  }
  const id = answers[0]?.body.delivery_id as string;
  assert.notEqual(id, dead);
  const [delivery, ...more] = await deliveriesOf(tenant);
  assert.ok(delivery);
  assert.equal(more.length, 0);
  assert.equal(delivery.messageId, `${id}:0`);
  const { head, eventBytes } = decodeDeliveryFrame(delivery.data);
  assert.deepEqual(head, { id, endpoint: tenant.endpoint, attemptNo: 1, hop: 0, eventSeq: 5 });
  const event = decodeEventFrame(eventBytes);
  assert.equal(event.head.id, 'e1');
  assert.equal(event.data.toString(), '{"n":1.0}');
  const shown = await plane.call('GET', `${tenant.path}/dead-letters/${dead}`);
  assert.equal(shown.body.replay_delivery_id, id);
  assert.ok(shown.body.replayed_at);
  await listed(tenant, 0, '&status=open');
  await listed(tenant, 1, '&status=replayed');
});

test('a replay is the same delivery when it is repeated after a crash between publish and mark', async () => {
  const tenant = await newTenant('crashed');
  const dead = await addDeadLetter(tenant, 'e1');
  await listed(tenant, 1);
  const path = `${tenant.path}/dead-letters/${dead}/replay`;
  const first = await plane.call('POST', path);
  // Removes the mark, as if it had not been written.
  await historyOf(plane.db).deadLetters.updateOne(
    { _id: dead },
    { $set: { replayed_at: null, replay: null } },
  );
  const second = await plane.call('POST', path);
  assert.equal(second.body.delivery_id, first.body.delivery_id);
  assert.equal((await deliveriesOf(tenant)).length, 1);
});

test('a selection is replayed, except for dead letters that cannot be replayed', async () => {
  const tenant = await newTenant('many');
  for (let i = 0; i < 60; i++) await addDeadLetter(tenant, `e${i}`);
  await addDeadLetter(tenant, 'other', { status: 404 });
  await addDeadLetter(tenant, 'deleted', { endpoint: 'ep_deleted' });
  const expired = await addDeadLetter(tenant, 'expired', {
    reason: 'event_expired',
    expired: true,
  });
  const [, gone] = [await listed(tenant, 63), await listed(tenant, 1, '&endpoint_id=ep_deleted')];
  const path = `${tenant.path}/dead-letters`;
  const some = await plane.call('POST', `${path}/replay`, { cause: ['http_503'] });
  assert.equal(some.status, 202);
  assert.deepEqual([some.body.replayed_count, some.body.more], [60, false]);
  const empty = await plane.call('POST', `${path}/replay`, {});
  assert.equal(empty.body.errors[0].pointer, '/all', empty.text);
  const both = await plane.call('POST', `${path}/replay`, { all: true, cause: ['http_503'] });
  assert.equal(both.body.errors[0].pointer, '/all', both.text);
  const rest = await plane.call('POST', `${path}/replay`, { all: true });
  assert.deepEqual([rest.body.replayed_count, rest.body.more], [1, false]);
  // While schedules fire, some are counted neither where they were nor where they are.
  await waitUntil(async () => (await deliveriesOf(tenant)).length === 61);
  await listed(tenant, 2, '&status=open');
  const counted = 'posthorn_projector_dead_letters_total';
  assert.ok((await metricValue(plane.registry, counted, { reason: 'event_expired' })) > 0);
  for (const id of [expired, gone[0]?.id]) {
    const answer = await plane.call('POST', `${path}/${id}/replay`);
    assert.equal(answer.status, 409);
    assert.equal(answer.body.code, 'POSTHORN_DEAD_LETTER_UNREPLAYABLE');
  }
  const bad = await plane.call('POST', `${path}/replay`, { cause: 5, nothing: 1 });
  assert.equal(bad.status, 400);
});

test('selected replays become due one after the other, oldest first, at the requested pace', async () => {
  const tenant = await newTenant('paced');
  const oldestFirst: string[] = [];
  for (const event of ['e1', 'e2', 'e3']) {
    oldestFirst.push(await addDeadLetter(tenant, event));
    await listed(tenant, oldestFirst.length);
  }
  const path = `${tenant.path}/dead-letters/replay`;
  const answer = await plane.call('POST', path, { all: true, per_second: 1 });
  assert.deepEqual([answer.body.replayed_count, answer.body.more], [3, false], answer.text);
  const jsm = await jetstreamManager(plane.nc);
  const dueMs: number[] = [];
  for (const dead of oldestFirst.slice(1)) {
    const event = `e${oldestFirst.indexOf(dead) + 1}`;
    const id = deliveryId(tenant.name, event, tenant.endpoint, dead);
    const subject = subjects.waiting(tenant.name, tenant.endpoint, id);
    const waiting = await jsm.direct.getMessage('DLV-0', { last_by_subj: subject });
    assert.equal(
      waiting?.header.get('Nats-Schedule-Target'),
      subjects.delivery(tenant.name, tenant.endpoint, 'r'),
    );
    dueMs.push(Date.parse(waiting?.header.get('Nats-Schedule').slice('@at '.length) ?? ''));
  }
  assert.equal((dueMs[1] as number) - (dueMs[0] as number), 1000);
  assert.equal(dueMs[1], Date.parse(answer.body.paced_until));
  const due = async () =>
    (await deliveriesOf(tenant)).filter(({ subject }) => subject.includes('.r.'));
  await waitUntil(async () => (await due()).length === 3, { what: 'all are due' });
  const nothing = await plane.call('POST', path, { all: true });
  assert.deepEqual(nothing.body, { replayed_count: 0, more: false, paced_until: null });
  for (const per_second of [0, -1, 1.5, 1001, '10', null]) {
    const bad = await plane.call('POST', path, { all: true, per_second });
    assert.equal(bad.status, 400, bad.text);
    assert.equal(bad.body.errors[0].pointer, '/per_second');
  }
});

test('a discarded dead letter is not restored when its write is repeated', async () => {
  const tenant = await newTenant('discarded');
  const dead = await addDeadLetter(tenant, 'e1');
  await addDeadLetter(tenant, 'e2', { status: 404 });
  await addDeadLetter(tenant, 'e3', { status: 404 });
  await listed(tenant, 3);
  const path = `${tenant.path}/dead-letters`;
  assert.equal((await plane.call('DELETE', `${path}/${dead}`)).status, 204);
  assert.equal((await plane.call('DELETE', `${path}/${dead}`)).status, 404);
  assert.equal((await plane.call('POST', `${path}/${dead}/replay`)).status, 404);
  const many = await plane.call('POST', `${path}/discard`, { cause: ['http_404'] });
  assert.deepEqual(many.body, { discarded_count: 2 });
  await listed(tenant, 0);
  await addDeadLetter(tenant, 'e1');
  const jsm = await jetstreamManager(plane.nc);
  await waitUntil(async () => {
    const info = await jsm.consumers.info(streams.deadLetters, consumers.projector);
    return info.num_pending === 0 && info.num_ack_pending === 0;
  });
  await listed(tenant, 0);
});

test('a damaged message is terminated and the next ones are written; an unknown tenant is reported', async () => {
  const tenant = await newTenant('damaged');
  plane.nc.publish(subjects.deadLetter('damaged', tenant.endpoint), 'rubbish');
  await addDeadLetter(tenant, 'e1');
  await listed(tenant, 1);
  const answer = await plane.call('GET', '/v1/tenants/nobody/dead-letters');
  assert.equal(answer.body.code, 'POSTHORN_TENANT_UNKNOWN');
});

test('rejects an impossible time with its JSON pointer', async () => {
  const { path } = await newTenant('times');
  // The form of a leap second is right; JavaScript has none.
  const after = '2026-12-31T23:59:60Z';
  const pointer = async (method: 'GET' | 'POST', url: string, body?: object) =>
    (await plane.call(method, url, body)).body.errors[0].pointer;
  const selection = { failed_at: { gte: after } };
  assert.equal(
    await pointer('GET', `${path}/dead-letters?failed_at[gte]=${after}`),
    '#query/failed_at[gte]',
  );
  assert.equal(await pointer('POST', `${path}/dead-letters/replay`, selection), '/failed_at/gte');
  assert.equal(await pointer('POST', `${path}/dead-letters/discard`, selection), '/failed_at/gte');
});

test('a replay to an ordered endpoint goes to the end of its queue', async () => {
  const tenant = await newTenant('in-order');
  await plane.call('PATCH', `${tenant.path}/endpoints/${tenant.endpoint}`, { ordered: true });
  const isOrdered = () =>
    plane.config.tenant(tenant.name)?.endpoints.some(({ ordered }) => ordered !== undefined);
  await waitUntil(isOrdered, { what: 'it is ordered' });
  const id = await addDeadLetter(tenant, 'e1');
  await listed(tenant, 1);
  const { status, text } = await plane.call('POST', `${tenant.path}/dead-letters/${id}/replay`);
  assert.equal(status, 202, text);
  const subject = subjects.ordered(tenant.name, tenant.endpoint);
  assert.deepEqual(
    (await deliveriesOf(tenant)).map((delivery) => delivery.subject),
    [subject],
  );
});

/** Sends the same request on a selection under one key. */
const actOnMany = (tenant: Tenant, action: 'replay' | 'discard') =>
  plane.call(
    'POST',
    `${tenant.path}/dead-letters/${action}`,
    { all: true },
    {
      headers: { 'idempotency-key': `${action} ${tenant.name}` },
    },
  );

test('a repeated replay of a selection continues it when its process died', async () => {
  const tenant = await newTenant('continued');
  const dead = await Promise.all(['e1', 'e2', 'e3'].map((event) => addDeadLetter(tenant, event)));
  await listed(tenant, 3);
  assert.equal((await actOnMany(tenant, 'replay')).body.replayed_count, 3);
  await loseAnswers(plane.db);
  // The crash came before the second mark, longer ago than the window of message ids.
  const { deadLetters, deliveries } = historyOf(plane.db);
  await deadLetters.updateOne(
    { _id: dead[1] as string },
    { $set: { replayed_at: null, replay: null }, $unset: { replayed_by: '' } },
  );
  const again = deliveryId(tenant.name, 'e2', tenant.endpoint, dead[1]);
  const jsm = await jetstreamManager(plane.nc);
  await waitUntil(async () => (await deliveriesOf(tenant)).length === 3);
  const at = new Date();
  await deliveries.insertOne({
    _id: again,
    tenant: tenant.name,
    event: 'e2',
    endpoint: tenant.endpoint,
    type: 'order.created',
    accepted_at: at,
    state: { hop: 0, rank: 0, status: 'delivered', reason: null, at, next_attempt_at: null },
  });
  await jsm.streams.purge(streams.deliveries(0), { keep: 0 });
  await addDeadLetter(tenant, 'later');
  await listed(tenant, 4);
  const continued = await actOnMany(tenant, 'replay');
  assert.deepEqual(
    [continued.body.replayed_count, continued.body.more],
    [3, false],
    continued.text,
  );
  assert.equal(
    (await deliveriesOf(tenant)).length,
    0,
    'the published delivery is not published again',
  );
  const [left] = await listed(tenant, 1, '&status=open');
  assert.equal(left?.id, deliveryId(tenant.name, 'later', tenant.endpoint));
  assert.equal((await actOnMany(tenant, 'replay')).headers['idempotency-replayed'], 'true');
});

test('a repeated discard counts what its dead process discarded, and no later dead letter', async () => {
  const tenant = await newTenant('discarded-once');
  for (const event of ['e1', 'e2']) await addDeadLetter(tenant, event);
  await listed(tenant, 2);
  assert.equal((await actOnMany(tenant, 'discard')).body.discarded_count, 2);
  await loseAnswers(plane.db);
  await addDeadLetter(tenant, 'later');
  await listed(tenant, 1);
  assert.equal((await actOnMany(tenant, 'discard')).body.discarded_count, 2);
  await listed(tenant, 1);
});
