import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isLifeId, isTenantId, lifeIdOf, lifeOf, tenantIdOf } from '#domain/tenant.ts';

test('the first life of a tenant has the id of the tenant', () => {
  assert.equal(lifeIdOf({ id: 'acme' }), 'acme');
  assert.equal(lifeIdOf({ id: 'acme', life: 0 }), 'acme');
});

test('a life id gives its tenant and its number back', () => {
  for (const id of ['acme', 'a-1_B', 'x'.repeat(64)]) {
    for (const life of [0, 1, 12, 999_999_999]) {
      const lifeId = lifeIdOf({ id, life });
      assert.equal(tenantIdOf(lifeId), id);
      assert.equal(lifeOf(lifeId), life);
      assert.ok(isLifeId(lifeId), lifeId);
      assert.equal(isTenantId(lifeId), life === 0, 'no tenant can be given the id of a life');
    }
  }
});

test('rejects a life id whose life has a second spelling', () => {
  for (const text of ['acme=0', 'acme=01', 'acme=', '=1', 'acme=1=2', 'acme=-1', 'acme=1.5']) {
    assert.equal(isLifeId(text), false, text);
  }
});
