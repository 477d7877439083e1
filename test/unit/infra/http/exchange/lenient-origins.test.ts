import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '#domain/limits.ts';
import { LenientOrigins } from '#infra/http/exchange/lenient-origins.ts';

const HOUR_MS = 3_600_000;

test('an origin is remembered for its tenant alone', () => {
  const origins = new LenientOrigins(() => 0);
  origins.of('acme').add('https://a.test');
  assert.equal(origins.of('acme').has('https://a.test'), true);
  assert.equal(origins.of('acme').has('https://b.test'), false);
  assert.equal(origins.of('globex').has('https://a.test'), false);
});

test('an origin is forgotten 6 hours after it was last added', () => {
  let now = 0;
  const origins = new LenientOrigins(() => now).of('acme');
  origins.add('https://a.test');
  now = 5 * HOUR_MS;
  origins.add('https://a.test');
  now = 11 * HOUR_MS - 1;
  assert.equal(origins.has('https://a.test'), true);
  now = 11 * HOUR_MS;
  assert.equal(origins.has('https://a.test'), false);
});

test('a tenant over its share loses its own oldest origin', () => {
  const origins = new LenientOrigins(() => 0);
  origins.of('globex').add('https://a.test');
  for (let n = 0; n <= limits.lenientOriginsPerTenantMax; n++) origins.of('acme').add(`o${n}`);
  assert.equal(origins.of('acme').has('o0'), false);
  assert.equal(origins.of('acme').has('o1'), true);
  assert.equal(origins.of('acme').has(`o${limits.lenientOriginsPerTenantMax}`), true);
  assert.equal(origins.of('globex').has('https://a.test'), true);
});

test('the tenant with the most origins loses one when the memory is full', () => {
  const origins = new LenientOrigins(() => 0);
  origins.of('small').add('o0');
  const perTenant = limits.lenientOriginsPerTenantMax;
  const tenants = limits.lenientOriginsMax / perTenant;
  for (let tenant = 0; tenant < tenants; tenant++) {
    for (let n = 0; n < perTenant; n++) origins.of(`t${tenant}`).add(`o${n}`);
  }
  assert.equal(origins.of('small').has('o0'), true);
  assert.equal(origins.of('t0').has('o0'), false);
  assert.equal(origins.of('t0').has('o1'), true);
  origins.of('late').add('o0');
  assert.equal(origins.of('late').has('o0'), true);
  assert.equal(origins.of('small').has('o0'), true);
});
