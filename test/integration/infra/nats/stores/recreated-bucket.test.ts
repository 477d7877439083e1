import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Kvm } from '@nats-io/kv';
import { ConfigStore } from '#infra/nats/stores/config-store.ts';
import { LaneStore } from '#infra/nats/stores/lane-store.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { buckets, configKeys } from '#wire/subjects.ts';
import { startNatsCore } from '../../../nats-core.ts';

test('a store follows a bucket that was deleted and created again', async (t) => {
  const core = await startNatsCore(t);
  const kvm = new Kvm(core.js);
  const lanes = new LaneStore(core);
  const config = new ConfigStore(core);
  t.after(() => {
    lanes.stop();
    config.stop();
  });
  const tenant = (id: string) =>
    JSON.stringify({ v: 1, id, rev: 1, weight: 1, endpoints: [], subscriptions: [] });
  await (await kvm.open(buckets.lanes)).put('acme', '');
  await (await kvm.open(buckets.config)).put(configKeys.tenant('acme'), tenant('acme'));
  await Promise.all([lanes.start(), config.start()]);
  assert.deepEqual([...lanes.all()], ['acme']);
  for (const bucket of [buckets.lanes, buckets.config]) {
    await (await kvm.open(bucket)).destroy();
    await kvm.create(bucket, { history: 1 });
  }
  await (await kvm.open(buckets.lanes)).put('globex', '');
  await (await kvm.open(buckets.config)).put(configKeys.tenant('globex'), tenant('globex'));
  const options = { deadlineMs: 30_000, intervalMs: 50 };
  await waitUntil(() => lanes.has('globex') && config.tenant('globex'), options);
  // A lane exists only while the bucket names it; a known configuration stays in force until the
  // next one arrives.
  assert.equal(lanes.has('acme'), false);
  assert.notEqual(config.tenant('acme'), undefined);
});
