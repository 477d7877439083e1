import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Kvm } from '@nats-io/kv';
import { consume } from '#infra/nats/consume/consume.ts';
import { allStreams, ensureStreams, ensureTopology } from '#infra/nats/streams/streams.ts';
import { TopologyReconciler } from '#infra/nats/streams/topology-reconciler.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { buckets, consumers, streams, subjects } from '#wire/subjects.ts';
import { type NatsCore, log, startNatsCore } from '../../../nats-core.ts';

const KV_BUCKETS = [buckets.config, buckets.leases, buckets.lanes, buckets.ordered];
const OPTIONS = { deadlineMs: 30_000, intervalMs: 20 };

async function keep(t: TestContext, core: NatsCore): Promise<TopologyReconciler> {
  const keeper = new TopologyReconciler({
    ...core,
    settings: core.settings.streams,
    reads: () => true,
    checkEveryMs: 50,
  });
  t.after(() => keeper.stop());
  await keeper.start();
  return keeper;
}

async function publish(core: NatsCore, subject: string, texts: string[]): Promise<void> {
  for (const text of texts) {
    await core.publisher.publishAsync({
      subject,
      payload: Buffer.from(text),
      messageId: text,
      timeoutMs: 10_000,
    });
  }
}

async function isThere(core: NatsCore, stream: string, consumer: string): Promise<boolean> {
  return core.jsm.consumers.info(stream, consumer).then(
    () => true,
    () => false,
  );
}

/** Takes and acks the messages of a consumer, and returns them as text. */
async function take(t: TestContext, core: NatsCore, stream: string, consumer: string) {
  const seen: string[] = [];
  const messages = await consume({
    js: core.js,
    stream,
    consumer,
    ahead: 10,
    onMessage: (message) => {
      seen.push(message.string());
      message.ack();
    },
    onDeleted: () => {},
    onPullLost: () => {},
    log,
  });
  t.after(() => messages.stop());
  return seen;
}

test('a removed consumer of a work queue is recreated, and its pull resumes', async (t) => {
  const core = await startNatsCore(t);
  await keep(t, core);
  const stream = streams.deliveries(0);
  const seen = await take(t, core, stream, consumers.deliverShared);
  await publish(core, subjects.delivery('acme', 'ep_1'), ['one']);
  // Acked, so that it is not owed any more.
  await waitUntil(async () => (await core.jsm.streams.info(stream)).state.messages === 0, OPTIONS);
  await core.jsm.consumers.delete(stream, consumers.deliverShared);
  await publish(core, subjects.delivery('acme', 'ep_1'), ['two']);
  await waitUntil(() => seen.includes('two'), OPTIONS);
  assert.deepEqual(seen, ['one', 'two']);
});

test('a removed consumer of the events resumes at its ack floor, even after a restart', async (t) => {
  const core = await startNatsCore(t);
  const stream = streams.events(0);
  const seen = await take(t, core, stream, consumers.router);
  await publish(core, subjects.event('acme', 'a'), ['one', 'two', 'three']);
  await waitUntil(async () => {
    const { ack_floor } = await core.jsm.consumers.info(stream, consumers.router);
    return ack_floor.stream_seq === 3;
  }, OPTIONS);
  await keep(t, core);
  await core.jsm.consumers.delete(stream, consumers.router);
  await publish(core, subjects.event('acme', 'a'), ['four']);
  await waitUntil(() => seen.includes('four'), OPTIONS);
  assert.deepEqual(seen, ['one', 'two', 'three', 'four']);
  // The start of another process leaves it unchanged.
  await ensureTopology(core.js, core.jsm, core.settings.streams);
  const { config } = await core.jsm.consumers.info(stream, consumers.router);
  assert.equal(config.opt_start_seq, 4);
  assert.equal(config.max_ack_pending, 2048);
});

test('deleted streams and buckets are recreated, with their consumers', async (t) => {
  const core = await startNatsCore(t);
  await publish(core, subjects.event('acme', 'a'), ['one', 'two']);
  await keep(t, core);
  const kvm = new Kvm(core.js);
  for (const bucket of KV_BUCKETS) await (await kvm.open(bucket)).destroy();
  const deleted = [streams.events(0), streams.deliveries(0), streams.records(0)];
  for (const stream of deleted) await core.jsm.streams.delete(stream);
  await waitUntil(() => isThere(core, streams.events(0), consumers.router), OPTIONS);
  await waitUntil(() => isThere(core, streams.deliveries(0), consumers.deliverHigh), OPTIONS);
  for (const bucket of KV_BUCKETS) {
    await waitUntil(
      async () => (await (await kvm.open(bucket)).status()).bucket === bucket,
      OPTIONS,
    );
  }
  // It counts from 1 again: no message of the new stream is skipped.
  await core.jsm.consumers.delete(streams.events(0), consumers.router);
  await publish(core, subjects.event('acme', 'a'), ['three']);
  await waitUntil(() => isThere(core, streams.events(0), consumers.router), OPTIONS);
  const seen = await take(t, core, streams.events(0), consumers.router);
  await waitUntil(() => seen.length === 1, OPTIONS);
  assert.deepEqual(seen, ['three']);
});

test('a consumer of a purged stream resumes with the next message', async (t) => {
  const core = await startNatsCore(t);
  await keep(t, core);
  const stream = streams.deliveries(0);
  await publish(core, subjects.delivery('acme', 'ep_1'), ['one', 'two']);
  await core.jsm.streams.purge(stream);
  const seen = await take(t, core, stream, consumers.deliverShared);
  await publish(core, subjects.delivery('acme', 'ep_1'), ['three']);
  await waitUntil(() => seen.length === 1, OPTIONS);
  assert.deepEqual(seen, ['three']);
});

test('a complete topology is left unchanged', async (t) => {
  const core = await startNatsCore(t);
  const there = new Set<string>();
  for await (const name of core.jsm.streams.names()) there.add(name);
  assert.deepEqual(allStreams(core.settings.streams.shards).toSorted(), [...there].toSorted());
});

test('a stream recreated by another process is read from its beginning, not from the old floor', async (t) => {
  const core = await startNatsCore(t);
  const stream = streams.events(0);
  const acked = await take(t, core, stream, consumers.router);
  await publish(core, subjects.event('acme', 'a'), ['one', 'two', 'three']);
  await waitUntil(async () => {
    const { ack_floor } = await core.jsm.consumers.info(stream, consumers.router);
    return ack_floor.stream_seq === 3;
  }, OPTIONS);
  assert.equal(acked.length, 3);
  const keeper = new TopologyReconciler({
    ...core,
    settings: core.settings.streams,
    reads: () => true,
    checkEveryMs: 3_600_000,
  });
  t.after(() => keeper.stop());
  await keeper.start();
  await core.jsm.streams.delete(stream);
  await ensureStreams(core.js, core.jsm, core.settings.streams);
  // Checks again.
  await keeper.start();
  const seen = await take(t, core, stream, consumers.router);
  await publish(core, subjects.event('acme', 'a'), ['four']);
  await waitUntil(() => seen.length === 1, OPTIONS);
  assert.deepEqual(seen, ['four']);
});
