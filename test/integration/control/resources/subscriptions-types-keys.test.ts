import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { keyHash } from '#infra/http/server/authenticate.ts';
import type { EventTypeSnapshot, TenantSnapshot } from '#wire/config-snapshot.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { type ControlPlane, configGone, configValue, startControlPlane } from '../control-plane.ts';

let plane: ControlPlane;
before(async (t) => {
  plane = await startControlPlane(t as never);
});

const call = (...args: Parameters<ControlPlane['call']>) => plane.call(...args);
async function newEndpoint(tenant: string): Promise<{ path: string; endpoint: string }> {
  const path = `/v1/tenants/${tenant}`;
  await call('PUT', path, {});
  const body = { url: 'https://example.com/', event_types: [] };
  return { path, endpoint: (await call('POST', `${path}/endpoints`, body)).body.id };
}
/** A key that the configuration of this process knows, so that a request with it is let in. */
async function newKey(body: object): Promise<{ key: string; id: string }> {
  const made = await call('POST', '/v1/keys', body);
  assert.equal(made.status, 201, made.text);
  await waitUntil(() => plane.config.apiKey(keyHash(made.body.key)), { what: 'the key known' });
  return made.body;
}

test('a subscription is in force once a platform key approves it', async () => {
  const { path, endpoint } = await newEndpoint('approve');
  const made = await call('POST', `${path}/subscriptions`, {
    endpoint_id: endpoint,
    event_types: ['order.*'],
    status: 'pending',
  });
  assert.equal(made.status, 201, made.text);
  const item = `${path}/subscriptions/${made.body.id}`;
  const pending = await configValue<TenantSnapshot>(plane.kv, 'tenant.approve');
  assert.deepEqual(pending.subscriptions, []);
  const { key } = await newKey({ scope: 'tenant', tenant_id: 'approve' });
  const byTenant = await call('PATCH', item, { status: 'approved' }, { key });
  assert.equal(byTenant.status, 403, byTenant.text);
  assert.equal((await call('PATCH', item, { status: 'approved' })).status, 200);
  await configValue<TenantSnapshot>(
    plane.kv,
    'tenant.approve',
    (s) => s.subscriptions[0]?.id === made.body.id,
  );
  assert.equal((await call('PATCH', item, { status: 'cancelled' }, { key })).status, 200);
  await configValue<TenantSnapshot>(
    plane.kv,
    'tenant.approve',
    (s) => s.subscriptions.length === 0,
  );
  assert.equal((await call('DELETE', item)).status, 204);
});

test('a subscription is changed in part, and null removes its filter', async () => {
  const { path, endpoint } = await newEndpoint('change');
  const filter = { 'data.a': { $in: [1, 2] } };
  const { id } = (await call('POST', `${path}/subscriptions`, { endpoint_id: endpoint, filter }))
    .body;
  const item = `${path}/subscriptions/${id}`;
  const changed = await call('PATCH', item, { event_types: ['a.b'] });
  assert.deepEqual(changed.body.filter, filter);
  assert.deepEqual(changed.body.event_types, ['a.b']);
  assert.equal((await call('PATCH', item, { filter: null })).body.filter, null);
  const bad = await call('PATCH', item, { filter: { $where: 'x' } });
  assert.equal(bad.body.code, 'POSTHORN_FILTER_INVALID');
});

test('rejects a subscription for an endpoint of another tenant', async () => {
  const { path } = await newEndpoint('foreign-1');
  const other = await newEndpoint('foreign-2');
  const made = await call('POST', `${path}/subscriptions`, { endpoint_id: other.endpoint });
  assert.equal(made.status, 400);
  assert.equal(made.body.errors[0].pointer, '/endpoint_id');
});

test('a dry run names the deciding fact', async () => {
  const { path } = await newEndpoint('dry');
  const run = async (body: object) =>
    (await call('POST', `${path}/subscriptions/dry-run`, body)).body;
  const attributes = { specversion: '1.0', id: '1', source: '/shop', tenantregion: 'eu' };
  const event = { type: 'order.created', data: { amount: 150 }, ...attributes };
  const filter = { 'data.amount': { $gt: 100 }, tenantregion: 'eu' };
  assert.deepEqual(await run({ event }), { matched: true, reason: 'matched' });
  assert.deepEqual(await run({ event, filter, event_types: ['order.*'] }), {
    matched: true,
    reason: 'matched',
  });
  assert.deepEqual(await run({ event, event_types: ['invoice.*', 'order'] }), {
    matched: false,
    reason: 'event_type',
  });
  assert.deepEqual(await run({ event, filter: { 'data.amount': 1 } }), {
    matched: false,
    reason: 'filter',
  });
  assert.equal((await run({ event, filter: { $foo: 1 } })).code, 'POSTHORN_FILTER_INVALID');
  assert.equal((await run({})).errors[0].pointer, '/event');
  const nobody = await call('POST', '/v1/tenants/nobody/subscriptions/dry-run', { event });
  assert.equal(nobody.body.code, 'POSTHORN_TENANT_UNKNOWN');
});

test('a dry run refuses a sample that publishing refuses, with pointers below /event', async () => {
  const { path } = await newEndpoint('dry-refused');
  const run = (event: unknown) => call('POST', `${path}/subscriptions/dry-run`, { event });
  const faults: [event: unknown, pointers: string[]][] = [
    ['text', ['/event']],
    [null, ['/event']],
    [{}, ['/event/type']],
    [{ type: 'a', time: 'now', region: 'eu' }, ['/event/region', '/event/time']],
    [{ type: 'a', specversion: '1.0', subject: null }, ['/event/id', '/event/source']],
  ];
  for (const [event, pointers] of faults) {
    const { status, body } = await run(event);
    assert.equal(status, 400);
    assert.equal(body.code, 'POSTHORN_EVENT_INVALID');
    assert.deepEqual(
      body.errors.map(({ pointer }: { pointer: string }) => pointer),
      pointers,
    );
  }
});

test('a dry run checks data that takes more steps than an immediate check has', async () => {
  const { path } = await newEndpoint('dry-steps');
  const branches = [{ type: 'string' }, { type: 'integer', minimum: 0 }];
  const schema = { type: 'array', items: { anyOf: branches } };
  await call('PUT', '/v1/event-types/dry.steps', { schema });
  const run = (data: unknown) =>
    call('POST', `${path}/subscriptions/dry-run`, { event: { type: 'dry.steps', data } });
  await waitUntil(async () => (await run(1)).status === 422 || null, { what: 'the type is known' });
  assert.equal((await run(1)).body.errors[0].pointer, '/event/data');
  assert.equal((await run(['a', 1])).status, 200);
  const many = Array.from({ length: 45_000 }, (_, n) => n);
  assert.deepEqual((await run(many)).body, { matched: true, reason: 'matched' });
  const refused = await run([...many.slice(1), null]);
  assert.equal(refused.status, 422, refused.text);
  assert.equal(refused.body.errors[0].pointer, `/event/data/${many.length - 1}`);
});

test('an operational event is a sample for subscriptions that name its type', async () => {
  const { path } = await newEndpoint('dry-operational');
  const type = 'posthorn.endpoint.disabled';
  const run = (event_types: string[], filter: object, sample: object = { type, data: {} }) =>
    call('POST', `${path}/subscriptions/dry-run`, { event_types, filter, event: sample });
  const matched = { matched: true, reason: 'matched' };
  const gone = { type, data: { reason: 'gone' } };
  assert.deepEqual((await run([type], { 'data.reason': 'gone' }, gone)).body, matched);
  assert.deepEqual((await run(['posthorn.*'], { source: '/posthorn' })).body, matched);
  const other = await run(['posthorn.endpoint.*'], { 'data.reason': 'failing' }, gone);
  assert.deepEqual(other.body, { matched: false, reason: 'filter' });
  // Publishing refuses it, and no other subscription gets it.
  assert.equal((await run(['*'], {}, gone)).body.code, 'POSTHORN_EVENT_INVALID');
  assert.equal((await run(['order.*'], {}, gone)).body.code, 'POSTHORN_EVENT_INVALID');
  const unknown = { type: 'posthorn.endpoint.exploded', data: {} };
  assert.equal((await run(['posthorn.*'], {}, unknown)).body.code, 'POSTHORN_EVENT_INVALID');
});

test('a dry run of one key in two bodies is refused with POSTHORN_IDEMPOTENCY_KEY_REUSED', async () => {
  const { path } = await newEndpoint('dry-key');
  const headers = { 'idempotency-key': 'dry-1' };
  const run = (data: number) =>
    call('POST', `${path}/subscriptions/dry-run`, { event: { type: 'a', data } }, { headers });
  assert.equal((await run(1)).status, 200);
  assert.equal((await run(1)).status, 200);
  assert.equal((await run(2)).body.code, 'POSTHORN_IDEMPOTENCY_KEY_REUSED');
});

test('another schema of an event type creates another version', async () => {
  const path = '/v1/event-types/order.shipped';
  const first = await call('PUT', path, { description: 'a', schema: { type: 'object' } });
  assert.equal(first.status, 201, first.text);
  assert.equal(first.body.version, 1);
  const same = await call('PUT', path, { sensitive: true, schema: { type: 'object' } });
  assert.equal(same.status, 200);
  assert.equal(same.body.version, 1);
  assert.equal(same.body.description, null);
  assert.equal(same.body.priority, 'normal');
  const schema = { type: 'object', required: ['id'] };
  const second = await call('PUT', path, { schema, status: 'inactive', priority: 'high' });
  assert.deepEqual(
    second.body.versions.map((v: { version: number; schema: unknown }) => [v.version, v.schema]),
    [
      [1, { type: 'object' }],
      [2, schema],
    ],
  );
  const snapshot = await configValue<EventTypeSnapshot>(
    plane.kv,
    'type.order.shipped',
    (s) => s.state === 'INACTIVE',
  );
  assert.deepEqual(snapshot.schema, schema);
  assert.equal(snapshot.priority, 'high');
  assert.equal((await call('PUT', path, { priority: 'urgent' })).status, 400);
  const listed = await call('GET', '/v1/event-types?status=inactive');
  assert.deepEqual(
    listed.body.data.map((type: { name: string; version: number }) => [type.name, type.version]),
    [['order.shipped', 2]],
  );
  const bad = await call('PUT', path, { schema: { type: 'objekt' } });
  assert.equal(bad.body.code, 'POSTHORN_SCHEMA_INVALID');
  assert.match(bad.body.errors[0].pointer, /^\/schema\/type/);
  const name = await call('PUT', '/v1/event-types/a%0Ab', {});
  assert.equal(name.body.errors[0].pointer, '#path/name');
});

test('an event type of any name is registered, found and removed under its name', async () => {
  for (const name of ['com.example/order:created', 'a..b', 'größe 1', '*']) {
    const path = `/v1/event-types/${encodeURIComponent(name)}`;
    assert.equal((await call('PUT', path, {})).body.name, name);
    await waitUntil(() => plane.config.eventType(name)?.name === name);
    assert.equal((await call('GET', path)).body.name, name);
    assert.equal((await call('DELETE', path)).status, 204);
    await waitUntil(() => plane.config.eventType(name) === undefined);
  }
});

test('a de-duplication rule is checked, in force, and removed', async () => {
  const path = '/v1/event-types/build.done';
  const deduplication = { fields: ['source', '/data/a~1b/0', 'region'], window_seconds: 60 };
  const put = await call('PUT', path, { deduplication });
  assert.equal(put.status, 201, put.text);
  assert.deepEqual(put.body.deduplication, deduplication);
  const snapshot = await configValue<EventTypeSnapshot>(plane.kv, 'type.build.done');
  // Types were removed before: events are not compared with those of an earlier type.
  const bornAt = put.body.revision;
  assert.deepEqual(snapshot.deduplication, {
    fields: deduplication.fields,
    windowSeconds: 60,
    ...(bornAt > 1 && { bornAt }),
  });
  const refused = async (change: object, pointer: string) => {
    const answer = await call('PUT', path, { deduplication: { ...deduplication, ...change } });
    assert.equal(answer.status, 400, answer.text);
    assert.equal(answer.body.errors[0].pointer, `/deduplication${pointer}`);
  };
  for (const field of ['id', 'Source', 'data.a', '/dat', '/data/~2', `/data${'/a'.repeat(17)}`]) {
    await refused({ fields: ['source', field] }, '/fields/1');
  }
  await refused({ fields: [] }, '/fields');
  await refused({ fields: ['a', 'a'] }, '/fields');
  await refused({ fields: Array.from({ length: 17 }, (_, i) => `f${i}`) }, '/fields');
  await refused({ fields: 'source' }, '/fields');
  await refused({ fields: [`/data/${'a'.repeat(256)}`] }, '/fields/0');
  for (const seconds of [0, -1, 86_401, 1.5, '60', null]) {
    await refused({ window_seconds: seconds }, '/window_seconds');
  }
  await refused({ window: 1 }, '/window');
  const none = await call('PUT', path, { deduplication: null });
  assert.equal(none.body.deduplication, null);
  await configValue<EventTypeSnapshot>(
    plane.kv,
    'type.build.done',
    (s) => s.deduplication === undefined,
  );
});

test('seen types are recorded once, and never change registered ones', async () => {
  await call('PUT', '/v1/tenants/seen', {});
  await waitUntil(() => plane.config.tenant('seen'));
  await call('PUT', '/v1/event-types/seen.before', { status: 'inactive' });
  const names = ['seen.before', 'seen.first', 'seen.second'];
  const types = names.map((name) => ({ tenant: 'seen', name }));
  await Promise.all([
    plane.control.registerEventTypes(types),
    plane.control.registerEventTypes(types),
  ]);
  const first = (await call('GET', '/v1/event-types/seen.first')).body;
  assert.equal(first.auto, true);
  assert.equal(first.status, 'active');
  assert.equal((await call('GET', '/v1/event-types/seen.before')).body.status, 'inactive');
  const put = await call('PUT', '/v1/event-types/seen.first', { schema: { type: 'object' } });
  assert.equal(put.body.auto, false);
  assert.equal(put.body.version, 2);
});

test('a key is shown once, is valid until it is revoked, and is stored only as a digest', async () => {
  const { key, id } = await newKey({ scope: 'platform', name: 'ci' });
  assert.match(key, /^phk_p_[A-Za-z0-9_-]{32}$/);
  assert.equal((await call('GET', '/v1/tenants', undefined, { key })).status, 200);
  const listed = await call('GET', '/v1/keys?limit=250');
  assert.ok(listed.text.includes(id) && !listed.text.includes(key));
  const stored = JSON.stringify(await plane.db.collection('api_keys').find().toArray());
  assert.ok(!stored.includes(key) && stored.includes(keyHash(key)));
  assert.equal((await call('DELETE', `/v1/keys/${id}`)).status, 204);
  assert.equal((await call('DELETE', `/v1/keys/${id}`)).status, 204);
  await waitUntil(() => plane.config.apiKey(keyHash(key)) === undefined);
  const refused = await call('GET', '/v1/tenants', undefined, { key });
  assert.equal(refused.body.code, 'POSTHORN_KEY_INVALID');
  assert.equal((await call('DELETE', '/v1/keys/key_none')).status, 404);
});

test('rejects inconsistent API keys', async () => {
  const refused = async (body: object, pointer: string) => {
    const answer = await call('POST', '/v1/keys', body);
    assert.equal(answer.status, 400, answer.text);
    assert.equal(answer.body.errors[0].pointer, pointer);
  };
  await refused({ scope: 'root' }, '/scope');
  await refused({ scope: 'tenant' }, '/tenant_id');
  await refused({ scope: 'platform', tenant_id: 'acme' }, '/tenant_id');
  await refused({ scope: 'platform', expires_at: '2001-01-01T00:00:00Z' }, '/expires_at');
  await refused({ scope: 'platform', expires_at: 'tomorrow' }, '/expires_at');
  const unknown = await call('POST', '/v1/keys', { scope: 'tenant', tenant_id: 'nobody' });
  assert.equal(unknown.body.code, 'POSTHORN_TENANT_UNKNOWN');
});

test("rejects a deleted tenant's keys", async () => {
  await newEndpoint('leaving');
  const { key } = await newKey({ scope: 'tenant', tenant_id: 'leaving' });
  assert.equal((await call('GET', '/v1/tenants/leaving', undefined, { key })).status, 200);
  await call('DELETE', '/v1/tenants/leaving');
  await configGone(plane.kv, `key.${keyHash(key)}`);
  await waitUntil(() => plane.config.apiKey(keyHash(key)) === undefined);
  const answer = await call('GET', '/v1/tenants/leaving', undefined, { key });
  assert.equal(answer.status, 401);
});
