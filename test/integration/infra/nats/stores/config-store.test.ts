import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { type JetStreamClient, jetstream } from '@nats-io/jetstream';
import { type KV, Kvm } from '@nats-io/kv';
import { ManualClock } from '#testkit/test-clock.ts';
import type { Clock } from '#domain/clock.ts';
import { systemClock } from '#infra/system-clock.ts';
import { connectNats } from '#infra/nats/connection.ts';
import { ConfigStore } from '#infra/nats/stores/config-store.ts';
import { startNatsServer, type TestServer } from '#testkit/servers.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import type { TenantSnapshot } from '#wire/config-snapshot.ts';
import { buckets, configKeys } from '#wire/subjects.ts';
import { log } from '../../../nats-core.ts';

interface Bench {
  js: JetStreamClient;
  /** Creates the bucket, or opens it. */
  bucket: () => Promise<KV>;
  /** A store that ends with the test; not started. */
  store: (clock?: Clock) => ConfigStore;
  killServer: () => Promise<void>;
  restartServer: () => Promise<void>;
}

async function startBench(t: TestContext): Promise<Bench> {
  let server: TestServer = await startNatsServer();
  const nc = await connectNats(server.url, 'test', log);
  const js = jetstream(nc);
  const stores: ConfigStore[] = [];
  t.after(async () => {
    for (const store of stores) store.stop();
    await nc.close();
    await server.dispose();
  });
  return {
    js,
    bucket: () => new Kvm(js).create(buckets.config, { history: 1 }),
    store: (clock = systemClock) => {
      const store = new ConfigStore({ clock, nc, log });
      stores.push(store);
      return store;
    },
    killServer: () => server.kill('SIGKILL'),
    restartServer: async () => {
      server = await server.restart();
    },
  };
}

function tenant(id: string, rev = 1): TenantSnapshot {
  return { v: 1, id, rev, weight: 1, endpoints: [], subscriptions: [] };
}

function put(kv: KV, snapshot: TenantSnapshot): Promise<number> {
  return kv.put(configKeys.tenant(snapshot.id), JSON.stringify(snapshot));
}

test('a started store knows all entries of the bucket, of every kind', async (t) => {
  const bench = await startBench(t);
  const kv = await bench.bucket();
  for (let i = 0; i < 100; i++) await put(kv, tenant(`t${i}`));
  const type = { v: 1, name: 'order.created.v1', rev: 1, state: 'ACTIVE', sensitive: false };
  await kv.put(configKeys.eventType('order.created.v1'), JSON.stringify(type));
  const key = { v: 1, id: 'key_1', rev: 1, scope: 'platform' };
  await kv.put(configKeys.apiKey('ab12'), JSON.stringify(key));
  await put(kv, tenant('gone'));
  await kv.delete(configKeys.tenant('gone'));
  const store = bench.store();
  await store.start();
  assert.equal([...store.lifeIds()].length, 100);
  assert.deepEqual(store.tenant('t99'), tenant('t99'));
  assert.equal(store.tenant('gone'), undefined);
  assert.deepEqual(store.eventType('order.created.v1'), type);
  assert.deepEqual(store.apiKey('ab12'), key);
  assert.equal(store.apiKey('cd34'), undefined);
});

test('a store starts when the bucket is empty or contains only deletions', async (t) => {
  const bench = await startBench(t);
  const kv = await bench.bucket();
  const empty = bench.store();
  await empty.start();
  assert.deepEqual([...empty.lifeIds()], []);
  await kv.delete(configKeys.tenant('never'));
  const deleted = bench.store();
  await deleted.start();
  assert.deepEqual([...deleted.lifeIds()], []);
});

test('changes and deletions arrive, and an unchanged tenant keeps its object', async (t) => {
  const bench = await startBench(t);
  const kv = await bench.bucket();
  await put(kv, tenant('same'));
  await put(kv, tenant('acme', 1));
  const store = bench.store();
  await store.start();
  const [same, before] = [store.tenant('same'), store.tenant('acme')];
  await put(kv, tenant('acme', 2));
  await waitUntil(() => store.tenant('acme')?.rev === 2);
  assert.notEqual(store.tenant('acme'), before);
  assert.equal(store.tenant('same'), same);
  await kv.delete(configKeys.tenant('acme'));
  await waitUntil(() => store.tenant('acme') === undefined);
  // Created again after its deletion: its revisions start over.
  await put(kv, tenant('acme', 1));
  await waitUntil(() => store.tenant('acme')?.rev === 1);
});

test('a tenant is known in its current life and in no other', async (t) => {
  const bench = await startBench(t);
  const kv = await bench.bucket();
  await put(kv, { ...tenant('acme', 5), life: 2 });
  const store = bench.store();
  await store.start();
  assert.equal(store.currentTenant('acme')?.life, 2);
  assert.equal(store.tenant('acme=2')?.life, 2);
  for (const other of ['acme', 'acme=1', 'acme=3']) assert.equal(store.tenant(other), undefined);
  assert.deepEqual([...store.lifeIds()], ['acme=2']);
});

test('a look-up that ran ahead is not undone by an earlier deletion', async (t) => {
  const bench = await startBench(t);
  const kv = await bench.bucket();
  await put(kv, tenant('acme', 1));
  const store = bench.store();
  await store.start();
  const seen: (TenantSnapshot | undefined)[] = [];
  for (let life = 1; life <= 20; life++) {
    await kv.delete(configKeys.tenant('acme'));
    await put(kv, { ...tenant('acme', life + 1), life });
    await store.refreshTenant('acme', performance.now());
    // The watch may deliver the deletion from here on.
    for (let turn = 0; turn < 20; turn++) {
      await setImmediate();
      seen.push(store.tenant(`acme=${life}`));
    }
  }
  assert.ok(seen.every((snapshot) => snapshot !== undefined));
});

test('an older revision does not replace a newer one', async (t) => {
  const bench = await startBench(t);
  const kv = await bench.bucket();
  await put(kv, tenant('acme', 7));
  const store = bench.store();
  await store.start();
  await put(kv, tenant('acme', 6));
  await put(kv, tenant('mark'));
  await waitUntil(() => store.tenant('mark') !== undefined);
  assert.equal(store.tenant('acme')?.rev, 7);
});

test('an unreadable entry is skipped, and the others are known', async (t) => {
  const bench = await startBench(t);
  const kv = await bench.bucket();
  await kv.put(configKeys.tenant('bad'), '{');
  await kv.put('something.else', '{}');
  await put(kv, tenant('acme'));
  const store = bench.store();
  await store.start();
  assert.equal(store.tenant('bad'), undefined);
  assert.ok(store.tenant('acme') !== undefined);
});

test('a look-up finds an entry ahead of the watch, and a miss is cached for a moment only', async (t) => {
  const bench = await startBench(t);
  const kv = await bench.bucket();
  const store = bench.store();
  await store.start();
  assert.equal(await store.lookUpTenant('acme'), undefined);
  await put(kv, tenant('other'));
  // Whether or not the watch has delivered it by now.
  assert.equal((await store.lookUpTenant('other'))?.id, 'other');
  await put(kv, tenant('acme'));
  await waitUntil(async () => (await store.lookUpTenant('acme')) !== undefined);
  assert.equal(store.tenant('acme')?.rev, 1);
});

test('a store without a bucket waits, and resumes as soon as the bucket is created', async (t) => {
  const bench = await startBench(t);
  const store = bench.store();
  let started = false;
  const starting = store.start().finally(() => {
    started = true;
  });
  assert.equal(await store.lookUpTenant('acme'), undefined);
  assert.equal(started, false);
  await put(await bench.bucket(), tenant('acme'));
  await starting;
  assert.equal(store.tenant('acme')?.id, 'acme');
});

test('the last state stays in force while NATS is down, and changes arrive after its restart', async (t) => {
  const bench = await startBench(t);
  const kv = await bench.bucket();
  await put(kv, tenant('acme', 1));
  const store = bench.store();
  await store.start();
  await bench.killServer();
  assert.equal(store.tenant('acme')?.rev, 1);
  await bench.restartServer();
  await waitUntil(() => put(kv, tenant('acme', 2)));
  await put(kv, tenant('fresh', 1));
  await waitUntil(() => store.tenant('acme')?.rev === 2 && store.tenant('fresh') !== undefined, {
    deadlineMs: 30_000,
  });
});

test('a caller that refreshes a tenant knows every earlier write', async (t) => {
  const bench = await startBench(t);
  const kv = await bench.bucket();
  await put(kv, tenant('acme', 1));
  const clock = new ManualClock();
  const store = bench.store(clock);
  await store.start();
  // The watch delivers nothing any more.
  store.stop();
  await put(kv, tenant('acme', 2));
  await store.refreshTenant('acme');
  assert.equal(store.tenant('acme')?.rev, 2);
  await put(kv, tenant('acme', 3));
  await store.refreshTenant('acme');
  assert.equal(store.tenant('acme')?.rev, 2, 'asked twice within a second');
  clock.advance(1);
  await Promise.all(
    Array.from({ length: 20 }, () => store.refreshTenant('acme', clock.monotonicMs())),
  );
  assert.equal(store.tenant('acme')?.rev, 3);
});

/** So large that it is built in slices; its objects have ever new names. */
function largeTenant(id: string, rev = 1): TenantSnapshot {
  const subscriptions = Array.from({ length: 60 }, (_, n) => {
    const names = Array.from({ length: 700 }, (_unused, i) => [`n${n}_${i}`, i] as const);
    const filter = { 'data.x': { $eq: Object.fromEntries(names) } };
    return { id: `sub_${n}`, endpointId: 'ep_1', eventTypes: ['*'], filter };
  });
  return { ...tenant(id, rev), subscriptions };
}

test('a large tenant is known to a started store, by a look-up and after a refresh', async (t) => {
  const bench = await startBench(t);
  const kv = await bench.bucket();
  await put(kv, largeTenant('big'));
  await put(kv, tenant('small'));
  const store = bench.store();
  await store.start();
  assert.deepEqual(store.tenant('big'), largeTenant('big'));
  assert.deepEqual(store.tenant('small'), tenant('small'));
  await put(kv, largeTenant('late'));
  assert.deepEqual(await store.lookUpTenant('late'), largeTenant('late'));
  await put(kv, largeTenant('big', 2));
  // Both ask while it is built.
  await Promise.all([store.refreshTenant('big'), store.refreshTenant('big', performance.now())]);
  assert.equal(store.tenant('big')?.rev, 2);
  await put(kv, largeTenant('big', 3));
  await store.catchUp();
  assert.equal(store.tenant('big')?.rev, 3);
});

test('a newer entry replaces a large one that is being built', async (t) => {
  const bench = await startBench(t);
  const kv = await bench.bucket();
  await put(kv, tenant('gone'));
  await put(kv, tenant('shrunk'));
  const store = bench.store();
  await store.start();
  await put(kv, largeTenant('gone', 2));
  const building = store.refreshTenant('gone');
  await kv.delete(configKeys.tenant('gone'));
  await building;
  await put(kv, largeTenant('shrunk', 2));
  const alsoBuilding = store.refreshTenant('shrunk');
  await put(kv, tenant('shrunk', 3));
  await alsoBuilding;
  await store.catchUp();
  assert.equal(store.tenant('gone'), undefined);
  assert.deepEqual(store.tenant('shrunk'), tenant('shrunk', 3));
});
