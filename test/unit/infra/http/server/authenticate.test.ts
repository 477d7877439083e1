import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '#testkit/test-clock.ts';
import { isPosthornError } from '#domain/errors.ts';
import { createAuthenticator, keyHash } from '#infra/http/server/authenticate.ts';
import type { ApiKeySnapshot } from '#wire/config-snapshot.ts';

const keys: Record<string, ApiKeySnapshot> = {
  phk_t_one: { v: 1, id: 'key_1', rev: 1, scope: 'tenant', tenant: 'acme' },
  phk_p_old: { v: 1, id: 'key_2', rev: 1, scope: 'platform', expiresAtMs: 1000 },
};
const byHash = new Map(Object.entries(keys).map(([key, value]) => [keyHash(key), value]));
const authenticate = (nowMs = 999) =>
  createAuthenticator({
    config: {
      apiKey: (hash) => byHash.get(hash),
      currentTenant: () => undefined,
    },
    bootstrapKey: 'bootstrap-key-0123',
    clock: new ManualClock({ wall: nowMs, monotonic: 0 }),
  });

const throwsCode = (run: () => unknown, code: string) =>
  assert.throws(run, (error) => isPosthornError(error) && error.code === code);

test('authentication finds a key by its digest, with its tenant', () => {
  assert.deepEqual(authenticate()('Bearer phk_t_one'), {
    keyId: 'key_1',
    scope: 'tenant',
    tenant: 'acme',
  });
  assert.equal(authenticate()('bearer  bootstrap-key-0123').scope, 'platform');
});

test('authentication rejects a missing key, a wrong key, another scheme, and a digest in place of the key', () => {
  throwsCode(() => authenticate()(undefined), 'POSTHORN_KEY_MISSING');
  throwsCode(() => authenticate()(''), 'POSTHORN_KEY_MISSING');
  for (const header of [
    'Bearer phk_t_two',
    'Bearer ',
    'Basic phk_t_one',
    'phk_t_one',
    `Bearer ${keyHash('phk_t_one')}`,
    `Bearer ${'x'.repeat(300)}`,
  ]) {
    throwsCode(() => authenticate()(header), 'POSTHORN_KEY_INVALID');
  }
});

test('a key is valid until the instant it expires', () => {
  assert.equal(authenticate(999)('Bearer phk_p_old').keyId, 'key_2');
  throwsCode(() => authenticate(1000)('Bearer phk_p_old'), 'POSTHORN_KEY_INVALID');
});

test('rejects a key of an earlier life of its tenant, and accepts one of the current life', () => {
  const authenticateIn = (life: number | undefined) =>
    createAuthenticator({
      config: {
        apiKey: () => ({ v: 1, id: 'key_1', rev: 1, scope: 'tenant', tenant: 'acme', life: 1 }),
        currentTenant: (id) => ({
          v: 1,
          id,
          rev: 1,
          weight: 1,
          endpoints: [],
          subscriptions: [],
          ...(life === undefined ? {} : { life }),
        }),
      },
      clock: new ManualClock({ wall: 0, monotonic: 0 }),
    })('Bearer phk_t_one');
  assert.equal(authenticateIn(1).tenant, 'acme');
  throwsCode(() => authenticateIn(2), 'POSTHORN_KEY_INVALID');
  // The key arrived before the tenant's snapshot.
  assert.equal(authenticateIn(undefined).tenant, 'acme');
});
