import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { type ControlPlane, startControlPlane } from '../control-plane.ts';

let plane: ControlPlane;

before(async (t) => {
  plane = await startControlPlane(t as never);
});

const PATCH_TYPE = { 'content-type': 'application/merge-patch+json' };

test('a patch of a tenant changes the given settings alone, and null removes one', async () => {
  const path = '/v1/tenants/patched';
  const missing = await plane.call('PATCH', path, { weight: 2 });
  assert.equal(missing.body.code, 'POSTHORN_TENANT_UNKNOWN');
  await plane.call('PUT', path, { name: '$weight', weight: 3, in_flight_max: 10 });
  const body = { in_flight_max: null, event_type_policy: 'strict', rate_limit: { per_second: 5 } };
  const changed = await plane.call('PATCH', path, body, { headers: PATCH_TYPE });
  assert.equal(changed.status, 200, changed.text);
  const { name, weight, in_flight_max, event_type_policy, rate_limit, revision } = changed.body;
  assert.deepEqual(
    { name, weight, in_flight_max, event_type_policy, rate: rate_limit.per_second },
    { name: '$weight', weight: 3, in_flight_max: null, event_type_policy: 'strict', rate: 5 },
  );
  assert.equal(changed.headers.etag, `"${revision}"`);
  const read = await plane.call('GET', path);
  assert.deepEqual(read.body, changed.body);
  const stale = { headers: { 'if-match': `"${revision - 1}"` } };
  assert.equal((await plane.call('PATCH', path, { weight: 4 }, stale)).status, 412);
  const two = await Promise.all(
    [4, 5].map((each) =>
      plane.call('PATCH', path, { weight: each }, { headers: { 'if-match': `"${revision}"` } }),
    ),
  );
  assert.deepEqual(new Set(two.map(({ status }) => status)), new Set([200, 412]));
});

test('rejects a patch of a tenant with a value that the setting cannot have', async () => {
  const path = '/v1/tenants/refused';
  await plane.call('PUT', path, {});
  for (const [body, pointer] of [
    [{}, ''],
    [{ weight: null }, '/weight'],
    [{ weight: 0 }, '/weight'],
    [{ id: 'other' }, '/id'],
    [{ rate_limit: { per_second: -1 } }, '/rate_limit/per_second'],
  ] as const) {
    const answer = await plane.call('PATCH', path, body);
    assert.equal(answer.status, 400, answer.text);
    assert.equal(answer.body.errors[0].pointer, pointer);
  }
  assert.equal((await plane.call('GET', path)).body.revision, 1);
});

test('a patch of an event type keeps the schema, and creates a version only for another one', async () => {
  const path = '/v1/event-types/order.patched';
  assert.equal((await plane.call('PATCH', path, { sensitive: true })).status, 404);
  const schema = { type: 'object', required: ['amount'] };
  await plane.call('PUT', path, { schema, description: 'One', producer_domain: 'orders' });
  const one = await plane.call('PATCH', path, { producer_domain: null, status: 'inactive' });
  assert.equal(one.status, 200, one.text);
  const { producer_domain, status, description, version } = one.body;
  assert.deepEqual([producer_domain, status, description, version], [null, 'inactive', 'One', 1]);
  assert.deepEqual(one.body.schema, schema);
  const two = await plane.call('PATCH', path, { schema: null });
  assert.deepEqual([two.body.version, two.body.schema, two.body.status], [2, null, 'inactive']);
  const invalid = await plane.call('PATCH', path, { schema: { type: 'nonsense' } });
  assert.equal(invalid.body.code, 'POSTHORN_SCHEMA_INVALID');
  const match = { headers: { 'if-match': `"${one.body.revision}"` } };
  assert.equal((await plane.call('PATCH', path, { sensitive: true }, match)).status, 412);
});

test('rejects a merge patch with another method than PATCH with POSTHORN_MEDIA_TYPE_UNSUPPORTED', async () => {
  const path = '/v1/tenants/typed';
  const put = await plane.call('PUT', path, { name: 'A' }, { headers: PATCH_TYPE });
  assert.equal(put.body.code, 'POSTHORN_MEDIA_TYPE_UNSUPPORTED', put.text);
  assert.equal((await plane.call('GET', path)).status, 404);
});
