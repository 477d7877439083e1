import assert from 'node:assert/strict';
import { test } from 'node:test';
import { canaryTenant, noCanary, ProbeReceiver } from '#domain/canary.ts';
import { canaryTenants } from '#src/probe/canary.ts';
import { shardOf } from '#wire/subjects.ts';

test('every shard has its own canary, always the same', () => {
  for (const shards of [1, 4, 12, 64]) {
    const tenants = canaryTenants('main', shards);
    assert.deepEqual(
      tenants.map((tenant) => shardOf(tenant, shards)),
      Array.from({ length: shards }, (_, shard) => shard),
    );
    assert.deepEqual(canaryTenants('main', shards), tenants);
    for (const tenant of tenants) {
      assert.match(tenant, /^[a-zA-Z0-9][a-zA-Z0-9_-]{0,63}$/);
      assert.match(tenant, noCanary.$not);
    }
  }
  assert.doesNotMatch('acme-posthorn-probe-main-0', noCanary.$not);
});

test("only the probe's tenants reach its receiver, and nothing else there", () => {
  const receiver = new ProbeReceiver('http://posthorn-probe:8082');
  const canary = canaryTenant('main', 0);
  assert.equal(receiver.isAt(canary, 'http://posthorn-probe:8082/x'), true);
  assert.equal(receiver.isAt('acme', 'http://posthorn-probe:8082/x'), false);
  for (const url of [
    'http://posthorn-probe:9090/metrics',
    'https://posthorn-probe:8082/x',
    'http://posthorn-probe.evil.example:8082/x',
    'http://posthorn-probe:8082@10.0.0.1/x',
    'http://169.254.169.254/',
    'no url',
  ]) {
    assert.equal(receiver.isAt(canary, url), false, url);
  }
  assert.equal(new ProbeReceiver(undefined).isAt(canary, 'http://posthorn-probe:8082/x'), false);
});
