import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Access,
  authorize,
  holds,
  type Principal,
  requireBroadcast,
  requirementOf,
  requireTenant,
} from '#domain/authorization.ts';
import {
  type Capability,
  capabilities,
  portalCapabilities,
  rolePresets,
  scopePresets,
} from '#domain/capabilities.ts';
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
      for (const action of ['publish', 'view', 'manage_endpoints'] satisfies Capability[]) {
        if (allows(() => requireTenant(principal, tenant, action))) {
          reaches[name].push(`${action} ${tenant}`);
        }
      }
    }
  }
  assert.deepEqual(reaches, {
    platform: [
      'publish acme',
      'view acme',
      'manage_endpoints acme',
      'publish other',
      'view other',
      'manage_endpoints other',
    ],
    producer: ['publish acme', 'publish other'],
    producerOfAcme: ['publish acme'],
    tenantAcme: ['view acme', 'manage_endpoints acme'],
    tenantless: [],
  });
});

test('a broadcast is allowed to keys that reach every tenant', () => {
  assert.deepEqual(allowedTo(requireBroadcast), ['platform', 'producer']);
});

const mayUse = (access: Access, tenant?: string, isRead = false) =>
  allowedTo((principal) => authorize(principal, requirementOf(access, isRead), tenant));

test('each access of a route is allowed to its keys', () => {
  assert.deepEqual(mayUse('any-key'), Object.keys(principals));
  for (const access of ['read', 'manage', 'send-test', 'view-secret', 'replay'] as const) {
    assert.deepEqual(mayUse(access, 'acme'), ['platform', 'tenantAcme'], access);
    assert.deepEqual(mayUse(access, 'other'), ['platform'], access);
    // A route that names no tenant.
    assert.deepEqual(mayUse(access), ['platform'], access);
  }
  for (const access of ['platform', 'keys', 'tenants', 'event-types', 'portal-tokens'] as const) {
    for (const isRead of [true, false]) {
      assert.deepEqual(mayUse(access, 'acme', isRead), ['platform'], access);
    }
  }
});

/** The accesses that a platform key with these capabilities alone has. */
function accessesOf(given: readonly Capability[], isRead: boolean): Access[] {
  const all = ['read', 'manage', 'send-test', 'view-secret', 'replay', 'platform', 'keys'] as const;
  const principal: Principal = { keyId: 'k', scope: 'platform', capabilities: given };
  return all.filter((access) =>
    allows(() => authorize(principal, requirementOf(access, isRead), 'acme')),
  );
}

test('a key that is limited to capabilities has no access beyond them', () => {
  assert.deepEqual(accessesOf(['view'], false), ['read']);
  assert.deepEqual(accessesOf(['view'], true), ['read', 'platform', 'keys']);
  assert.deepEqual(accessesOf(['replay'], true), ['replay']);
  assert.deepEqual(accessesOf(['manage_keys'], false), ['keys']);
  assert.deepEqual(accessesOf(['manage_keys'], true), []);
  assert.deepEqual(accessesOf([], true), []);
  assert.deepEqual(accessesOf(rolePresets.operator, false), [
    'read',
    'manage',
    'send-test',
    'replay',
  ]);
  const limited: Principal = { keyId: 'k', scope: 'platform', capabilities: ['view'] };
  assert.ok(!allows(() => requireBroadcast(limited)));
  assert.ok(!allows(() => requireTenant(limited, 'acme', 'publish')));
});

test('capabilities of a key never exceed the preset of its scope', () => {
  const tenant: Principal = { keyId: 'k', scope: 'tenant', tenant: 'acme', capabilities };
  const held = capabilities.filter((each) => holds(tenant, each));
  assert.deepEqual(new Set(held), new Set(scopePresets.tenant));
  for (const preset of [portalCapabilities, ...Object.values(rolePresets)]) {
    for (const each of preset) assert.ok(capabilities.includes(each), each);
  }
});
