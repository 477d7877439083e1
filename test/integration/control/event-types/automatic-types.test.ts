/** Event types that are not registered: each tenant has its own, in its own share. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { limits } from '#domain/limits.ts';
import { keyHash } from '#infra/http/server/authenticate.ts';
import { AUTOMATIC_TYPE_KEPT_SECONDS, configurationOf } from '#infra/mongo/configuration.ts';
import type { KeyScope } from '#domain/capabilities.ts';

import { waitUntil } from '#testkit/wait-until.ts';
import { type ControlPlane, startControlPlane } from '../control-plane.ts';

let plane: ControlPlane;
before(async (t) => {
  plane = await startControlPlane(t as never);
  await waitUntil(() => plane.control.syncState() === 'in_sync');
});

async function newTenant(id: string): Promise<void> {
  assert.equal((await plane.call('PUT', `/v1/tenants/${id}`, {})).status, 201);
  await waitUntil(() => plane.config.tenant(id), { what: 'the tenant known' });
}

async function newKey(scope: KeyScope, tenant?: string): Promise<string> {
  const body = { scope, ...(tenant === undefined ? {} : { tenant_id: tenant }) };
  const { key } = (await plane.call('POST', '/v1/keys', body)).body;
  await waitUntil(() => plane.config.apiKey(keyHash(key)), { what: 'the key known' });
  return key;
}

const see = (tenant: string, ...names: string[]): Promise<void> =>
  plane.control.registerEventTypes(names.map((name) => ({ tenant, name })));

async function namesSeenBy(key: string | undefined, query = ''): Promise<string[]> {
  const names: string[] = [];
  let cursor = '';
  for (;;) {
    const page = await plane.call('GET', `/v1/event-types?${query}${cursor}`, undefined, { key });
    assert.equal(page.status, 200, page.text);
    names.push(...page.body.data.map(({ name }: { name: string }) => name));
    if (page.body.next_cursor === null) return names;
    cursor = `&cursor=${page.body.next_cursor}`;
  }
}

test('a tenant sees registered types and its own automatic ones, and none of other tenants', async () => {
  await newTenant('one');
  await newTenant('two');
  await plane.call('PUT', '/v1/event-types/catalogue.item', {});
  await see('one', 'one.secret', 'both.use');
  await see('two', 'two.secret', 'both.use');
  const tenantKey = await newKey('tenant', 'one');
  const boundKey = await newKey('producer', 'one');
  const unboundKey = await newKey('producer');
  for (const key of [tenantKey, boundKey]) {
    assert.deepEqual(await namesSeenBy(key), ['both.use', 'catalogue.item', 'one.secret']);
    const own = await plane.call('GET', '/v1/event-types/one.secret', undefined, { key });
    assert.equal(own.body.auto, true, own.text);
  }
  assert.deepEqual(await namesSeenBy(unboundKey), ['catalogue.item']);
  const answerFor = async (name: string): Promise<string> => {
    const path = `/v1/event-types/${name}`;
    const { status, body } = await plane.call('GET', path, undefined, { key: tenantKey });
    return JSON.stringify([status, { ...body, request_id: '' }]).replaceAll(name, 'NAME');
  };
  assert.equal(await answerFor('two.secret'), await answerFor('not.there'));
  assert.equal((await plane.call('GET', '/v1/event-types/two.secret')).status, 200, 'the operator');
});

test('the operator sees the automatic types of all tenants once each, in pages with the registered ones', async () => {
  await newTenant('page-a');
  await newTenant('page-b');
  const names = Array.from({ length: 7 }, (_, i) => `page.n${i}`);
  for (const [i, name] of names.entries()) {
    if (i % 3 === 0) await plane.call('PUT', `/v1/event-types/${name}`, {});
    else await see('page-a', name);
    if (i % 2 === 1) await see('page-b', name);
  }
  const seen = (await namesSeenBy(undefined, 'limit=2')).filter((name) => name.startsWith('page.'));
  assert.deepEqual(seen, names);
  const active = await namesSeenBy(undefined, 'limit=3&status=inactive');
  assert.deepEqual(active, []);
});

test('a tenant that sends many types fills its own share and uses none of others', async () => {
  await newTenant('flood');
  await newTenant('calm');
  const other = plane.startAnother();
  const names = Array.from({ length: 3000 }, (_, i) => `flood.n${i}`);
  const halves = [names.slice(0, 1500), names.slice(1500)] as const;
  // Two concurrent projectors may not each use all the free share.
  await Promise.all([
    see('flood', ...halves[0]),
    other.registerEventTypes(halves[1].map((name) => ({ tenant: 'flood', name }))),
  ]);
  await see('flood', ...names);
  const { automaticEventTypes } = configurationOf(plane.db);
  const kept = await automaticEventTypes.countDocuments({ tenant: 'flood' });
  assert.ok(kept <= limits.automaticEventTypesPerTenantMax, `${kept} are kept`);
  assert.ok(kept > 0);
  await see('calm', 'calm.type');
  assert.equal(await automaticEventTypes.countDocuments({ tenant: 'calm' }), 1);
  assert.equal((await plane.call('PUT', '/v1/event-types/still.room', {})).status, 201);
  // Automatic types are not in the configuration that every process holds.
  assert.equal(plane.config.eventType('flood.n0'), undefined);
});

test('no producer key takes the last places of a tenant for automatic types', async () => {
  await newTenant('shared-out');
  const { automaticEventTypes } = configurationOf(plane.db);
  const tenant = 'shared-out';
  const count = (filter: object) => automaticEventTypes.countDocuments({ tenant, ...filter });
  const flood = (key: string | undefined, most = 600) =>
    plane.control.registerEventTypes(
      Array.from({ length: most }, (_, i) => ({
        tenant,
        name: `${key ?? 'own'}.n${i}`,
        producerKey: key,
      })),
    );
  await flood('key_greedy');
  assert.equal(await count({ producer_key: 'key_greedy' }), 400, 'four fifths');
  await flood('key_greedy', 900);
  assert.equal(await count({ producer_key: 'key_greedy' }), 400);
  // Another key, and the keys of the tenant, find places.
  await flood('key_second');
  await flood(undefined);
  await flood('key_third', 1);
  assert.equal(await count({ producer_key: 'key_second' }), 80);
  assert.equal(await count({ producer_key: { $exists: false } }), 16);
  assert.equal(await count({ producer_key: 'key_third' }), 1);
});

test('an automatic type without recent events is hidden, and MongoDB removes it', async () => {
  await newTenant('idle');
  await see('idle', 'idle.old', 'idle.new');
  const { automaticEventTypes } = configurationOf(plane.db);
  const before = new Date(Date.now() - AUTOMATIC_TYPE_KEPT_SECONDS * 1000);
  await automaticEventTypes.updateOne({ name: 'idle.old' }, { $set: { last_seen_at: before } });
  assert.equal((await plane.call('GET', '/v1/event-types/idle.old')).status, 404);
  assert.equal((await plane.call('GET', '/v1/event-types/idle.new')).status, 200);
  const listed = await namesSeenBy(undefined);
  assert.ok(!listed.includes('idle.old') && listed.includes('idle.new'));
  const indexes = await automaticEventTypes.indexes();
  const expiry = indexes.find(({ key }) => 'last_seen_at' in key);
  assert.equal(expiry?.expireAfterSeconds, AUTOMATIC_TYPE_KEPT_SECONDS);
});

test('the automatic types of a tenant are deleted with it, and its later events create none', async () => {
  await newTenant('gone');
  await see('gone', 'gone.type');
  assert.equal((await plane.call('DELETE', '/v1/tenants/gone')).status, 204);
  await waitUntil(() => plane.config.tenant('gone') === undefined);
  await see('gone', 'gone.late');
  const { automaticEventTypes } = configurationOf(plane.db);
  assert.equal(await automaticEventTypes.countDocuments({ tenant: 'gone' }), 0);
});

test('a type that an earlier version registered automatically is shown only to the operator', async () => {
  await newTenant('legacy');
  const now = new Date();
  const { eventTypes } = configurationOf(plane.db);
  await eventTypes.insertOne({
    _id: 'legacy.auto',
    description: null,
    status: 'ACTIVE',
    sensitive: false,
    producer_domain: null,
    auto: true,
    versions: [{ version: 1, schema: null, created_at: now }],
    revision: 1,
    created_at: now,
    updated_at: now,
  });
  const key = await newKey('tenant', 'legacy');
  const path = '/v1/event-types/legacy.auto';
  assert.equal((await plane.call('GET', path)).status, 200);
  assert.equal((await plane.call('GET', path, undefined, { key })).status, 404);
  assert.ok(!(await namesSeenBy(key)).includes('legacy.auto'));
  await see('legacy', 'legacy.auto');
  assert.equal((await plane.call('GET', path, undefined, { key })).status, 200, 'its own by now');
  // A later change was followed, so this one was too.
  await plane.call('PUT', '/v1/event-types/legacy.mark', {});
  await waitUntil(() => plane.config.eventType('legacy.mark'));
  assert.equal(plane.config.eventType('legacy.auto'), undefined);
});
