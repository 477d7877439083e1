/** Event types that nothing uses can be removed. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { keyHash } from '#infra/http/server/authenticate.ts';
import type { EventTypeSnapshot } from '#wire/config-snapshot.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { type ControlPlane, configGone, configValue, startControlPlane } from '../control-plane.ts';

let plane: ControlPlane;
before(async (t) => {
  plane = await startControlPlane(t as never);
});

test('an event type that is registered again after its removal has a higher revision', async () => {
  const path = '/v1/event-types/short.lived';
  await plane.call('PUT', path, {});
  const { body } = await plane.call('PUT', path, { description: 'twice' });
  assert.equal(body.revision, 2);
  const stale = await plane.call('DELETE', path, undefined, { headers: { 'if-match': '"1"' } });
  assert.equal(stale.status, 412, stale.text);
  assert.equal((await plane.call('DELETE', path)).status, 204);
  await configGone(plane.kv, 'type.short.lived');
  assert.equal((await plane.call('GET', path)).status, 404);
  assert.equal((await plane.call('DELETE', path)).status, 404);
  const again = await plane.call('PUT', path, {});
  assert.equal(again.status, 201);
  assert.ok(again.body.revision > 2, 'an ETag of the removed type matches the new one');
  await configValue<EventTypeSnapshot>(
    plane.kv,
    'type.short.lived',
    ({ rev }) => rev === again.body.revision,
  );
});

test('rejects the removal of an event type that a subscription names, with the subscription', async () => {
  await plane.call('PUT', '/v1/tenants/user', {});
  const path = '/v1/event-types/in.use';
  await plane.call('PUT', path, {});
  const endpoint = { url: 'https://example.com/', event_types: ['in.use', 'other'] };
  await plane.call('POST', '/v1/tenants/user/endpoints', endpoint);
  const [subscription] = (await plane.call('GET', '/v1/tenants/user/subscriptions')).body.data;
  const refused = await plane.call('DELETE', path);
  assert.equal(refused.status, 409, refused.text);
  assert.equal(refused.body.code, 'POSTHORN_EVENT_TYPE_IN_USE');
  assert.deepEqual(refused.body.errors, [
    {
      pointer: '#path/name',
      detail: `is named by the subscription ${subscription.id} of the tenant user`,
    },
  ]);
  await plane.call('DELETE', `/v1/tenants/user/subscriptions/${subscription.id}`);
  assert.equal((await plane.call('DELETE', path)).status, 204);
});

test('rejects the removal of a sensitive event type: the data of its events would be shown', async () => {
  const path = '/v1/event-types/hidden.data';
  await plane.call('PUT', path, { sensitive: true });
  const refused = await plane.call('DELETE', path);
  assert.equal(refused.status, 409, refused.text);
  assert.match(refused.body.errors[0].detail, /sensitive/);
  await plane.call('PUT', path, { sensitive: false });
  assert.equal((await plane.call('DELETE', path)).status, 204);
});

test('a removed automatic event type is recorded again by its next event', async () => {
  await plane.call('PUT', '/v1/tenants/again', {});
  await waitUntil(() => plane.config.tenant('again'));
  const path = '/v1/event-types/again.sent';
  const seen = [{ tenant: 'again', name: 'again.sent' }];
  await plane.control.registerEventTypes(seen);
  assert.equal((await plane.call('DELETE', path)).status, 204);
  assert.equal((await plane.call('GET', path)).status, 404);
  await plane.control.registerEventTypes(seen);
  assert.equal((await plane.call('GET', path)).status, 200);
});

test('only a platform key removes an event type', async () => {
  await plane.call('PUT', '/v1/tenants/keyed', {});
  await plane.call('PUT', '/v1/event-types/kept.type', {});
  const { key } = (await plane.call('POST', '/v1/keys', { scope: 'tenant', tenant_id: 'keyed' }))
    .body;
  await waitUntil(() => plane.config.apiKey(keyHash(key)));
  const refused = await plane.call('DELETE', '/v1/event-types/kept.type', undefined, { key });
  assert.equal(refused.status, 403, refused.text);
  const unknown = await plane.call('DELETE', '/v1/event-types/not.there', undefined, { key });
  assert.equal(unknown.status, 403, 'the answer must not depend on the existence of the type');
});
