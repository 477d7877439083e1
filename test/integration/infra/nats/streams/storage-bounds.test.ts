import assert from 'node:assert/strict';
import { test } from 'node:test';
import { storageShares, streamBounds } from '#domain/storage-shares.ts';
import { allStreams, ensureStreams } from '#infra/nats/streams/streams.ts';
import { buckets, streams, subjects } from '#wire/subjects.ts';
import { type NatsCore, startNatsCore } from '../../../nats-core.ts';

const MIB = 1024 * 1024;
const SHARDS = 2;

async function store(core: NatsCore, count: number, bytes: number): Promise<void> {
  const payload = Buffer.alloc(bytes, 'x');
  for (let i = 0; i < count; i++) {
    const subject = subjects.event('acme', 'a.b');
    await core.publisher.publishAsync({
      subject,
      payload,
      messageId: `m${i}`,
      timeoutMs: 10_000,
      failsWhenFull: true,
    });
  }
}

test('every stream but those of deliveries and keys has its share as bound', async (t) => {
  const settings = { shards: SHARDS, streams: { bytesMax: 100 * MIB } };
  const { jsm } = await startNatsCore(t, { settings });
  const bounds = streamBounds(100 * MIB, SHARDS);
  const wanted: Record<string, number> = {
    [streams.deadLetters]: bounds.deadLetters,
    [streams.rejected]: bounds.rejected,
    [streams.broadcasts]: bounds.broadcasts,
    [`OBJ_${buckets.payloads}`]: bounds.payloads,
  };
  for (let shard = 0; shard < SHARDS; shard++) {
    wanted[streams.events(shard)] = bounds.events;
    wanted[streams.records(shard)] = bounds.records;
  }
  for (const name of allStreams(SHARDS)) {
    const { config } = await jsm.streams.info(name);
    assert.equal(config.max_bytes, wanted[name] ?? -1, name);
    // A stream with schedules can only have the other policy: it must have no bound to apply it at.
    const hasSchedules = config.allow_msg_schedules === true;
    assert.equal(config.discard, hasSchedules ? 'old' : 'new', name);
    assert.ok(!hasSchedules || config.max_bytes === -1, name);
  }
  assert.equal(bounds.events, Math.floor((100 * MIB * storageShares.events) / SHARDS));
});

test('a stream keeps every message when its bound becomes smaller than its content', async (t) => {
  const core = await startNatsCore(t);
  await store(core, 20, 100_000);
  const small = { ...core.settings.streams, bytesMax: MIB };
  await ensureStreams(core.js, core.jsm, small);
  const { state, config } = await core.jsm.streams.info(streams.events(0));
  assert.equal(state.messages, 20);
  assert.ok(state.bytes > config.max_bytes);
  await assert.rejects(store(core, 21, 100_000), /maximum bytes exceeded/);
  assert.equal((await core.jsm.streams.info(streams.events(0))).state.messages, 20);
  // Without the setting there is no bound again.
  await ensureStreams(core.js, core.jsm, core.settings.streams);
  await store(core, 21, 100_000);
});
