import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { limits } from '#domain/limits.ts';
import {
  type Configuration,
  configurationOf,
  type TenantDocument,
} from '#infra/mongo/configuration.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import type { TenantSnapshot } from '#wire/config-snapshot.ts';
import { type ControlPlane, configValue, startControlPlane } from '../control-plane.ts';

let plane: ControlPlane;
let tenants: Configuration['tenants'];
let endpoints: Configuration['endpoints'];
let subscriptions: Configuration['subscriptions'];
before(async (t) => {
  plane = await startControlPlane(t as never);
  ({ tenants, endpoints, subscriptions } = configurationOf(plane.db));
});

const call = (...args: Parameters<ControlPlane['call']>) => plane.call(...args);
const headers = { 'x-of-the-shop': 'a value' };

async function storedTenant(id: string): Promise<TenantDocument> {
  return (await tenants.findOne({ _id: id })) as TenantDocument;
}

/** The size as MongoDB itself computes it. */
async function measured(tenant: string) {
  const sizes = (of: typeof endpoints | typeof subscriptions) =>
    of.aggregate([{ $match: { tenant } }, { $project: { b: { $bsonSize: '$$ROOT' } } }]).toArray();
  const ofEndpoints = await sizes(endpoints);
  const ofSubscriptions = await sizes(subscriptions);
  const bytes = [...ofEndpoints, ...ofSubscriptions].reduce((sum, { b }) => sum + Number(b), 0);
  return { endpoints: ofEndpoints.length, subscriptions: ofSubscriptions.length, bytes };
}

async function assertSizeIsTrue(tenant: string): Promise<void> {
  const { size, config_rev: rev } = await storedTenant(tenant);
  assert.deepEqual(size, { ...(await measured(tenant)), rev });
}

async function addEndpoint(tenant: string, fields: object = {}): Promise<string> {
  const url = `https://hooks.example.com/${Math.random()}`;
  const made = await call('POST', `/v1/tenants/${tenant}/endpoints`, { url, ...fields });
  assert.equal(made.status, 201, made.text);
  return made.body.id;
}

test('every change updates the size of a tenant, as MongoDB would measure it', async () => {
  const tenant = '/v1/tenants/kept';
  await call('PUT', tenant, {});
  const policies = { rate_limit: { per_second: 0.5 }, retry: { delays_seconds: [1, 2, 30] } };
  const id = await addEndpoint('kept', { headers, ...policies, description: 'größer' });
  await assertSizeIsTrue('kept');
  const gone = await addEndpoint('kept', { event_types: ['a.b'], filter: { type: 'a.b' } });
  const endpoint = `${tenant}/endpoints/${id}`;
  const steps: [method: string, path: string, body?: object][] = [
    ['PATCH', endpoint, { description: null, headers: {}, timeout_ms: 3000 }],
    ['PATCH', endpoint, { status: 'paused' }],
    ['POST', `${endpoint}/rotate-secret`, {}],
    ['PUT', tenant, { weight: 3, name: 'Größe' }],
    ['POST', `${tenant}/subscriptions`, { endpoint_id: gone, event_types: ['c'] }],
    ['DELETE', `${tenant}/endpoints/${gone}`],
  ];
  for (const [method, path, body] of steps) {
    const answer = await call(method, path, body);
    assert.ok(answer.status < 300, `${method} ${path}: ${answer.text}`);
    await assertSizeIsTrue('kept');
  }
  const [subscription] = (await call('GET', `${tenant}/subscriptions`)).body.data;
  const path = `${tenant}/subscriptions/${subscription.id}`;
  await call('PATCH', path, { filter: { $or: [{ type: 'x' }, { type: 'y' }] } });
  await assertSizeIsTrue('kept');
  await call('DELETE', path);
  await assertSizeIsTrue('kept');
  const ofTenant = await addEndpoint('kept');
  const { url } = (await call('GET', `${tenant}/endpoints/${ofTenant}`)).body;
  await plane.control.disableGoneEndpoint({ tenant: 'kept', endpoint: ofTenant, url } as never);
  assert.equal((await call('GET', `${tenant}/endpoints/${ofTenant}`)).body.status, 'disabled');
  await assertSizeIsTrue('kept');
});

test('concurrent changes keep the size correct', async () => {
  await call('PUT', '/v1/tenants/crowd', {});
  await Promise.all(Array.from({ length: 12 }, () => addEndpoint('crowd')));
  await assertSizeIsTrue('crowd');
});

test('the next change measures the size when an older version changed the tenant', async () => {
  await call('PUT', '/v1/tenants/older', {});
  const id = await addEndpoint('older');
  // A change by a version that stores no size.
  await subscriptions.deleteMany({ tenant: 'older' });
  await tenants.updateOne({ _id: 'older' }, { $inc: { config_rev: 1 } });
  await call('PATCH', `/v1/tenants/older/endpoints/${id}`, { description: 'changed' });
  await assertSizeIsTrue('older');
  assert.equal((await storedTenant('older')).size?.subscriptions, 0);
});

test('rejects an endpoint over the maximum, and accepts one after a deletion', async () => {
  await call('PUT', '/v1/tenants/full', {});
  const id = await addEndpoint('full');
  const endpoint = await endpoints.findOne({ _id: id });
  const subscription = await subscriptions.findOne({ endpoint_id: id });
  assert.ok(endpoint && subscription);
  const numbers = Array.from({ length: limits.endpointsPerTenantMax - 2 }, (_, n) => n);
  await endpoints.insertMany(numbers.map((n) => ({ ...endpoint, _id: `ep_copy${n}` })));
  await subscriptions.insertMany(
    numbers.map((n) => ({ ...subscription, _id: `sub_copy${n}`, endpoint_id: `ep_copy${n}` })),
  );
  await tenants.updateOne({ _id: 'full' }, { $inc: { config_rev: 1 } });
  await addEndpoint('full');
  const all = (snapshot: TenantSnapshot) =>
    snapshot.endpoints.length === limits.endpointsPerTenantMax;
  const { subscriptions: published } = await configValue(plane.kv, 'tenant.full', all);
  assert.equal(published.length, limits.endpointsPerTenantMax);
  const url = 'https://hooks.example.com/one-more';
  const refused = await call('POST', '/v1/tenants/full/endpoints', { url });
  assert.equal(refused.status, 422);
  assert.equal(refused.body.code, 'POSTHORN_LIMIT_EXCEEDED');
  assert.match(refused.body.detail, /at most 10000 endpoints/);
  assert.equal(await endpoints.countDocuments({ tenant: 'full', url }), 0);
  const less = await call('DELETE', '/v1/tenants/full/endpoints/ep_copy1');
  assert.equal(less.status, 204, less.text);
  await assertSizeIsTrue('full');
});

test('a stored size that is too high rejects nothing, and is corrected', async () => {
  await call('PUT', '/v1/tenants/wrong', {});
  await addEndpoint('wrong');
  const wrong = { 'size.endpoints': 1_000_000, 'size.bytes': 1e9 };
  await tenants.updateOne({ _id: 'wrong' }, { $set: wrong });
  await addEndpoint('wrong');
  await assertSizeIsTrue('wrong');
});

test('the queries of a change use an index', async () => {
  const names = async (of: { indexes: () => Promise<{ name?: string }[]> }) =>
    (await of.indexes().catch(() => [])).map(({ name }) => name);
  await waitUntil(
    async () =>
      (await names(endpoints)).includes('tenant_1_url_1') &&
      (await names(subscriptions)).includes('tenant_1_endpoint_id_1'),
    { what: 'the indexes', deadlineMs: 30_000 },
  );
});
