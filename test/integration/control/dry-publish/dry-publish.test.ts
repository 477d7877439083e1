/** The dry publish: the effect of an event on all endpoints, without storing it (IN-17). */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { jetstreamManager } from '@nats-io/jetstream';
import { keyHash } from '#infra/http/server/authenticate.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { streams } from '#wire/subjects.ts';
import { type ControlPlane, startControlPlane } from '../control-plane.ts';

let plane: ControlPlane;
before(async (t) => {
  plane = await startControlPlane(t as never);
});

async function newTenant(id: string, endpoints: object[] = []): Promise<string> {
  const path = `/v1/tenants/${id}`;
  await plane.call('PUT', path, {});
  for (const body of endpoints) {
    const made = await plane.call('POST', `${path}/endpoints`, body);
    assert.equal(made.status, 201, made.text);
  }
  await waitUntil(() => plane.config.currentTenant(id)?.endpoints.length === endpoints.length);
  return `${path}/events/dry-run`;
}

test('each endpoint is listed with the deciding fact, and nothing is stored', async () => {
  const path = await newTenant('dry', [
    { url: 'https://a.example/', event_types: ['order.*'] },
    { url: 'https://b.example/', event_types: ['invoice.*'] },
    { url: 'https://c.example/', event_types: [] },
  ]);
  const { status, body } = await plane.call('POST', path, {
    event: { type: 'order.created', data: { amount: 120 } },
  });
  assert.equal(status, 200);
  const { judged_at: _, data, ...facts } = body;
  assert.deepEqual(facts, {
    accepted: true,
    error: null,
    event_type: 'order.created',
    type_registered: false,
    priority: 'normal',
    next_cursor: null,
  });
  const reasons = data.map((each: { reason: string }) => each.reason).toSorted();
  assert.deepEqual(reasons, ['event_type', 'matched', 'no_subscription']);
  const { state } = await (await jetstreamManager(plane.nc)).streams.info(streams.events(0));
  assert.equal(state.messages, 0);
});

test('a refusal is the answer that a producer would get', async () => {
  const path = await newTenant('refused');
  const type = { schema: { type: 'object', required: ['n'] } };
  await plane.call('PUT', '/v1/event-types/dry.typed', type);
  await waitUntil(() => plane.config.eventType('dry.typed'));
  const cases: [event: unknown, code: string][] = [
    [{ data: 1 }, 'POSTHORN_EVENT_INVALID'],
    [7, 'POSTHORN_EVENT_INVALID'],
    [{ type: 'dry.typed', data: {} }, 'POSTHORN_EVENT_DATA_INVALID'],
    [{ type: 'posthorn.endpoint.disabled' }, 'POSTHORN_EVENT_INVALID'],
  ];
  for (const [event, code] of cases) {
    const { status, body } = await plane.call('POST', path, { event });
    assert.equal(status, 200);
    assert.equal(body.accepted, false);
    assert.equal(body.error.code, code);
    assert.deepEqual(body.data, []);
  }
});

test('endpoints come in pages, and a cursor belongs to its tenant', async () => {
  const endpoints = ['a', 'b', 'c'].map((name) => ({ url: `https://${name}.example/` }));
  const path = await newTenant('pages', endpoints);
  const event = { type: 'order.created' };
  const first = await plane.call('POST', `${path}?limit=2`, { event });
  assert.equal(first.body.data.length, 2);
  const cursor = encodeURIComponent(first.body.next_cursor);
  const second = await plane.call('POST', `${path}?limit=2&cursor=${cursor}`, { event });
  assert.equal(second.body.data.length, 1);
  assert.equal(second.body.next_cursor, null);
  const other = await newTenant('other-pages');
  const foreign = await plane.call('POST', `${other}?cursor=${cursor}`, { event });
  assert.equal(foreign.body.code, 'POSTHORN_CURSOR_INVALID');
});

test('rejects callers without access to the tenant, and bodies without an event', async () => {
  const path = await newTenant('locked');
  await newTenant('stranger');
  const made = await plane.call('POST', '/v1/keys', { scope: 'tenant', tenant_id: 'stranger' });
  const { key } = made.body;
  await waitUntil(() => plane.config.apiKey(keyHash(key)));
  const event = { type: 'order.created' };
  assert.equal((await plane.call('POST', path, { event }, { key })).status, 403);
  assert.equal((await plane.call('POST', path, { event }, { key: 'wrong' })).status, 401);
  assert.equal((await plane.call('POST', path, {})).status, 400);
  assert.equal((await plane.call('POST', path, { event, more: 1 })).status, 400);
  const unknown = '/v1/tenants/nobody/events/dry-run';
  assert.equal((await plane.call('POST', unknown, { event })).status, 404);
});
