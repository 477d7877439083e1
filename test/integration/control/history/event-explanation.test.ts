/** Explains why an endpoint gets an event or not, through the API (RT-9). */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { before, test } from 'node:test';
import { limits } from '#domain/limits.ts';
import { keyHash } from '#infra/http/server/authenticate.ts';
import { type EventDocument, eventKey, historyOf } from '#infra/mongo/documents.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import type { PayloadRef } from '#wire/frames/event-frame.ts';
import { type ControlPlane, startControlPlane } from '../control-plane.ts';

let plane: ControlPlane;
before(async (t) => {
  plane = await startControlPlane(t as never);
});

const get = (path: string, key?: string) => plane.call('GET', path, undefined, { key });

async function created(path: string, body: object): Promise<string> {
  const answer = await plane.call('POST', path, body);
  assert.equal(answer.status, 201, answer.text);
  return answer.body.id as string;
}

let endpointsMade = 0;
/** Without `event_types` and `filter`, a subscription to all. */
function newEndpoint(tenant: string, body: object = {}): Promise<string> {
  const url = `https://example.com/${endpointsMade++}`;
  return created(`/v1/tenants/${tenant}/endpoints`, { url, ...body });
}

async function newTenant(tenant: string): Promise<string> {
  await plane.call('PUT', `/v1/tenants/${tenant}`, {});
  await waitUntil(() => plane.config.tenant(tenant) !== undefined, { what: tenant });
  return `/v1/tenants/${tenant}`;
}

/** Until the process knows the tenant's configuration as MongoDB has it. */
async function inForce(tenant: string): Promise<void> {
  const stored = await plane.db.collection('tenants').findOne({ _id: tenant as never });
  const rev = stored?.['config_rev'] as number;
  assert.ok(rev > 0);
  await waitUntil(() => (plane.config.tenant(tenant)?.rev ?? 0) >= rev, { what: `rev ${rev}` });
}

async function storeEvent(
  tenant: string,
  id: string,
  fields: Partial<EventDocument> = {},
): Promise<string> {
  await historyOf(plane.db).events.insertOne({
    _id: eventKey(tenant, id),
    tenant,
    id,
    seq: 1,
    type: 'order.created',
    source: '/shop',
    time: '2026-01-31T12:00:00Z',
    kind: 'json',
    data: '{"amount":50}',
    accepted_at: new Date(),
    ...fields,
  });
  return `/v1/tenants/${tenant}/events/${id}/explanation`;
}

interface Explained {
  endpoint_id: string;
  matched: boolean;
  reason: string;
  subscriptions: object[];
}

test('each endpoint is listed with its deciding fact, and each of its subscriptions', async () => {
  const path = await newTenant('why');
  const gets = await newEndpoint('why', { event_types: ['order.*'] });
  const none = await newEndpoint('why');
  const type = await newEndpoint('why', { event_types: ['invoice.*'] });
  const filter = await newEndpoint('why', { filter: { 'data.amount': { $gt: 100 } } });
  const paused = await newEndpoint('why', { filter: { source: '/shop' } });
  const disabled = await newEndpoint('why');
  const subscriptionOf = async (endpoint: string): Promise<string> =>
    (await get(`${path}/subscriptions?endpoint_id=${endpoint}`)).body.data[0].id;
  const subscriptions = new Map<string, string>();
  for (const id of [gets, none, type, filter, paused, disabled]) {
    subscriptions.set(id, await subscriptionOf(id));
  }
  const waiting = `${path}/subscriptions/${subscriptions.get(none)}`;
  await plane.call('PATCH', waiting, { status: 'pending' });
  const further = { endpoint_id: gets, filter: { 'data.amount': 1 } };
  const second = await created(`${path}/subscriptions`, further);
  await plane.call('PATCH', `${path}/endpoints/${paused}`, { status: 'paused' });
  await plane.call('PATCH', `${path}/endpoints/${disabled}`, { status: 'disabled' });
  await inForce('why');

  const before = Date.now();
  const answer = await get(await storeEvent('why', 'evt_1', { routed: 3 }));
  assert.equal(answer.status, 200, answer.text);
  const { data, judged_at: judgedAt, ...rest } = answer.body;
  assert.deepEqual(rest, { event_id: 'evt_1', event_type: 'order.created', next_cursor: null });
  assert.match(judgedAt, /Z$/);
  assert.ok(Date.parse(judgedAt) >= before && Date.parse(judgedAt) <= Date.now());
  const explained = data as Explained[];
  assert.deepEqual(
    new Map(explained.map((each) => [each.endpoint_id, [each.matched, each.reason]])),
    new Map([
      [gets, [true, 'matched']],
      [none, [false, 'no_subscription']],
      [type, [false, 'event_type']],
      [filter, [false, 'filter']],
      [paused, [true, 'endpoint_paused']],
      [disabled, [true, 'endpoint_disabled']],
    ]),
  );
  const subscriptionsOf = (id: string) =>
    explained.find((each) => each.endpoint_id === id)?.subscriptions;
  assert.deepEqual(subscriptionsOf(gets), [
    { subscription_id: subscriptions.get(gets), matched: true, reason: 'matched' },
    { subscription_id: second, matched: false, reason: 'filter' },
  ]);
  assert.deepEqual(subscriptionsOf(none), []);
  assert.deepEqual(subscriptionsOf(type), [
    { subscription_id: subscriptions.get(type), matched: false, reason: 'event_type' },
  ]);

  await plane.call('PATCH', waiting, { status: 'approved' });
  await inForce('why');
  const now = await get(`${path}/events/evt_1/explanation`);
  const changed = (now.body.data as Explained[]).find((each) => each.endpoint_id === none);
  assert.equal(changed?.reason, 'matched', 'it is judged by the configuration of now');
});

test('pages list the endpoints by id', async () => {
  await newTenant('pages');
  const ids: string[] = [];
  for (let i = 0; i < 3; i++) ids.push(await newEndpoint('pages'));
  await inForce('pages');
  const path = await storeEvent('pages', 'evt_1');
  const first = (await get(`${path}?limit=2`)).body;
  const last = (await get(`${path}?limit=2&cursor=${first.next_cursor}`)).body;
  assert.equal(last.next_cursor, null);
  const seen = [first, last].map(({ data }) => data.map((each: Explained) => each.endpoint_id));
  const sorted = ids.toSorted();
  assert.deepEqual(seen, [sorted.slice(0, 2), sorted.slice(2)]);
  const foreign = await get('/v1/tenants/pages/endpoints?limit=1');
  const refused = await get(`${path}?cursor=${foreign.body.next_cursor}`);
  assert.equal(refused.body.code, 'POSTHORN_CURSOR_INVALID');
  assert.equal((await get(`${path}?limit=0`)).body.errors[0].pointer, '#query/limit');
});

test('rejects an unknown event, and one whose payload has expired', async () => {
  const path = await newTenant('gaps');
  const nobody = await get('/v1/tenants/nobody/events/evt_1/explanation');
  assert.equal(nobody.status, 404);
  assert.equal(nobody.body.code, 'POSTHORN_TENANT_UNKNOWN');
  const unknown = await get(`${path}/events/evt_1/explanation`);
  assert.equal(unknown.status, 404);
  assert.equal(unknown.body.code, 'POSTHORN_RESOURCE_UNKNOWN');
  assert.match(
    unknown.body.detail,
    /^event evt_1 not found.*expires after POSTHORN_HISTORY_RETENTION_SECONDS/,
  );
  // Its history is removed a little later.
  const left = await get(await storeEvent('deleted', 'evt_1'));
  assert.equal(left.body.code, 'POSTHORN_TENANT_UNKNOWN');
});

test('only the keys of the platform and of the tenant may read an explanation', async () => {
  await newTenant('locked');
  const path = await storeEvent('locked', 'evt_1');
  const keyOf = async (body: object): Promise<string> => {
    const { key } = (await plane.call('POST', '/v1/keys', body)).body;
    await waitUntil(() => plane.config.apiKey(keyHash(key)) !== undefined);
    return key;
  };
  const own = await keyOf({ scope: 'tenant', tenant_id: 'locked' });
  const foreign = await keyOf({ scope: 'tenant', tenant_id: 'gaps' });
  const producer = await keyOf({ scope: 'producer', tenant_id: 'locked' });
  assert.equal((await get(path, own)).status, 200);
  for (const key of [foreign, producer]) {
    const refused = await get(path, key);
    assert.equal(refused.status, 403);
    assert.equal(refused.body.code, 'POSTHORN_KEY_SCOPE');
  }
  assert.equal((await get(path, '')).status, 401);
});

test('the payload of a large event is read if a filter needs it', async () => {
  await newTenant('large');
  const bytes = Buffer.from('{"amount":500}');
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const payload: PayloadRef = {
    key: `large/pay_${'0'.repeat(26)}`,
    size: bytes.length,
    sha256,
  };
  await plane.payloads.put(payload.key, bytes, 'application/json');
  const gone: PayloadRef = { ...payload, key: `large/pay_${'1'.repeat(26)}` };
  const whole = await storeEvent('large', 'whole', { data: '', payload });
  const lost = await storeEvent('large', 'lost', { data: '', payload: gone });
  const other = await storeEvent('large', 'other', { data: '', payload: gone, type: 'a.b' });
  const size = limits.filterPayloadBytesMax + 1;
  const huge = await storeEvent('large', 'huge', { data: '', payload: { ...gone, size } });
  await newEndpoint('large', {
    event_types: ['order.*'],
    filter: { 'data.amount': { $gt: 100 } },
  });
  await inForce('large');
  const reasonOf = async (url: string) => (await get(url)).body.data[0].reason;
  assert.equal(await reasonOf(whole), 'matched');
  const refused = await get(lost);
  assert.equal(refused.status, 410);
  assert.equal(refused.body.code, 'POSTHORN_PAYLOAD_GONE');
  assert.match(refused.body.detail, /expired/);
  assert.equal(await reasonOf(other), 'event_type', 'no filter asks for it');
  assert.equal(await reasonOf(huge), 'filter', 'filters do not see so large a payload');
});

test('filters do not reveal the data of a sensitive type', async () => {
  const path = await newTenant('quiet');
  await plane.call('PUT', '/v1/event-types/patient.seen', { sensitive: true });
  await waitUntil(() => plane.config.eventType('patient.seen')?.sensitive === true);
  const url = await storeEvent('quiet', 'evt_1', { type: 'patient.seen', data: '{"n":"Ada"}' });
  const endpoint = await newEndpoint('quiet', { filter: { source: '/shop' } });
  await inForce('quiet');
  assert.equal((await get(url)).body.data[0].reason, 'matched');
  const filter = { 'data.n': { $regex: '^A' } };
  await created(`${path}/subscriptions`, { endpoint_id: endpoint, filter });
  await inForce('quiet');
  const refused = await get(url);
  assert.equal(refused.status, 403);
  assert.equal(refused.body.code, 'POSTHORN_DATA_HIDDEN');
});
