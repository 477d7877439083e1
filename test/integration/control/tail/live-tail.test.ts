/** The live tail over real streams: what readers get, resume, miss, and why streams end. */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { before, test, type TestContext } from 'node:test';
import { keyHash } from '#infra/http/server/authenticate.ts';
import { limits } from '#domain/limits.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import type { DeliveryRecord } from '#wire/frames/record.ts';
import { type ControlPlane, PLATFORM_KEY, startControlPlane } from '../control-plane.ts';
import { listen, publishEvent, publishRecords, TailClient } from './tail-client.ts';

const ACCEPTED_MS = 1_700_000_000_000;

let plane: ControlPlane;
let api: string;
before(async (t) => {
  plane = await startControlPlane(t as never);
  api = await listen(plane);
});

async function newTenant(id: string): Promise<void> {
  assert.ok((await plane.call('PUT', `/v1/tenants/${id}`, {})).status < 300);
  await waitUntil(() => plane.config.currentTenant(id));
}

async function newKey(body: object): Promise<{ key: string; id: string }> {
  const made = await plane.call('POST', '/v1/keys', body);
  assert.equal(made.status, 201, made.text);
  await waitUntil(() => plane.config.apiKey(keyHash(made.body.key)));
  return made.body;
}

function open(
  t: TestContext,
  path: string,
  { key = PLATFORM_KEY, lastId }: { key?: string; lastId?: string } = {},
): Promise<TailClient> {
  return TailClient.open(t, `${api}${path}`, {
    authorization: `Bearer ${key}`,
    ...(lastId !== undefined && { 'last-event-id': lastId }),
  });
}

function delivery(tenant: string, changes: Partial<DeliveryRecord> = {}): DeliveryRecord {
  return {
    k: 'delivery',
    tenant,
    event: 'e1',
    type: 'order.created',
    acceptedMs: ACCEPTED_MS,
    id: 'dlv_01k3v9h2c8m4n6p8q0r2s4t6v8',
    endpoint: 'ep_01k3v9h2c8m4n6p8q0r2s4t6v8',
    hop: 1,
    status: 'pending',
    attempt: {
      id: 'att_1',
      no: 2,
      startedMs: ACCEPTED_MS + 5,
      durationMs: 3,
      status: 503,
      failure: 'http_status',
      worker: 'w',
      responseBody: 'secret',
    },
    ...changes,
  };
}

test('a reader gets the events of its tenant when they are stored and routed, and no others', async (t) => {
  await newTenant('acme');
  await newTenant('globex');
  const tail = await open(t, '/v1/tenants/acme/events/tail');
  assert.equal(tail.status, 200);
  assert.equal(tail.headers.get('content-type'), 'text/event-stream');
  assert.equal(tail.headers.get('cache-control'), 'no-store');
  assert.notEqual(tail.headers.get('x-request-id'), null);
  await publishEvent(plane, 'globex', 'foreign');
  await publishEvent(plane, 'acme', 'e1');
  const routed = { k: 'routed', event: 'e1', type: 'order.created', acceptedMs: ACCEPTED_MS };
  await publishRecords(plane, { ...routed, k: 'routed', tenant: 'acme', deliveries: [] });
  // Events and records are different streams, so either may come first.
  const accepted = await tail.until(({ data }) => data.status === 'accepted');
  const unmatched = await tail.until(({ data }) => data.status === 'unmatched');
  assert.equal(tail.messages.length, 2);
  assert.deepEqual([accepted.event, accepted.data.id], ['event', 'e1']);
  assert.equal(accepted.data.tenant_id, 'acme');
  assert.equal('data' in accepted.data, false);
  assert.deepEqual([unmatched.data.id, unmatched.data.matched_endpoint_count], ['e1', 0]);
});

test('filters select deliveries and attempts, and an attempt comes without its response', async (t) => {
  await newTenant('filters');
  const failed = await open(t, '/v1/tenants/filters/deliveries/tail?status=failed&status=held');
  const classed = await open(t, '/v1/tenants/filters/attempts/tail?response_class=5xx');
  const succeeded = await open(t, '/v1/tenants/filters/attempts/tail?status=succeeded');
  await publishRecords(
    plane,
    delivery('filters'),
    delivery('filters', { status: 'failed', hop: 2 }),
  );
  const change = await failed.until(({ data }) => data.status === 'failed');
  assert.equal(change.data.attempt_count, 2);
  const attempt = await classed.until(({ event }) => event === 'attempt');
  assert.deepEqual(
    [attempt.data.delivery_id, attempt.data.response_status, attempt.data.number],
    ['dlv_01k3v9h2c8m4n6p8q0r2s4t6v8', 503, 2],
  );
  assert.equal(JSON.stringify(attempt).includes('secret'), false);
  const { attempt: made } = delivery('filters');
  const answered = { ...made, id: 'att_2', no: 3, status: 200, worker: 'w', durationMs: 1 };
  const { failure: _, ...ok } = answered as Required<typeof answered>;
  await publishRecords(plane, delivery('filters', { status: 'delivered', hop: 3, attempt: ok }));
  const success = await succeeded.until(() => true);
  assert.equal(success.data.id, 'att_2');
  assert.deepEqual(failed.messages.length, 1);
});

test('an operator gets the events of all tenants, or of those that a filter names', async (t) => {
  await newTenant('one');
  await newTenant('two');
  const all = await open(t, '/v1/events/tail');
  const some = await open(t, '/v1/events/tail?tenant_id=two');
  await publishEvent(plane, 'one', 'o1');
  await publishEvent(plane, 'two', 't1');
  await publishEvent(plane, 'unknown-tenant', 'u1');
  await publishEvent(plane, 'two', 't2');
  await some.until(({ data }) => data.id === 't2');
  await all.until(({ data }) => data.id === 't2');
  assert.deepEqual(
    some.messages.map(({ data }) => data.id),
    ['t1', 't2'],
  );
  const ids = all.messages.map(({ data }) => data.id);
  assert.deepEqual(new Set(ids), new Set(['o1', 't1', 't2']));
  assert.equal(ids.length, 3);
});

test('a reader that connects again gets the messages after its last one', async (t) => {
  await newTenant('resume');
  const path = '/v1/tenants/resume/events/tail';
  const before = await open(t, path);
  await publishEvent(plane, 'resume', 'r1');
  await before.until(({ data }) => data.id === 'r1');
  const { lastId } = before;
  before.close();
  await waitUntil(() => before.isEnded);
  for (const id of ['r2', 'r3']) await publishEvent(plane, 'resume', id);
  const after = await open(t, path, { lastId });
  await after.until(({ data }) => data.id === 'r3');
  await publishEvent(plane, 'resume', 'r4');
  await after.until(({ data }) => data.id === 'r4');
  assert.deepEqual(
    after.messages.map(({ data }) => data.id),
    ['r2', 'r3', 'r4'],
  );
});

test('a position before the streams is resumed at their start, and one after their end at the end', async (t) => {
  await newTenant('edges');
  const path = '/v1/tenants/edges/events/tail';
  const ahead = await open(t, path, { lastId: '1-zzzzzz.zzzzzz' });
  await publishEvent(plane, 'edges', 'x1');
  await ahead.until(({ data }) => data.id === 'x1');
  const start = await open(t, path, { lastId: '1-0.0' });
  await start.until(({ data }) => data.id === 'x1');
});

test('rejects a last event id that is no position with POSTHORN_REQUEST_INVALID', async (t) => {
  await newTenant('forged');
  for (const lastId of ['7', '1-1', '1-1.1.1', '1-!.1', `1-${'1'.repeat(900)}.1`]) {
    const tail = await open(t, '/v1/tenants/forged/events/tail', { lastId });
    assert.equal(tail.status, 400, lastId);
    assert.equal((await tail.json()).code, 'POSTHORN_REQUEST_INVALID');
  }
});

test('rejects readers without access, and queries that the stream does not have', async (t) => {
  await newTenant('closed');
  const { key } = await newKey({ scope: 'tenant', tenant_id: 'closed' });
  const statuses = [
    await open(t, '/v1/tenants/closed/events/tail', { key: 'wrong' }),
    await open(t, '/v1/tenants/acme/events/tail', { key }),
    await open(t, '/v1/events/tail', { key }),
    await open(t, '/v1/tenants/nobody/events/tail'),
    await open(t, '/v1/tenants/closed/events/tail?colour=red'),
    await open(t, '/v1/tenants/closed/events/tail?status=delivered'),
  ].map(({ status }) => status);
  assert.deepEqual(statuses, [401, 403, 403, 404, 400, 400]);
});

test('a revoked key ends the stream, and so does the end of its tenant', async (t) => {
  await newTenant('ends');
  const { key, id } = await newKey({ scope: 'tenant', tenant_id: 'ends' });
  const mine = await open(t, '/v1/tenants/ends/events/tail', { key });
  const operators = await open(t, '/v1/tenants/ends/events/tail');
  assert.equal((await plane.call('DELETE', `/v1/keys/${id}`)).status, 204);
  assert.equal((await mine.until(({ event }) => event === 'end')).data.reason, 'access_ended');
  await waitUntil(() => mine.isEnded);
  await plane.call('DELETE', '/v1/tenants/ends');
  const end = await operators.until(({ event }) => event === 'end');
  assert.equal(end.data.reason, 'tenant_deleted');
});

test('a new life of a tenant ends the streams of the earlier one', async (t) => {
  await newTenant('again');
  const old = await open(t, '/v1/tenants/again/events/tail');
  await plane.call('DELETE', '/v1/tenants/again');
  await plane.call('PUT', '/v1/tenants/again', {});
  assert.equal((await old.until(({ event }) => event === 'end')).data.reason, 'tenant_deleted');
});

test('a tenant has a bounded number of streams', async (t) => {
  await newTenant('many');
  const path = '/v1/tenants/many/events/tail';
  const opened = await Promise.all(
    Array.from({ length: limits.tailReadersPerTenantMax + 2 }, () => open(t, path)),
  );
  const refused = opened.filter(({ status }) => status === 503);
  assert.equal(refused.length, 2);
  assert.equal((await refused[0]?.json())?.code, 'POSTHORN_OVERLOADED');
  opened.find(({ status }) => status === 200)?.close();
  await waitUntil(async () => (await open(t, path)).status === 200, { intervalMs: 50 });
});

test('a reader that stops reading gets the number of missed messages, and delays no other reader', async (t) => {
  await newTenant('slow');
  const path = '/v1/tenants/slow/events/tail';
  const fast = await open(t, path);
  const { hostname, port } = new URL(api);
  const socket = connect(Number(port), hostname);
  t.after(() => socket.destroy());
  socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${PLATFORM_KEY}\r\n\r\n`);
  await new Promise((resolve) => socket.once('data', resolve));
  socket.pause();
  // Long ids and types, so that the buffers of the kernel are full soon.
  const type = 'x'.repeat(128);
  const BATCH = 2000;
  let sent = 0;
  let text = '';
  const isReported = (): boolean => text.includes('event: missed');
  const publish = async (): Promise<void> => {
    const from = sent;
    sent += BATCH;
    const ids = Array.from({ length: BATCH }, (_, at) => `${'y'.repeat(150)}${from + at}`);
    await Promise.all(ids.map((id) => publishEvent(plane, 'slow', id, type)));
    await waitUntil(() => fast.messages.length === sent, { deadlineMs: 30_000 });
  };
  // Over 15 MB, more than the kernel holds for a connection.
  for (let i = 0; i < 8; i++) await publish();
  assert.equal(fast.messages.filter(({ event }) => event === 'missed').length, 0);
  socket.on('data', (bytes) => {
    text += bytes.toString('latin1');
  });
  socket.resume();
  await waitUntil(
    async () => {
      if (!isReported()) await publishEvent(plane, 'slow', `z${sent}`, type);
      return isReported();
    },
    { intervalMs: 100, deadlineMs: 20_000 },
  );
  const missed = /event: missed\r?\ndata: (\{.*?\})/.exec(text)?.[1] ?? '{}';
  const facts = JSON.parse(missed);
  assert.equal(facts.reason, 'slow_reader');
  assert.ok(facts.count > 0);
  assert.match(facts.last_event_id, /^1-/);
});
