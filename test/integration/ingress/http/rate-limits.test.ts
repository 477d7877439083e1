/** Rate limits of keys and tenants at every door for events (IN-8). */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { headers } from '@nats-io/nats-core';
import { waitUntil } from '#testkit/wait-until.ts';
import { IngressPlane } from '../ingress-plane.ts';

const SLOW = { perSecond: 0.01, burst: 3 };
const event = { type: 'order.created', data: 1 };

async function startLimited(t: TestContext): Promise<IngressPlane> {
  const plane = await IngressPlane.start(t);
  await plane.tenant('acme', { rateLimit: SLOW });
  await waitUntil(() => plane.config.currentTenant('acme')?.rateLimit !== undefined);
  return plane;
}

test('events over the limit of their tenant get 429 with headers, and other tenants do not', async (t) => {
  const plane = await startLimited(t);
  await plane.tenant('globex');
  for (const remaining of [2, 1, 0]) {
    const { status, headers: sent } = await plane.post(event);
    assert.equal(status, 202);
    assert.equal(sent['ratelimit-policy'], '"tenant";q=3;w=300');
    assert.match(String(sent['ratelimit']), new RegExp(`^"tenant";r=${remaining};t=\\d+$`));
  }
  const refused = await plane.post(event);
  assert.equal(refused.status, 429);
  assert.equal(refused.body.code, 'POSTHORN_RATE_LIMITED');
  assert.match(String(refused.headers['retry-after']), /^(100|99)$/);
  assert.match(String(refused.headers['ratelimit']), /^"tenant";r=0;t=\d+$/);
  const other = await plane.post(event, { path: '/v1/tenants/globex/events' });
  assert.equal(other.status, 202);
  assert.equal(other.headers['ratelimit'], undefined);
  assert.equal((await plane.stored()).length, 4);
  assert.equal(await plane.metric('posthorn_rate_limited_total', { policy: 'tenant' }), 1);
});

test('a batch costs its number of items, and those over the limit are refused one by one', async (t) => {
  const plane = await startLimited(t);
  const {
    status,
    headers: sent,
    body,
  } = await plane.batch({
    events: [event, event, event, event, event],
  });
  assert.equal(status, 207);
  const statuses = body.results.map((result: { status: number }) => result.status);
  assert.deepEqual(statuses, [202, 202, 202, 429, 429]);
  assert.equal(body.results[4].error.code, 'POSTHORN_RATE_LIMITED');
  assert.match(String(sent['retry-after']), /^(100|99)$/);
  const next = await plane.batch({ events: [event] });
  assert.equal(next.status, 429);
});

test('a limited key is refused before its body is read, at every tenant', async (t) => {
  const plane = await IngressPlane.start(t);
  await plane.key('slow', 'producer', { rateLimit: { perSecond: 0.01, burst: 1 } });
  const options = { headers: { authorization: 'Bearer slow' } };
  assert.equal((await plane.post(event, options)).status, 202);
  assert.equal((await plane.post('not JSON', options)).status, 429);
  const everyTenant = await plane.post(event, { ...options, path: '/v1/events' });
  assert.equal(everyTenant.status, 429);
  assert.equal(everyTenant.headers['ratelimit-policy'], '"key";q=1;w=100');
});

test('a new life of a tenant starts with its whole burst', async (t) => {
  const plane = await startLimited(t);
  for (let i = 0; i < 3; i++) assert.equal((await plane.post(event)).status, 202);
  assert.equal((await plane.post(event)).status, 429);
  await plane.tenant('acme', { rateLimit: SLOW, life: 1 });
  await waitUntil(() => plane.config.currentTenant('acme')?.life === 1);
  assert.equal((await plane.post(event)).status, 202);
});

test('producers over NATS get the same 429', async (t) => {
  const plane = await startLimited(t);
  const nc = await plane.core.connect();
  const ask = () => nc.request('in.acme.order.created', '1', { headers: headers(), timeout: 5000 });
  for (let i = 0; i < 3; i++)
    assert.equal((await ask()).json<{ status: string }>().status, 'accepted');
  const refused = await ask();
  assert.equal(refused.json<{ code: string }>().code, 'POSTHORN_RATE_LIMITED');
  assert.match(refused.headers?.get('Retry-After') ?? '', /^(100|99)$/);
  assert.match(refused.headers?.get('RateLimit') ?? '', /^"tenant";r=0;t=\d+$/);
  assert.equal((await plane.post(event)).status, 429);
});
