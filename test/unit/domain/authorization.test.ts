import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Access,
  authorize,
  type Principal,
  requireBroadcast,
  requireTenant,
  type TenantAction,
} from '#domain/authorization.ts';
import { isPosthornError } from '#domain/errors.ts';

const principals: Record<string, Principal> = {
  platform: { keyId: 'k', scope: 'platform' },
  producer: { keyId: 'k', scope: 'producer' },
  producerOfAcme: { keyId: 'k', scope: 'producer', tenant: 'acme' },
  tenantAcme: { keyId: 'k', scope: 'tenant', tenant: 'acme' },
  tenantless: { keyId: 'k', scope: 'tenant' },
};

/** Whether the rule allows it; every refusal has the code of a scope. */
function allows(check: () => void): boolean {
  try {
    check();
    return true;
  } catch (error) {
    assert.ok(isPosthornError(error) && error.code === 'POSTHORN_KEY_SCOPE');
    return false;
  }
}

const allowedTo = (check: (principal: Principal) => void): string[] =>
  Object.keys(principals).filter((name) => allows(() => check(principals[name] as Principal)));

test('each scope allows its own actions and no others', () => {
  const reaches: Record<string, string[]> = {};
  for (const [name, principal] of Object.entries(principals)) {
    reaches[name] = [];
    for (const tenant of ['acme', 'other']) {
      for (const action of ['publish', 'read', 'manage'] satisfies TenantAction[]) {
        if (allows(() => requireTenant(principal, tenant, action))) {
          reaches[name].push(`${action} ${tenant}`);
        }
      }
    }
  }
  assert.deepEqual(reaches, {
    platform: [
      'publish acme',
      'read acme',
      'manage acme',
      'publish other',
      'read other',
      'manage other',
    ],
    producer: ['publish acme', 'publish other'],
    producerOfAcme: ['publish acme'],
    tenantAcme: ['read acme', 'manage acme'],
    tenantless: [],
  });
});

test('a broadcast is allowed to keys that reach every tenant', () => {
  assert.deepEqual(allowedTo(requireBroadcast), ['platform', 'producer']);
});

test('each access of a route is allowed to its keys', () => {
  const allowed = (access: Access, tenant: string | undefined): string[] =>
    allowedTo((principal) => authorize(principal, access, tenant));
  assert.deepEqual(allowed('any-key', undefined), Object.keys(principals));
  assert.deepEqual(allowed('platform', 'acme'), ['platform']);
  for (const access of ['read', 'manage'] satisfies Access[]) {
    assert.deepEqual(allowed(access, 'acme'), ['platform', 'tenantAcme']);
    assert.deepEqual(allowed(access, 'other'), ['platform']);
    // A route that names no tenant.
    assert.deepEqual(allowed(access, undefined), ['platform']);
  }
});
