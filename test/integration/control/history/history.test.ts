import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { broadcastEventId, cloudEventId, plainEventId } from '#domain/event/event-id.ts';
import {
  type DeliveryDocument,
  type EventDocument,
  eventKey,
  historyOf,
} from '#infra/mongo/documents.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { type ControlPlane, startControlPlane } from '../control-plane.ts';

/** Recent: mongod removes documents older than the retention at any time. */
const ACCEPTED_MS = Date.now() - 3600_000;

let plane: ControlPlane;
before(async (t) => {
  plane = await startControlPlane(t as never);
});

const call = (path: string) => plane.call('GET', path);
const ids = (page: { data: { id: string }[] }) => page.data.map((item) => item.id);

async function newTenant(id: string): Promise<string> {
  await plane.call('PUT', `/v1/tenants/${id}`, {});
  return `/v1/tenants/${id}`;
}

function event(tenant: string, id: string, fields: Partial<EventDocument> = {}): EventDocument {
  return {
    _id: eventKey(tenant, id),
    tenant,
    id,
    seq: 1,
    type: 'order.created',
    source: '/test',
    time: '2026-01-02T03:04:05.678901Z',
    kind: 'json',
    data: '{}',
    correlation_id: 'req_1',
    accepted_at: new Date(ACCEPTED_MS),
    routed: 1,
    ...fields,
  };
}

function delivery(
  tenant: string,
  id: string,
  fields: Partial<DeliveryDocument> = {},
): DeliveryDocument {
  const at = new Date(ACCEPTED_MS);
  return {
    _id: id,
    tenant,
    event: 'evt_1',
    endpoint: 'ep_1',
    type: 'order.created',
    accepted_at: at,
    state: { hop: 0, rank: 0, status: 'pending', reason: null, at, next_attempt_at: null },
    ...fields,
  };
}

test('data is shown as it was published, digit for digit', async () => {
  const path = await newTenant('raw');
  const data = '{"big": 12345678901234567890.10, "a":1, "a":2,\n "s":"\\u00e9"}';
  const { events } = historyOf(plane.db);
  await events.insertMany([
    event('raw', 'evt_json', { data }),
    event('raw', 'evt_text', { kind: 'text', content_type: 'text/csv', data: 'a,"b"\n' }),
    event('raw', 'evt_binary', { kind: 'binary', content_type: 'image/png', data: 'AAEC' }),
    event('raw', 'a/b c'),
  ]);
  const answer = await call(`${path}/events/evt_json`);
  assert.equal(answer.status, 200);
  assert.ok(answer.text.includes(`"data":${data}}`), answer.text);
  assert.equal((await call(`${path}/events/evt_text`)).body.data, 'a,"b"\n');
  assert.equal((await call(`${path}/events/evt_binary`)).body.data_base64, 'AAEC');
  assert.equal((await call(`${path}/events/${encodeURIComponent('a/b c')}`)).body.id, 'a/b c');
  const listed = await call(`${path}/events`);
  assert.equal(listed.body.data.length, 4);
  assert.ok(!('data' in listed.body.data[0]));
});

test('the data of a sensitive type is not shown', async () => {
  const path = await newTenant('secretive');
  await plane.call('PUT', '/v1/event-types/patient.seen', { sensitive: true });
  await waitUntil(() => plane.config.eventType('patient.seen'));
  const { events } = historyOf(plane.db);
  await events.insertOne(event('secretive', 'e', { type: 'patient.seen', data: '{"n":"Ada"}' }));
  const { body, text } = await call(`${path}/events/e`);
  assert.equal(body.data_hidden, true);
  assert.ok(!text.includes('Ada'));
});

test('an id that is only claimed by ingress is not listed as an event', async () => {
  const path = await newTenant('claims');
  const { seq, data, ...claim } = event('claims', 'evt_claimed');
  assert.ok(seq === 1 && data === '{}');
  await historyOf(plane.db).events.insertOne(claim);
  assert.deepEqual(ids((await call(`${path}/events`)).body), []);
  assert.equal((await call(`${path}/events/evt_claimed`)).status, 404);
});

test('events are filtered, newest first, and each is on one page only', async () => {
  const path = await newTenant('lists');
  const { events } = historyOf(plane.db);
  const at = (ms: number) => new Date(ACCEPTED_MS + ms);
  await events.insertMany([
    event('lists', 'e1', { accepted_at: at(1), routed: 0 }),
    event('lists', 'e2', { accepted_at: at(2), type: 'order.paid' }),
    event('lists', 'e3a', { accepted_at: at(3) }),
    event('lists', 'e3b', { accepted_at: at(3) }),
    event('lists', 'e3c', { accepted_at: at(3) }),
    event('lists', 'e4', { accepted_at: at(4) }),
    event('other', 'e5', { accepted_at: at(5) }),
  ]);
  const list = async (query: string) => (await call(`${path}/events?${query}`)).body;
  assert.deepEqual(ids(await list('')), ['e4', 'e3c', 'e3b', 'e3a', 'e2', 'e1']);
  assert.deepEqual(ids(await list('event_type=order.paid')), ['e2']);
  assert.deepEqual(ids(await list('status=unmatched')), ['e1']);
  assert.deepEqual(ids(await list('status=matched&event_type=order.paid')), ['e2']);
  const [after, before] = [at(1).toISOString(), at(4).toISOString()];
  const range = ids(await list(`accepted_at[gte]=${after}&accepted_at[lt]=${before}`));
  assert.deepEqual(range, ['e3c', 'e3b', 'e3a', 'e2', 'e1']);
  const both = 'event_type=order.paid&event_type=order.created&order=oldest';
  assert.deepEqual(ids(await list(both)), ['e1', 'e2', 'e3a', 'e3b', 'e3c', 'e4']);
  const seen: string[] = [];
  let cursor = '';
  do {
    const page = await list(`limit=2${cursor}`);
    seen.push(...ids(page));
    // Newer events do not shift the pages.
    const id = `new${seen.length}`;
    await events.insertOne(event('lists', id, { accepted_at: at(100 + seen.length) }));
    cursor = page.next_cursor === null ? '' : `&cursor=${page.next_cursor}`;
  } while (cursor !== '');
  assert.deepEqual(seen, ['e4', 'e3c', 'e3b', 'e3a', 'e2', 'e1']);
  assert.equal(
    (await list('accepted_at[gte]=yesterday')).errors[0].pointer,
    '#query/accepted_at[gte]',
  );
  assert.equal(
    (await list('accepted_at[gte]=2026-06-30T23:59:60Z')).errors[0].pointer,
    '#query/accepted_at[gte]',
  );
  assert.equal((await list('typ=x')).errors[0].pointer, '#query/typ');
});

test('pages of the oldest events first are complete, and a cursor fits only its own query', async () => {
  const path = await newTenant('bound');
  const { events } = historyOf(plane.db);
  const at = (ms: number) => new Date(ACCEPTED_MS + ms);
  const made = [1, 2, 2, 3].map((ms, i) => event('bound', `e${i}`, { accepted_at: at(ms) }));
  await events.insertMany(made);
  const list = async (query: string) => (await call(`${path}/events?${query}`)).body;
  const first = await list('order=oldest&limit=2');
  const rest = await list(`order=oldest&limit=10&cursor=${first.next_cursor}`);
  assert.deepEqual([...ids(first), ...ids(rest)], ['e0', 'e1', 'e2', 'e3']);
  for (const other of ['order=newest', 'order=oldest&status=matched', '']) {
    const { code, errors } = await list(`${other}&cursor=${first.next_cursor}`);
    assert.equal(code, 'POSTHORN_CURSOR_INVALID', other);
    assert.equal(errors[0].pointer, '#query/cursor');
  }
});

test('deliveries are listed, counted for their event, and shown with their attempts in order', async () => {
  const path = await newTenant('deliveries');
  const { events, deliveries, attempts: attemptDocuments } = historyOf(plane.db);
  await events.insertOne(event('deliveries', 'evt_1', { routed: 3 }));
  const attempt = (no: number, fields: object) => ({
    id: `att_${no}`,
    no,
    startedMs: ACCEPTED_MS + no,
    durationMs: 12.5,
    worker: 'w',
    ...fields,
  });
  const failed = {
    hop: 1,
    rank: 3,
    status: 'failed',
    reason: 'exhausted',
    at: new Date(ACCEPTED_MS + 1000),
    next_attempt_at: null,
  } as const;
  await deliveries.insertMany([
    delivery('deliveries', 'dlv_1', {
      state: failed,
      attempts: {
        att_10: 10,
        // As a version before documents of attempts stored it.
        att_9: attempt(9, { status: 500, failure: 'http_status', responseBody: 'oops' }),
      },
    }),
    delivery('deliveries', 'dlv_2', { endpoint: 'ep_2' }),
    delivery('deliveries', 'dlv_3', { event: 'evt_2', type: 'order.paid' }),
    delivery('another', 'dlv_4'),
  ]);
  const stored = (tenant: string, id: string) => ({
    _id: id,
    tenant,
    delivery: 'dlv_1',
    event: 'evt_1',
    endpoint: 'ep_1',
    type: 'order.created',
    accepted_at: new Date(ACCEPTED_MS),
    no: 10,
    started_at: new Date(ACCEPTED_MS + 10),
    duration_ms: 12.5,
    failure: 'timeout' as const,
    worker: 'w',
  });
  await attemptDocuments.insertMany([stored('deliveries', 'att_10'), stored('another', 'att_x')]);
  const list = async (query: string) => ids((await call(`${path}/deliveries?${query}`)).body);
  assert.deepEqual(await list(''), ['dlv_3', 'dlv_2', 'dlv_1']);
  assert.deepEqual(await list('status=failed'), ['dlv_1']);
  assert.deepEqual(await list('endpoint_id=ep_2'), ['dlv_2']);
  assert.deepEqual(await list('endpoint_id=ep_2&endpoint_id=ep_1&order=oldest'), [
    'dlv_1',
    'dlv_2',
    'dlv_3',
  ]);
  const many = (count: number) => Array(count).fill('status=failed').join('&');
  assert.deepEqual(await list(many(20)), ['dlv_1']);
  const tooMany = await call(`${path}/deliveries?${many(21)}`);
  assert.equal(tooMany.body.errors[0].pointer, '#query/status');
  assert.deepEqual(await list('event_type=order.paid'), ['dlv_3']);
  const ofEvent = await call(`${path}/events/evt_1/deliveries`);
  assert.deepEqual(ids(ofEvent.body), ['dlv_2', 'dlv_1']);
  assert.equal(ofEvent.body.data[1].attempt_count, 2);
  assert.deepEqual((await call(`${path}/events/evt_1`)).body.deliveries, {
    failed: 1,
    pending: 1,
  });
  const one = (await call(`${path}/deliveries/dlv_1`)).body;
  assert.equal(one.status, 'failed');
  assert.equal(one.reason, 'exhausted');
  assert.deepEqual(
    one.attempts.map((a: { number: number }) => a.number),
    [9, 10],
  );
  assert.equal(one.attempts[0].response_body, 'oops');
  assert.equal(one.attempts[1].response_status, null);
  const attempts = await call(`${path}/deliveries/dlv_1/attempts`);
  assert.deepEqual(attempts.body, { data: one.attempts, next_cursor: null });
  assert.equal((await call(`${path}/deliveries/dlv_4`)).status, 404);
  assert.equal((await call(`${path}/events/evt_9/deliveries`)).status, 404);
  assert.equal((await call(`${path}/deliveries?status=lost`)).status, 400);
});

test("a deleted tenant's history is removed, and that of its next life is kept", async () => {
  await newTenant('bygone');
  const { events, deliveries, attempts } = historyOf(plane.db);
  await attempts.insertOne({
    _id: 'att_old',
    tenant: 'bygone',
    delivery: 'dlv_old',
    event: 'e_old',
    endpoint: 'ep_1',
    type: 'a.b',
    accepted_at: new Date(ACCEPTED_MS),
    no: 1,
    started_at: new Date(ACCEPTED_MS),
    duration_ms: 1,
    worker: 'w',
  });
  // The times do not order them, because both were accepted at the same time.
  await events.insertOne(event('bygone', 'e_old'));
  await deliveries.insertOne(delivery('bygone', 'dlv_old'));
  await events.insertOne(event('bygone=1', 'e_new'));
  assert.equal((await plane.call('DELETE', '/v1/tenants/bygone')).status, 204);
  const path = await newTenant('bygone');
  assert.deepEqual(ids((await call(`${path}/events`)).body), ['e_new']);
  await waitUntil(async () => (await events.countDocuments({ tenant: 'bygone' })) === 0);
  await waitUntil(async () => (await deliveries.countDocuments({ tenant: 'bygone' })) === 0);
  await waitUntil(async () => (await attempts.countDocuments({ tenant: 'bygone' })) === 0);
  assert.deepEqual(ids((await call(`${path}/events`)).body), ['e_new']);
});

test('an event is found by the source and id of its producer', async () => {
  const path = await newTenant('pairs');
  const { events } = historyOf(plane.db);
  const digest = cloudEventId('/orders', '1');
  const copy = broadcastEventId('/shop', '1');
  const plainCopy = broadcastEventId('/broadcasts', '1');
  const plain = plainEventId('/tenants/pairs', digest);
  await events.insertMany([
    event('pairs', digest, { source: '/orders', producer_id: '1' }),
    event('pairs', cloudEventId('/invoices', '1'), { source: '/invoices', producer_id: '1' }),
    event('pairs', '1', { source: '/tenants/pairs' }),
    event('pairs', copy, { source: '/shop', producer_id: '1' }),
    event('pairs', plainCopy, { source: '/news', producer_id: '1' }),
    event('pairs', plain, { source: '/news', producer_id: digest }),
  ]);
  const find = async (source: string, id: string) => {
    const query = new URLSearchParams({ source, producer_id: id });
    return (await call(`${path}/events?${query.toString()}`)).body;
  };
  const found = await find('/orders', '1');
  assert.deepEqual(ids(found), [digest]);
  assert.equal(found.data[0].producer_id, '1');
  assert.deepEqual(ids(await find('/tenants/pairs', '1')), ['1']);
  assert.deepEqual(ids(await find('/shop', '1')), [copy]);
  assert.deepEqual(ids(await find('/news', '1')), [plainCopy]);
  assert.deepEqual(ids(await find('/news', digest)), [plain]);
  assert.deepEqual(ids(await find('/orders', '2')), []);
  const { status, body } = await call(`${path}/events?producer_id=1`);
  assert.equal(status, 400);
  assert.deepEqual(body.errors, [
    { pointer: '#query/source', detail: 'is required with producer_id' },
  ]);
});

test('an event without data is shown without data, and its extensions with their types', async () => {
  const path = await newTenant('without');
  const ext = { count: 7, on: true, text: '7' };
  await historyOf(plane.db).events.insertMany([
    event('without', 'none', { data: 'null', no_data: true, ext }),
    event('without', 'empty', { kind: 'text', content_type: 'text/plain', data: '' }),
  ]);
  const { body } = await call(`${path}/events/none`);
  assert.ok(!('data' in body));
  assert.deepEqual(body.extensions, ext);
  assert.equal((await call(`${path}/events/empty`)).body.data, '');
});
