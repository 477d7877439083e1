import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type KV, Kvm } from '@nats-io/kv';
import type { NatsConnection } from '@nats-io/nats-core';
import { systemClock } from '#infra/system-clock.ts';
import { connectNats } from '#infra/nats/connection.ts';
import { ConfigStore } from '#infra/nats/stores/config-store.ts';
import { LaneStore } from '#infra/nats/stores/lane-store.ts';
import { startTcpRelay } from '../../../../kit/network/tcp-relay.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { buckets, configKeys } from '#wire/subjects.ts';
import { type NatsCore, log, startNatsCore } from '../../../nats-core.ts';

/**
 * The client's own watch checks its liveness every 30 s, and is repeated after the third failure.
 */
const BEFORE_CLIENT_RECOVERS = { deadlineMs: 25_000, intervalMs: 50 };
const STREAM = `KV_${buckets.config}`;

function put(kv: KV, id: string, rev: number): Promise<number> {
  const tenant = { v: 1, id, rev, weight: 1, endpoints: [], subscriptions: [] };
  return kv.put(configKeys.tenant(id), JSON.stringify(tenant));
}

async function startStore(t: TestContext, nc: NatsConnection): Promise<ConfigStore> {
  const store = new ConfigStore({ clock: systemClock, nc, log });
  t.after(() => store.stop());
  await store.start();
  return store;
}

/** Disables the timers of 5 s, so that only a reconnect causes a poll. */
function disablePeriodicPolls(t: TestContext): void {
  const { setTimeout: later } = globalThis;
  const never = 2 ** 31 - 1;
  t.mock.method(globalThis, 'setTimeout', (task: () => void, ms: number) =>
    later(task, ms === 5000 ? never : ms),
  );
}

async function deliveredToWatch({ jsm }: NatsCore): Promise<number> {
  const [watch] = await jsm.consumers.list(STREAM).next();
  return watch?.delivered.stream_seq ?? 0;
}

test('a watch delivers changes again when its consumer was removed', async (t) => {
  const core = await startNatsCore(t);
  const kv = await new Kvm(core.js).open(buckets.config);
  await put(kv, 'acme', 1);
  const store = await startStore(t, core.nc);
  for (const { name } of await core.jsm.consumers.list(STREAM).next()) {
    await core.jsm.consumers.delete(STREAM, name);
  }
  await put(kv, 'acme', 2);
  await waitUntil(() => store.tenant('acme')?.rev === 2, BEFORE_CLIENT_RECOVERS);
});

test('a change that was lost with a connection is read after the reconnect, even when no other change follows', async (t) => {
  const core = await startNatsCore(t);
  const kv = await new Kvm(core.js).open(buckets.config);
  await put(kv, 'acme', 1);
  const relay = await startTcpRelay(Number(new URL(core.server.url).port));
  t.after(() => relay.close());
  const nc = await connectNats(`nats://127.0.0.1:${relay.port}`, 'test', log);
  t.after(() => nc.close());
  disablePeriodicPolls(t);
  const store = await startStore(t, nc);
  relay.swallow();
  const revision = await put(kv, 'acme', 2);
  await waitUntil(async () => (await deliveredToWatch(core)) === revision);
  relay.breakAll();
  await waitUntil(() => store.tenant('acme')?.rev === 2, BEFORE_CLIENT_RECOVERS);
});

test('a purged bucket counts as created again', async (t) => {
  const core = await startNatsCore(t);
  const kvm = new Kvm(core.js);
  await put(await kvm.open(buckets.config), 'acme', 1);
  await (await kvm.open(buckets.lanes)).put('acme', '');
  const store = await startStore(t, core.nc);
  const lanes = new LaneStore(core);
  t.after(() => lanes.stop());
  await lanes.start();
  let recreations = 0;
  store.onBucketRecreated(() => recreations++);
  await core.jsm.streams.purge(STREAM);
  await core.jsm.streams.purge(`KV_${buckets.lanes}`);
  await waitUntil(() => recreations > 0 && !lanes.has('acme'), BEFORE_CLIENT_RECOVERS);
  assert.equal(store.tenant('acme')?.rev, 1, 'the known state stays in force');
});
