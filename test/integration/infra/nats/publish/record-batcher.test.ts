import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '#infra/system-clock.ts';
import { limits } from '#domain/limits.ts';
import { RecordBatcher } from '#infra/nats/publish/record-batcher.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import type { DeliveryRecord } from '#wire/frames/record.ts';
import { streams } from '#wire/subjects.ts';
import { startNatsCore, storedMessages } from '../../../nats-core.ts';

function record(i: number, more: Partial<DeliveryRecord> = {}): DeliveryRecord {
  return {
    k: 'delivery',
    tenant: 'acme',
    event: `e${i}`,
    type: 'a.b',
    acceptedMs: 1,
    id: `dlv_${i}`,
    endpoint: 'ep_1',
    hop: 0,
    status: 'delivered',
    ...more,
  };
}

test('records that are added together are stored as one message, each reported once', async (t) => {
  const { records, jsm, storedRecords } = await startNatsCore(t);
  const stored: number[] = [];
  for (let i = 0; i < 20; i++) records.add(record(i), () => stored.push(i));
  assert.equal(stored.length, 0, 'answered before it was stored');
  await records.drain();
  assert.deepEqual(
    stored,
    Array.from({ length: 20 }, (_, i) => i),
  );
  assert.equal((await storedMessages(jsm, 'ATT-0')).length, 1);
  assert.deepEqual(
    (await storedRecords()).map((one) => (one as DeliveryRecord).id),
    Array.from({ length: 20 }, (_, i) => `dlv_${i}`),
  );
});

test('records are stored after a moment when no caller drains', async (t) => {
  const { records, storedRecords } = await startNatsCore(t);
  let stored = 0;
  records.add(record(1), () => stored++);
  await waitUntil(() => stored === 1);
  assert.equal((await storedRecords()).length, 1);
});

test('records with the largest answers are stored in messages that every server accepts', async (t) => {
  const { records, jsm, storedRecords } = await startNatsCore(t);
  const names = Array.from({ length: limits.responseHeadersKeptMax }, (_, i) => `x-${i}`);
  const attempt = {
    id: 'att_1',
    no: 1,
    startedMs: 1,
    durationMs: 1,
    worker: 'w',
    // Three bytes for each character: the limit must count bytes.
    responseBody: '\u20ac'.repeat(limits.responseBodyKeptBytesMax / 3),
    responseHeaders: Object.fromEntries(
      names.map((name) => [name, '\u20ac'.repeat(limits.responseHeaderValueKeptLengthMax)]),
    ),
  };
  let stored = 0;
  for (let i = 0; i < 400; i++) records.add(record(i, { attempt }), () => stored++);
  await records.drain();
  assert.equal(stored, 400);
  assert.equal((await storedRecords()).length, 400);
  // The default limit of a nats-server is 1 MiB.
  for (const { data } of await storedMessages(jsm, 'ATT-0')) {
    assert.ok(data.length < 1024 * 1024, `${data.length} bytes`);
  }
});

test('refused records are retried until the server accepts them', async (t) => {
  const { records, jsm, storedRecords } = await startNatsCore(t);
  await jsm.streams.update(streams.records(0), { max_msg_size: 10 });
  let stored = 0;
  records.add(record(1), () => stored++);
  const drained = records.drain();
  await waitUntil(
    async () => (await jsm.streams.info(streams.records(0))).config.max_msg_size === 10,
  );
  assert.equal(stored, 0);
  await jsm.streams.update(streams.records(0), { max_msg_size: -1 });
  await drained;
  assert.equal(stored, 1);
  assert.equal((await storedRecords()).length, 1);
});

test('a drain waits for records added before it, not for later ones', async (t) => {
  const { publisher, jsm, settings, log } = await startNatsCore(t, {
    settings: { shards: 2 },
  });
  const records = new RecordBatcher({
    clock: systemClock,
    publisher,
    shards: settings.streams.shards,
    log,
  });
  // The first batch goes to this shard, the second to the other one.
  await jsm.streams.update(streams.records(1), { max_msg_size: 10 });
  const stored: number[] = [];
  records.add(record(1), () => stored.push(1));
  const drained = records.drain();
  records.add(record(2), () => stored.push(2));
  const later = records.drain();
  await drained;
  assert.deepEqual(stored, [1]);
  await jsm.streams.update(streams.records(1), { max_msg_size: -1 });
  await later;
  assert.deepEqual(stored, [1, 2]);
});

test('a closed publisher reports nothing as stored', async (t) => {
  const { records, publisher } = await startNatsCore(t);
  let stored = 0;
  publisher.close();
  records.add(record(1), () => stored++);
  await records.drain();
  assert.equal(stored, 0);
});
