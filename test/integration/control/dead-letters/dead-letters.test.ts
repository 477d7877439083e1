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
  const { endpoint } = tenant;
  const expected = { id, endpoint, attemptNo: 1, hop: 0, eventSeq: 5, replayOf: dead };
  assert.deepEqual(head, expected);
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

test('rejects the replay of a dead letter without its event or endpoint', async () => {
  const tenant = await newTenant('unreplayable');
  const gone = await addDeadLetter(tenant, 'deleted', { endpoint: 'ep_deleted' });
  const expired = await addDeadLetter(tenant, 'expired', {
    reason: 'event_expired',
    expired: true,
  });
  await listed(tenant, 2);
  const counted = 'posthorn_projector_dead_letters_total';
  assert.ok((await metricValue(plane.registry, counted, { reason: 'event_expired' })) > 0);
  for (const id of [expired, gone]) {
    const answer = await plane.call('POST', `${tenant.path}/dead-letters/${id}/replay`);
    assert.equal(answer.status, 409);
    assert.equal(answer.body.code, 'POSTHORN_DEAD_LETTER_UNREPLAYABLE');
  }
});

test('a discarded dead letter is not restored when its write is repeated', async () => {
  const tenant = await newTenant('discarded');
  const dead = await addDeadLetter(tenant, 'e1');
  await listed(tenant, 1);
  const path = `${tenant.path}/dead-letters`;
  assert.equal((await plane.call('DELETE', `${path}/${dead}`)).status, 204);
  assert.equal((await plane.call('DELETE', `${path}/${dead}`)).status, 404);
  assert.equal((await plane.call('POST', `${path}/${dead}/replay`)).status, 404);
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
  const answer = await plane.call('GET', `${path}/dead-letters?failed_at[gte]=${after}`);
  assert.equal(answer.body.errors[0].pointer, '#query/failed_at[gte]');
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
