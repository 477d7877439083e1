import assert from 'node:assert/strict';
import { before, after, test } from 'node:test';
import { keyHash } from '#infra/http/server/authenticate.ts';
import type { ApiKeySnapshot } from '#wire/config-snapshot.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { type ControlPlane, startControlPlane } from '../control-plane.ts';

let plane: ControlPlane;
const undo: (() => unknown)[] = [];
before(async () => {
  plane = await startControlPlane({ after: (step) => undo.push(step as () => unknown) });
  await plane.call('PUT', '/v1/tenants/acme', {});
});
after(async () => {
  for (const step of undo) await step();
});

interface Made {
  id: string;
  key: string;
}

async function makeKey(body: object): Promise<Made> {
  const made = await plane.call('POST', '/v1/keys', body);
  assert.equal(made.status, 201, made.text);
  await inForce(made.body.key, () => true);
  return made.body;
}

const inForce = (key: string, fits: (key: ApiKeySnapshot) => boolean) =>
  waitUntil(() => {
    const known = plane.config.apiKey(keyHash(key));
    return known !== undefined && fits(known);
  });

test('a key that is limited to capabilities is refused everything else', async () => {
  const { key, id } = await makeKey({ scope: 'tenant', tenant_id: 'acme', capabilities: ['view'] });
  const status = async (method: string, path: string, body?: object) =>
    (await plane.call(method, path, body, { key })).status;
  assert.equal(await status('GET', '/v1/tenants/acme/endpoints'), 200);
  assert.equal(await status('POST', '/v1/tenants/acme/endpoints', { url: 'https://e.com' }), 403);
  assert.equal(await status('POST', '/v1/tenants/acme/deliveries/dlv_1/retry'), 403);
  const shown = await plane.call('GET', `/v1/keys/${id}`);
  assert.deepEqual(shown.body.capabilities, ['view']);
  assert.equal(shown.body.key, undefined);
});

test('rejects capabilities that the scope does not have, each with its pointer', async () => {
  const cases: [object, string][] = [
    [{ scope: 'tenant', tenant_id: 'acme', capabilities: ['view', 'publish'] }, '/capabilities/1'],
    [{ scope: 'producer', capabilities: ['view'] }, '/capabilities/0'],
    [{ scope: 'platform', capabilities: [] }, '/capabilities'],
    [{ scope: 'platform', capabilities: ['fly'] }, '/capabilities/0'],
    [{ scope: 'platform', capabilities: ['view', 'view'] }, '/capabilities'],
  ];
  for (const [body, pointer] of cases) {
    const answer = await plane.call('POST', '/v1/keys', body);
    assert.equal(answer.status, 400, JSON.stringify(body));
    assert.equal(answer.body.errors[0].pointer, pointer);
  }
});

test('a key grants no capability that it lacks: by creation, change or rotation', async () => {
  const { key } = await makeKey({ scope: 'platform', capabilities: ['manage_keys', 'view'] });
  const as = (method: string, path: string, body: object) =>
    plane.call(method, path, body, { key });
  const refused = await as('POST', '/v1/keys', { scope: 'platform' });
  assert.equal(refused.status, 403);
  assert.match(refused.body.detail, /lacks capabilities of the key: publish, /);
  const viewer = await as('POST', '/v1/keys', { scope: 'platform', capabilities: ['view'] });
  assert.equal(viewer.status, 201);
  const path = `/v1/keys/${viewer.body.id}`;
  assert.equal((await as('PATCH', path, { capabilities: null })).status, 403);
  assert.equal((await as('PATCH', path, { capabilities: ['replay'] })).status, 403);
  assert.equal((await as('PATCH', path, { name: 'Reports' })).body.name, 'Reports');
  const powerful = await makeKey({ scope: 'platform' });
  assert.equal((await as('POST', `/v1/keys/${powerful.id}/rotate`, {})).status, 403);
});

test('a rotated key and its replacement are both valid until the overlap ends', async () => {
  const old = await makeKey({
    scope: 'tenant',
    tenant_id: 'acme',
    capabilities: ['view'],
    name: 'A',
  });
  const rotated = await plane.call('POST', `/v1/keys/${old.id}/rotate`, { overlap_seconds: 3600 });
  assert.equal(rotated.status, 201, rotated.text);
  assert.notEqual(rotated.body.id, old.id);
  assert.deepEqual(
    [rotated.body.name, rotated.body.capabilities, rotated.body.tenant_id, rotated.body.expires_at],
    ['A', ['view'], 'acme', null],
  );
  await inForce(rotated.body.key, () => true);
  for (const key of [old.key, rotated.body.key]) {
    assert.equal((await plane.call('GET', '/v1/tenants/acme', undefined, { key })).status, 200);
  }
  const shown = (await plane.call('GET', `/v1/keys/${old.id}`)).body;
  assert.equal(shown.replaced_by_id, rotated.body.id);
  const leftMs = Date.parse(shown.expires_at) - Date.now();
  assert.ok(leftMs > 3_500_000 && leftMs <= 3_600_000, `${leftMs}`);
  const again = await plane.call('POST', `/v1/keys/${old.id}/rotate`, {});
  assert.equal(again.status, 409);
  assert.equal(again.body.code, 'POSTHORN_KEY_ENDED');
});

test('a key that is rotated without overlap is invalid immediately', async () => {
  const old = await makeKey({ scope: 'tenant', tenant_id: 'acme' });
  await plane.call('POST', `/v1/keys/${old.id}/rotate`, { overlap_seconds: 0 });
  await inForce(old.key, ({ expiresAtMs }) => expiresAtMs !== undefined);
  const answer = await plane.call('GET', '/v1/tenants/acme', undefined, { key: old.key });
  assert.equal(answer.status, 401);
});

test('the overlap of a rotation never extends the expiry of the old key', async () => {
  const expiresAt = new Date(Date.now() + 60_000).toISOString();
  const old = await makeKey({ scope: 'producer', expires_at: expiresAt });
  const rotated = await plane.call('POST', `/v1/keys/${old.id}/rotate`, { expires_at: null });
  assert.equal(rotated.body.expires_at, null);
  assert.equal((await plane.call('GET', `/v1/keys/${old.id}`)).body.expires_at, expiresAt);
});

test('of rotations at the same time one succeeds, and a repeat gets the same key', async () => {
  const old = await makeKey({ scope: 'producer' });
  const rotate = (headers: Record<string, string> = {}) =>
    plane.call('POST', `/v1/keys/${old.id}/rotate`, {}, { headers });
  const answers = await Promise.all([1, 2, 3, 4].map(() => rotate()));
  assert.deepEqual(
    answers.map(({ status }) => status).toSorted((a, b) => a - b),
    [201, 409, 409, 409],
  );
  const other = await makeKey({ scope: 'producer' });
  const once = () =>
    plane.call('POST', `/v1/keys/${other.id}/rotate`, {}, { headers: { 'idempotency-key': 'r1' } });
  const first = await once();
  const second = await once();
  assert.equal(second.headers['idempotency-replayed'], 'true');
  assert.equal(second.body.key, first.body.key);
});

test('a change of the capabilities or the expiry is in force, and is refused for an outdated revision', async () => {
  const { id, key } = await makeKey({ scope: 'tenant', tenant_id: 'acme' });
  const change = (body: object, headers: Record<string, string> = {}) =>
    plane.call('PATCH', `/v1/keys/${id}`, body, { headers });
  assert.equal((await change({ name: 'B' }, { 'if-match': '"7"' })).status, 412);
  const changed = await change({ capabilities: ['replay'] }, { 'if-match': '"1"' });
  assert.equal(changed.headers['etag'], '"2"');
  await inForce(key, ({ rev }) => rev === 2);
  const read = () => plane.call('GET', '/v1/tenants/acme', undefined, { key });
  assert.equal((await read()).status, 403);
  assert.equal((await change({ capabilities: ['publish'] })).status, 400);
  assert.equal((await change({ expires_at: '2020-01-01T00:00:00Z' })).status, 400);
  assert.equal((await change({})).status, 400);
  await change({ capabilities: null });
  await inForce(key, ({ rev }) => rev === 3);
  assert.equal((await read()).status, 200);
  await plane.call('DELETE', `/v1/keys/${id}`, undefined, { headers: { 'if-match': '"1"' } });
  assert.equal((await read()).status, 200);
  await plane.call('DELETE', `/v1/keys/${id}`);
  assert.equal((await change({ name: 'C' })).status, 409);
  assert.equal((await plane.call('POST', `/v1/keys/${id}/rotate`, {})).status, 409);
});

test('rejects a rotation of an unknown key, and a key of a deleted tenant stays ended in its next life', async () => {
  assert.equal((await plane.call('POST', '/v1/keys/key_none/rotate', {})).status, 404);
  await plane.call('PUT', '/v1/tenants/short', {});
  const { id, key } = await makeKey({ scope: 'tenant', tenant_id: 'short' });
  await plane.call('DELETE', '/v1/tenants/short');
  await plane.call('PUT', '/v1/tenants/short', {});
  assert.equal((await plane.call('POST', `/v1/keys/${id}/rotate`, {})).status, 409);
  const answer = await plane.call('GET', '/v1/tenants/short', undefined, { key });
  assert.equal(answer.status, 401);
});
