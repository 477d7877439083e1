import assert from 'node:assert/strict';
import { test } from 'node:test';
import { waitUntil } from '#testkit/wait-until.ts';
import { endpointInForce, startControlPlane } from '../control-plane.ts';

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';

test('secrets are revealed to callers with the capability, and to no other', async (t) => {
  const plane = await startControlPlane(t);
  await plane.call('PUT', '/v1/tenants/acme', {});
  await plane.call('PUT', '/v1/tenants/globex', {});
  const made = await plane.call('POST', '/v1/tenants/acme/endpoints', {
    url: 'https://example.com/a',
    secret: SECRET,
  });
  const path = `/v1/tenants/acme/endpoints/${String(made.body.id)}/secrets`;
  const { status, body } = await plane.call('GET', path);
  assert.equal(status, 200);
  assert.equal(body.data.length, 1);
  assert.equal(body.data[0].secret, SECRET);
  assert.equal(body.data[0].algorithm, 'hmac-sha256');
  const keyOf = async (more: object): Promise<string> => {
    const made = { scope: 'tenant', tenant_id: 'acme', ...more };
    const { body: created } = await plane.call('POST', '/v1/keys', made);
    const key = String(created.key);
    // A key is in force once the process has read it from CONFIG.
    await waitUntil(async () => {
      return (await plane.call('GET', '/v1/event-types', undefined, { key })).status !== 401;
    });
    return key;
  };
  const reader = await keyOf({ capabilities: ['view', 'manage_endpoints'] });
  const refused = await plane.call('GET', path, undefined, { key: reader });
  assert.equal(refused.status, 403);
  assert.ok(!refused.text.includes(SECRET));
  const owner = await keyOf({ capabilities: ['view_secret'] });
  assert.equal((await plane.call('GET', path, undefined, { key: owner })).status, 200);
  const foreign = path.replace('acme', 'globex');
  assert.equal((await plane.call('GET', foreign, undefined, { key: owner })).status, 403);
  assert.equal((await plane.call('GET', foreign)).status, 404);
});

test('previous secrets stop signing when they are expired', async (t) => {
  const plane = await startControlPlane(t);
  await plane.call('PUT', '/v1/tenants/acme', {});
  const made = await plane.call('POST', '/v1/tenants/acme/endpoints', {
    url: 'https://example.com/a',
    secret: SECRET,
  });
  const id = String(made.body.id);
  const path = `/v1/tenants/acme/endpoints/${id}`;
  const rotated = await plane.call('POST', `${path}/rotate-secret`);
  const both = await plane.call('GET', `${path}/secrets`);
  assert.deepEqual(
    both.body.data.map(({ secret }: { secret: string }) => secret),
    [rotated.body.secret, SECRET],
  );
  const stale = { headers: { 'if-match': '"1"' } };
  const late = await plane.call('POST', `${path}/expire-previous-secrets`, undefined, stale);
  assert.equal(late.status, 412);
  const expired = await plane.call('POST', `${path}/expire-previous-secrets`);
  assert.equal(expired.status, 200);
  assert.equal(expired.body.signing_secrets.length, 1);
  assert.ok(!expired.text.includes(String(rotated.body.secret)));
  const again = await plane.call('POST', `${path}/expire-previous-secrets`);
  assert.equal(again.body.revision, expired.body.revision, 'nothing changed');
  const left = await plane.call('GET', `${path}/secrets`);
  assert.deepEqual(
    left.body.data.map(({ secret }: { secret: string }) => secret),
    [rotated.body.secret],
  );
  const snapshot = await endpointInForce(plane.kv, 'acme', id, (one) => one.secrets.length === 1);
  assert.equal(plane.secretBox.open(snapshot.secrets[0]?.sealed ?? '', id), rotated.body.secret);
});
