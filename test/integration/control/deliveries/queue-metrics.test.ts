import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Kvm } from '@nats-io/kv';
import { Registry } from 'prom-client';
import { BehindStore } from '#infra/nats/stores/behind-store.ts';
import { systemClock } from '#infra/system-clock.ts';
import { QueueMetrics } from '#src/control/deliveries/queue-metrics.ts';
import { type DeliveryClass, buckets, leaseKeys, subjects } from '#wire/subjects.ts';
import { log, startNatsCore } from '../../nats-core.ts';

async function setUp(t: TestContext) {
  const core = await startNatsCore(t);
  const registry = new Registry();
  // An hour later, so that ages are visible without waiting.
  const brokerNow = () => Date.now() + 3600_000;
  const metrics = new QueueMetrics({
    clock: systemClock,
    jsm: core.jsm,
    shards: 1,
    registry,
    brokerNow,
    log,
  });
  t.after(() => metrics.stop());
  const storeDelivery = (n: number, lane: DeliveryClass) =>
    core.publisher.publishAsync({
      subject: subjects.delivery('acme', 'ep_1', lane),
      payload: Buffer.from('x'),
      messageId: `${lane}${n}`,
      timeoutMs: 10_000,
    });
  const value = async (name: string, labels: Record<string, string>) => {
    const { values } = (await registry.getSingleMetric(name)?.get()) ?? { values: [] };
    const match = values.find((one) =>
      Object.entries(labels).every(([label, wanted]) => one.labels[label] === wanted),
    );
    return match?.value;
  };
  return { core, metrics, storeDelivery, value };
}

test('the metrics show runnable messages, waiting messages and the age of the oldest', async (t) => {
  const { core, metrics, storeDelivery, value } = await setUp(t);
  for (let n = 0; n < 3; n++) await storeDelivery(n, 's');
  await storeDelivery(0, 'r');
  for (const n of [1, 2]) {
    await core.publisher.publishAsync({
      subject: subjects.held('acme', 'ep_1'),
      payload: Buffer.from('x'),
      messageId: `held${n}`,
      timeoutMs: 10_000,
    });
  }
  await metrics.start();
  const stream = 'DLV-0';
  assert.equal(await value('posthorn_stream_messages', { stream }), 6);
  assert.ok(((await value('posthorn_stream_bytes', { stream })) ?? 0) > 6);
  const shared = { stream, consumer: 'deliver-shared' };
  assert.equal(await value('posthorn_consumer_pending_messages', shared), 3);
  assert.equal(await value('posthorn_consumer_unacked_messages', shared), 0);
  const age = (await value('posthorn_consumer_oldest_seconds', shared)) ?? 0;
  assert.ok(age >= 3590 && age < 4200, `${age} s`);
  const high = { stream, consumer: 'deliver-high' };
  assert.equal(await value('posthorn_consumer_oldest_seconds', high), 0);
  assert.equal(await value('posthorn_deliveries_waiting', { stream }), 2);
});

test('a delivered message without an ack counts as unacked and keeps its age', async (t) => {
  const { core, metrics, storeDelivery, value } = await setUp(t);
  await storeDelivery(0, 's');
  const consumer = await core.js.consumers.get('DLV-0', 'deliver-shared');
  assert.ok(await consumer.next({ expires: 5000 }));
  await metrics.start();
  const labels = { stream: 'DLV-0', consumer: 'deliver-shared' };
  assert.equal(await value('posthorn_consumer_pending_messages', labels), 0);
  assert.equal(await value('posthorn_consumer_unacked_messages', labels), 1);
  assert.ok(((await value('posthorn_consumer_oldest_seconds', labels)) ?? 0) >= 3590);
  assert.equal(await value('posthorn_deliveries_waiting', { stream: 'DLV-0' }), 0);
});

test('the metrics show tenants that are behind, their waiting events and the age of the oldest', async (t) => {
  const { core, metrics, value } = await setUp(t);
  for (const id of ['e1', 'e2']) {
    await core.publisher.publishAsync({
      subject: subjects.event('acme', 'order.created'),
      payload: Buffer.from('x'),
      messageId: id,
      timeoutMs: 10_000,
    });
  }
  const consumer = await core.js.consumers.get('EV-0', 'router');
  for (let n = 0; n < 2; n++) (await consumer.next({ expires: 5000 }))?.ack();
  const tenants = {
    acme: { since: 1, from: 2, waiting: 1 },
    // Caught up at this moment.
    beta: { since: 1, from: 3, waiting: 0 },
  };
  await new BehindStore(core).write(0, { owner: 'o', tenants }, 0);
  await metrics.start();
  const stream = 'EV-0';
  assert.equal(await value('posthorn_router_behind_tenants', { stream }), 2);
  assert.equal(await value('posthorn_router_behind_events', { stream }), 1);
  const router = { stream, consumer: 'router' };
  assert.equal(await value('posthorn_consumer_pending_messages', router), 0);
  // Their backlog is their own: it is not that of the consumer that all tenants share.
  assert.equal(await value('posthorn_consumer_oldest_seconds', router), 0);
  const age = (await value('posthorn_router_behind_oldest_seconds', { stream })) ?? 0;
  assert.ok(age >= 3590 && age < 4200, `${age} s`);
});

test('no stale figures are reported when the brokers are unavailable', async (t) => {
  const { core, metrics, storeDelivery, value } = await setUp(t);
  await storeDelivery(0, 's');
  await core.jsm.streams.delete('DLV-0');
  await metrics.start();
  assert.equal(await value('posthorn_stream_messages', { stream: 'EV-0' }), undefined);
});

test('the metrics show shards without an owner and live workers', async (t) => {
  const { core, metrics, value } = await setUp(t);
  const leases = await new Kvm(core.js).open(buckets.leases);
  await leases.put(leaseKeys('router').worker('a'), 'a');
  await leases.put(leaseKeys('router').shard(0), 'a');
  await metrics.start();
  assert.equal(await value('posthorn_shards_unowned', { role: 'router' }), 0);
  assert.equal(await value('posthorn_workers', { role: 'router' }), 1);
  assert.equal(await value('posthorn_shards_unowned', { role: 'delivery' }), 1);
  assert.equal(await value('posthorn_workers', { role: 'delivery' }), 0);
});
