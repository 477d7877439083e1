/** Rate limits of keys and tenants for the API (IN-8). */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { keyHash } from '#infra/http/server/authenticate.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { type ControlPlane, startControlPlane } from '../control-plane.ts';

let plane: ControlPlane;
before(async (t) => {
  plane = await startControlPlane(t as never);
});

async function newKey(body: object): Promise<string> {
  const made = await plane.call('POST', '/v1/keys', body);
  assert.equal(made.status, 201, made.text);
  await waitUntil(() => plane.config.apiKey(keyHash(made.body.key)), { what: 'the key known' });
  return made.body.key;
}

test('a key over its limit gets 429 with headers, and other keys do not', async () => {
  const rate_limit = { per_second: 0.01, burst: 2 };
  const made = await plane.call('POST', '/v1/keys', { scope: 'platform', rate_limit });
  assert.deepEqual(made.body.rate_limit, rate_limit);
  const { key } = made.body;
  await waitUntil(() => plane.config.apiKey(keyHash(key)));
  for (let i = 0; i < 2; i++) {
    assert.equal((await plane.call('GET', '/v1/tenants', undefined, { key })).status, 200);
  }
  const refused = await plane.call('GET', '/v1/tenants', undefined, { key });
  assert.equal(refused.status, 429);
  assert.equal(refused.body.code, 'POSTHORN_RATE_LIMITED');
  assert.match(String(refused.headers['retry-after']), /^(100|99)$/);
  assert.match(String(refused.headers['ratelimit']), /^"key";r=0;t=\d+$/);
  assert.equal((await plane.call('GET', '/v1/tenants')).status, 200);
});

test('the keys of a tenant share its limit, and a platform key does not count against it', async () => {
  const path = '/v1/tenants/limited';
  const put = await plane.call('PUT', path, { rate_limit: { per_second: 0.01 } });
  assert.deepEqual(put.body.rate_limit, { per_second: 0.01, burst: 1 });
  const keys = [
    await newKey({ scope: 'tenant', tenant_id: 'limited' }),
    await newKey({ scope: 'tenant', tenant_id: 'limited' }),
  ];
  await waitUntil(() => plane.config.currentTenant('limited')?.rateLimit !== undefined);
  const statuses: number[] = [];
  for (const key of keys) {
    statuses.push((await plane.call('GET', path, undefined, { key })).status);
  }
  assert.deepEqual(statuses, [200, 429]);
  assert.equal((await plane.call('GET', path)).status, 200);
  const lifted = await plane.call('PUT', path, {});
  assert.equal(lifted.body.rate_limit, null);
  await waitUntil(() => plane.config.currentTenant('limited')?.rateLimit === undefined);
  assert.equal((await plane.call('GET', path, undefined, { key: keys[1] as string })).status, 200);
});

test('a rotated key keeps its rate limit, and a patch changes or removes it', async () => {
  const rate_limit = { per_second: 50, burst: 7 };
  const made = await plane.call('POST', '/v1/keys', { scope: 'platform', rate_limit });
  const item = `/v1/keys/${made.body.id}`;
  const patched = await plane.call('PATCH', item, { rate_limit: { per_second: 60 } });
  assert.deepEqual(patched.body.rate_limit, { per_second: 60, burst: 7 });
  const rotated = await plane.call('POST', `${item}/rotate`, {});
  assert.deepEqual(rotated.body.rate_limit, { per_second: 60, burst: 7 });
  const removed = await plane.call('PATCH', `/v1/keys/${rotated.body.id}`, { rate_limit: null });
  assert.equal(removed.body.rate_limit, null);
});

test('rejects a rate limit out of bounds with the pointer of the field', async () => {
  for (const rate_limit of [{ per_second: 0 }, { per_second: 1, burst: 0 }, { burst: 1 }, 5]) {
    const put = await plane.call('PUT', '/v1/tenants/bad', { rate_limit });
    assert.equal(put.status, 400);
    assert.match(put.body.errors[0].pointer, /^\/rate_limit/);
  }
});
