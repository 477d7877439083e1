import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startControlPlane } from '../control-plane.ts';

const before = { type: 'object', properties: { amount: { type: 'number' } }, required: ['amount'] };

test('a type accepts the versions that its compatibility allows, and rejects others with each break', async (t) => {
  const plane = await startControlPlane(t);
  const put = (body: object) => plane.call('PUT', '/v1/event-types/order.created', body);
  assert.equal((await put({ schema: before, compatibility: 'backward' })).status, 201);
  const wider = { ...before, required: [] };
  assert.equal((await put({ schema: wider, compatibility: 'backward' })).body.version, 2);
  const refused = await put({ schema: before, compatibility: 'backward' });
  assert.equal(refused.status, 409);
  assert.equal(refused.body.code, 'POSTHORN_SCHEMA_INCOMPATIBLE');
  assert.deepEqual(refused.body.errors, [
    {
      pointer: '/schema/required',
      detail:
        'is not backward compatible: version 2 accepts data without "amount", the new version does not',
    },
  ]);
  assert.equal((await put({ schema: before, compatibility: 'forward' })).body.version, 3);
  const full = await put({ schema: wider, compatibility: 'full' });
  assert.equal(full.status, 409);
  assert.match(full.body.detail, /not forward compatible/);
  const { body } = await put({ schema: wider });
  assert.equal(body.version, 4);
  assert.equal(body.compatibility, 'none');
});

test('a schema that is removed, or equal, is compared as well', async (t) => {
  const plane = await startControlPlane(t);
  const put = (body: object) => plane.call('PUT', '/v1/event-types/order.created', body);
  await put({ schema: before, compatibility: 'full' });
  assert.equal((await put({ schema: before, compatibility: 'full' })).body.version, 1);
  assert.equal((await put({ compatibility: 'backward' })).body.version, 2);
  const forward = await put({ schema: before, compatibility: 'backward' });
  assert.equal(forward.body.errors[0].pointer, '/schema/type');
});
