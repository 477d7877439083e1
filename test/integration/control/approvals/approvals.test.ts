import assert from 'node:assert/strict';
import { test } from 'node:test';
import { healthStoreOf } from '#infra/mongo/endpoint-health.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { type ControlPlane, startControlPlane } from '../control-plane.ts';

async function tenantKey(plane: ControlPlane, tenant: string): Promise<string> {
  const made = await plane.call('POST', '/v1/keys', { scope: 'tenant', tenant_id: tenant });
  const key = String(made.body.key);
  await waitUntil(async () => {
    return (await plane.call('GET', '/v1/event-types', undefined, { key })).status !== 401;
  });
  return key;
}

test('subscriptions of a tenant wait for approval, which is announced', async (t) => {
  // The outbox keeps its events while the service is stopped.
  const plane = await startControlPlane(t, { idle: true });
  const outbox = async () => {
    const events = await healthStoreOf(plane.db).outbox.find().sort({ at: 1 }).toArray();
    return events.map(({ type, tenant, data }) => ({ type, tenant, ...JSON.parse(data) }));
  };
  const approval = { subscription_approval: 'required' };
  const made = await plane.call('PUT', '/v1/tenants/acme', approval);
  assert.equal(made.body.subscription_approval, 'required');
  const key = await tenantKey(plane, 'acme');
  const url = 'https://example.com/a';
  const endpoint = await plane.call('POST', '/v1/tenants/acme/endpoints', { url }, { key });
  assert.equal(endpoint.status, 201, endpoint.text);
  const path = `/v1/tenants/acme/subscriptions/${String(endpoint.body.subscription_id)}`;
  assert.equal((await plane.call('GET', path)).body.status, 'pending');
  assert.equal((await outbox()).length, 1);
  const selection = { endpoint_id: endpoint.body.id, event_types: ['order.*'] };
  const all = '/v1/tenants/acme/subscriptions';
  const waiting = await plane.call('POST', all, selection, { key });
  assert.equal(waiting.body.status, 'pending');
  const forced = await plane.call('POST', all, { ...selection, status: 'approved' }, { key });
  assert.equal(forced.body.status, 'pending');
  const own = `${all}/${String(waiting.body.id)}`;
  assert.equal((await plane.call('PATCH', own, { status: 'approved' }, { key })).status, 403);
  assert.equal((await plane.call('PATCH', own, { status: 'approved' })).body.status, 'approved');
  const events = await outbox();
  assert.deepEqual(events[1], {
    type: 'posthorn.approval.requested',
    tenant: 'acme',
    tenant_id: 'acme',
    subscription_id: waiting.body.id,
    endpoint_id: endpoint.body.id,
    event_types: ['order.*'],
    requested_at: waiting.body.created_at,
  });
  assert.equal(events.length, 3);
  const changed = await plane.call('PATCH', own, { event_types: ['*'] }, { key });
  assert.equal(changed.body.status, 'pending', 'another selection needs another approval');
  assert.equal((await outbox()).length, 4);
  const cancelled = await plane.call('PATCH', own, { status: 'cancelled' });
  assert.equal(cancelled.body.status, 'cancelled');
  assert.equal((await plane.call('PATCH', own, { status: 'approved' }, { key })).status, 403);
  const ofOperator = await plane.call('POST', all, selection);
  assert.equal(ofOperator.body.status, 'approved');
});

test('a tenant without the setting creates approved subscriptions', async (t) => {
  const plane = await startControlPlane(t);
  const { body } = await plane.call('PUT', '/v1/tenants/acme', {});
  assert.equal(body.subscription_approval, 'none');
  const key = await tenantKey(plane, 'acme');
  const url = 'https://example.com/a';
  const endpoint = await plane.call('POST', '/v1/tenants/acme/endpoints', { url }, { key });
  const path = `/v1/tenants/acme/subscriptions/${String(endpoint.body.subscription_id)}`;
  assert.equal((await plane.call('GET', path)).body.status, 'approved');
  const changed = await plane.call('PATCH', path, { event_types: ['a'] }, { key });
  assert.equal(changed.body.status, 'approved');
  const patched = await plane.call('PATCH', '/v1/tenants/acme', { subscription_approval: 'maybe' });
  assert.equal(patched.status, 400);
});
