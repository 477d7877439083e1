/** The lease by which a process may trust its own view of the lives of tenants. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { jetstream } from '@nats-io/jetstream';
import { type KV, Kvm } from '@nats-io/kv';
import type { NatsConnection } from '@nats-io/nats-core';
import { systemClock } from '#infra/system-clock.ts';
import { connectNats } from '#infra/nats/connection.ts';
import { ConfigStore } from '#infra/nats/stores/config-store.ts';
import { LifeView } from '#infra/nats/lives/life-view.ts';
import { LEASE_MS } from '#infra/nats/streams/streams.ts';
import { startNatsServer } from '#testkit/servers.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import type { TenantSnapshot } from '#wire/config-snapshot.ts';
import { buckets, configKeys, leaseKeys, subjects } from '#wire/subjects.ts';
import { log } from '../../../nats-core.ts';

interface Bench {
  nc: NatsConnection;
  config: KV;
  leases: KV;
  store: ConfigStore;
  /** While true the bucket LEASES takes no writes. */
  deaf: { isDeaf: boolean };
  view: LifeView;
}

async function startBench(t: TestContext): Promise<Bench> {
  const server = await startNatsServer();
  const nc = await connectNats(server.url, 'test', log);
  const kvm = new Kvm(jetstream(nc));
  const config = await kvm.create(buckets.config, { history: 1 });
  const leases = await kvm.create(buckets.leases, { history: 1, ttl: LEASE_MS });
  const store = new ConfigStore({ clock: systemClock, nc, log });
  const deaf = { isDeaf: false };
  const view = new LifeView({
    clock: systemClock,
    nc,
    leases: deafBucket(leases, deaf),
    config: store,
    me: 'me',
    log,
  });
  await config.put(configKeys.tenant('acme'), JSON.stringify(tenant(0)));
  await store.start();
  t.after(async () => {
    await view.stop();
    store.stop();
    await nc.close();
    await server.dispose();
  });
  return { nc, config, leases, store, deaf, view };
}

function deafBucket(kv: KV, deaf: { isDeaf: boolean }): KV {
  return new Proxy(kv, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      if (name === 'put' && deaf.isDeaf) return () => Promise.reject(new Error('timeout'));
      return value.bind(target);
    },
  });
}

function tenant(life: number): TenantSnapshot {
  const rest = life === 0 ? {} : { life };
  return { v: 1, id: 'acme', rev: life + 1, weight: 1, endpoints: [], subscriptions: [], ...rest };
}

const ask = async (nc: NatsConnection, lifeId: string): Promise<string> =>
  (await nc.request(subjects.lifeView('me'), lifeId)).string();

test('a process with a lease compares with its own view, and answers control', async (t) => {
  const { nc, config, leases, view } = await startBench(t);
  await view.start();
  assert.equal((await leases.get(leaseKeys('view').worker('me')))?.operation, 'PUT');
  assert.equal(view.isCurrent(tenant(0)), true);
  assert.equal(view.isCurrent(tenant(1)), false);
  assert.equal(await ask(nc, 'acme=1'), 'behind');
  await config.put(configKeys.tenant('acme'), JSON.stringify(tenant(1)));
  // The answer comes from the bucket, not from the watch.
  assert.equal(await ask(nc, 'acme=1'), 'known');
  assert.equal(view.isCurrent(tenant(0)), false);
  assert.equal(view.isCurrent(tenant(1)), true);
  assert.equal(await view.confirm(tenant(0)), false);
});

test('a process with an expired lease reads the bucket until it has renewed the lease and caught up', async (t) => {
  const { config, deaf, store, view } = await startBench(t);
  await view.start();
  deaf.isDeaf = true;
  await waitUntil(() => !view.isCurrent(tenant(0)), { what: 'the end of the lease' });
  assert.equal(await view.confirm(tenant(0)), true);
  await config.put(configKeys.tenant('acme'), JSON.stringify(tenant(1)));
  assert.equal(await view.confirm(tenant(0)), false);
  assert.equal(await view.confirm(tenant(1)), true);
  assert.equal(view.isCurrent(tenant(1)), false, 'it has no lease yet');
  deaf.isDeaf = false;
  await waitUntil(() => view.isCurrent(tenant(1)), { what: 'the next lease' });
  assert.equal(store.currentTenant('acme')?.life, 1);
});

test('a stopped process releases its lease and answers no more', async (t) => {
  const { leases, view } = await startBench(t);
  await view.start();
  await view.stop();
  assert.equal(view.isCurrent(tenant(0)), false);
  assert.notEqual((await leases.get(leaseKeys('view').worker('me')))?.operation, 'PUT');
});
