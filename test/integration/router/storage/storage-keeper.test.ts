/** Purges of streams under pressure, and what stops them. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Registry } from 'prom-client';
import { storageMarks, streamBounds } from '#domain/storage-shares.ts';
import { StorageKeeper } from '#src/router/storage/storage-keeper.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { type DeliveryHead, encodeDeliveryFrame } from '#wire/frames/delivery-frame.ts';
import { consumers, streams, subjects } from '#wire/subjects.ts';
import { metricValue } from '../../metric-value.ts';
import { type NatsCore, startNatsCore } from '../../nats-core.ts';

const BYTES_MAX = 16 * 1024 * 1024;
const BOUNDS = streamBounds(BYTES_MAX, 1);
const WAIT = { deadlineMs: 30_000, intervalMs: 20 };
const MESSAGE_BYTES = 50_000;
const EVENTS = streams.events(0);

interface Line {
  name: string;
  stream?: string;
  by?: string;
  messages?: number;
  replay_window_seconds?: number;
}

interface Keeping {
  core: NatsCore;
  registry: Registry;
  lines: Line[];
}

/** Full streams of one shard; `start` runs a keeper, two hours later unless named. */
async function setUp(t: TestContext): Promise<Keeping & { start: (laterMs?: number) => void }> {
  const core = await startNatsCore(t, { settings: { streams: { bytesMax: BYTES_MAX } } });
  const registry = new Registry();
  const lines: Line[] = [];
  const log = { warn: (facts: object, name: string) => void lines.push({ ...facts, name }) };
  const start = (laterMs = 2 * 3_600_000): void => {
    const keeper = new StorageKeeper({
      ...core,
      settings: { ...core.settings.streams, shards: 1 },
      owns: () => true,
      brokerNow: () => Date.now() + laterMs,
      registry,
      log: log as never,
      pollEveryMs: 20,
    });
    keeper.start();
    // Before the server goes: hooks run in the order in which they were added.
    t.after(() => keeper.stop());
  };
  return { core, registry, lines, start };
}

/** Stores messages until the stream is over the mark. @returns their number */
async function fill(core: NatsCore, stream: string, subject: string, bound: number) {
  const count = Math.ceil((bound * 0.97) / MESSAGE_BYTES);
  const payload = Buffer.alloc(MESSAGE_BYTES, 'x');
  const stored = Array.from({ length: count }, (_, i) =>
    core.publisher.publishAsync({
      subject,
      payload,
      messageId: `${stream}:${i}`,
      timeoutMs: 20_000,
    }),
  );
  await Promise.all(stored);
  return count;
}

const fillEvents = (core: NatsCore): Promise<number> =>
  fill(core, EVENTS, subjects.event('acme', 'a.b'), BOUNDS.events);

/** Creates a consumer that has acked everything up to a sequence. */
async function ackedUpTo(core: NatsCore, stream: string, consumer: string, seq: number) {
  const reader = await core.js.consumers.get(stream, consumer);
  const { ack_floor: before } = await reader.info();
  for (let acked = before.stream_seq; acked < seq;) {
    const batch = await reader.fetch({ max_messages: Math.min(100, seq - acked), expires: 5000 });
    for await (const message of batch) {
      message.ack();
      acked = message.seq;
    }
  }
  await waitUntil(async () => {
    const { ack_floor } = await core.jsm.consumers.info(stream, consumer);
    return ack_floor.stream_seq >= seq;
  }, WAIT);
}

async function firstSeq(core: NatsCore, stream = EVENTS): Promise<number> {
  return (await core.jsm.streams.info(stream)).state.first_seq;
}

/** Waits until a purge found that something keeps the messages. */
const untilBlocked = (lines: Line[], by: string): Promise<Line> =>
  waitUntil(() => lines.find((line) => line.name === 'storage.purge_blocked' && line.by === by), {
    what: `blocked by ${by}`,
    ...WAIT,
  });

async function untilFill(core: NatsCore, stream: string, below: number): Promise<void> {
  await waitUntil(
    async () => {
      const { state, config } = await core.jsm.streams.info(stream);
      return state.bytes < config.max_bytes * below;
    },
    { what: `${stream} is below ${below}`, ...WAIT },
  );
}

/** Stores a delivery that has only the sequence of its event. */
async function storeReference(
  core: NatsCore,
  subject: string,
  eventSeq: number,
  schedule?: { atMs: number; target: string },
): Promise<number> {
  const byReference = { id: 'evt_1', type: 'a.b', acceptedMs: 1 };
  const head: DeliveryHead = {
    id: `del_${eventSeq}`,
    endpoint: 'ep_1',
    attemptNo: 1,
    hop: 0,
    eventSeq,
    byReference,
  };
  const ack = await core.publisher.publishAsync({
    subject,
    payload: encodeDeliveryFrame(head, new Uint8Array()),
    messageId: `${subject}:${eventSeq}`,
    timeoutMs: 10_000,
    ...(schedule === undefined ? {} : { schedule }),
  });
  return ack.seq;
}

test('a keeper removes the oldest events down to the lower mark when no reader needs them', async (t) => {
  const { core, registry, lines, start } = await setUp(t);
  const count = await fillEvents(core);
  await ackedUpTo(core, EVENTS, consumers.router, count);
  await ackedUpTo(core, EVENTS, consumers.projector, count);
  start();
  await untilFill(core, EVENTS, storageMarks.purgeTo + 0.01);
  const { state, config } = await core.jsm.streams.info(EVENTS);
  // No more than the lower mark asks for.
  assert.ok(state.bytes > config.max_bytes * (storageMarks.purgeTo - 0.01), String(state.bytes));
  assert.equal(state.last_seq, count);
  const purged = await waitUntil(() => lines.find(({ name }) => name === 'storage.purged_early'));
  assert.equal(purged.stream, EVENTS);
  assert.equal(purged.messages, state.first_seq - 1);
  assert.ok((purged.replay_window_seconds ?? 0) >= 7200);
  const metric = 'posthorn_stream_purged_early_messages_total';
  assert.equal(await metricValue(registry, metric, { stream: EVENTS }), purged.messages);
});

for (const [late, other] of [
  [consumers.router, consumers.projector],
  [consumers.projector, consumers.router],
] as const) {
  test(`a keeper keeps every event that the ${late} has not finished when it is stuck`, async (t) => {
    const { core, lines, start } = await setUp(t);
    const count = await fillEvents(core);
    await ackedUpTo(core, EVENTS, other, count);
    await ackedUpTo(core, EVENTS, late, 7);
    start();
    await untilBlocked(lines, late);
    await waitUntil(async () => (await firstSeq(core)) === 8, WAIT);
    await ackedUpTo(core, EVENTS, late, count);
    await untilFill(core, EVENTS, storageMarks.purgeTo + 0.01);
  });
}

test('a keeper keeps an hour of events when the stream is full of newer ones', async (t) => {
  const { core, lines, start } = await setUp(t);
  const count = await fillEvents(core);
  await ackedUpTo(core, EVENTS, consumers.router, count);
  await ackedUpTo(core, EVENTS, consumers.projector, count);
  start(0);
  await untilBlocked(lines, 'window');
  assert.equal(await firstSeq(core), 1);
});

const HELD_BY: Record<string, (core: NatsCore, seq: number) => Promise<number>> = {
  held: (core, seq) => storeReference(core, subjects.held('acme', 'ep_1'), seq),
  ordered: (core, seq) => storeReference(core, subjects.ordered('acme', 'ep_1'), seq),
  runnable: (core, seq) => storeReference(core, subjects.delivery('acme', 'ep_1'), seq),
  'waiting for a retry': (core, seq) =>
    storeReference(core, subjects.waiting('acme', 'ep_1', 'del_1'), seq, {
      atMs: Date.now() + 3_600_000,
      target: subjects.delivery('acme', 'ep_1', 'r'),
    }),
};

for (const [state, storeDelivery] of Object.entries(HELD_BY)) {
  test(`a keeper keeps the event of a delivery by reference when that is ${state}`, async (t) => {
    const { core, lines, start } = await setUp(t);
    const count = await fillEvents(core);
    await ackedUpTo(core, EVENTS, consumers.router, count);
    await ackedUpTo(core, EVENTS, consumers.projector, count);
    // Newer ones before it, and deliveries that carry their events around it.
    await storeReference(core, subjects.held('acme', 'ep_2'), count);
    await storeInline(core, 600);
    const seq = await storeDelivery(core, 5);
    await storeInline(core, 3);
    start();
    await untilBlocked(lines, 'delivery');
    await waitUntil(async () => (await firstSeq(core)) === 5, WAIT);
    await core.jsm.streams.deleteMessage(streams.deliveries(0), seq);
    await untilFill(core, EVENTS, storageMarks.purgeTo + 0.01);
  });
}

/** Stores deliveries with an event of their own that ends with a line feed. */
async function storeInline(core: NatsCore, count: number): Promise<void> {
  const subject = subjects.held('acme', 'ep_3');
  const head = { id: 'del_1', endpoint: 'ep_3', attemptNo: 1, hop: 0, eventSeq: 1 };
  const { state } = await core.jsm.streams.info(streams.deliveries(0));
  const payload = encodeDeliveryFrame(head, Buffer.from('{"id":"evt_2"}\n"text"\n'));
  for (let i = 0; i < count; i++) {
    const messageId = `inline:${state.last_seq}:${i}`;
    await core.publisher.publishAsync({ subject, payload, messageId, timeoutMs: 10_000 });
  }
}

test('a keeper removes records and dead letters that are in the history when they fill up', async (t) => {
  const { core, lines, start } = await setUp(t);
  const full: [stream: string, subject: string, bound: number][] = [
    [streams.records(0), subjects.records(0), BOUNDS.records],
    [streams.deadLetters, subjects.deadLetter('acme', 'ep_1'), BOUNDS.deadLetters],
  ];
  const counts = new Map<string, number>();
  for (const [stream, subject, bound] of full) {
    counts.set(stream, await fill(core, stream, subject, bound));
    await ackedUpTo(core, stream, consumers.projector, 1);
  }
  start();
  for (const [stream] of full) {
    await waitUntil(async () => (await firstSeq(core, stream)) === 2, WAIT);
    await waitUntil(
      () => lines.find((line) => line.by === consumers.projector && line.stream === stream),
      WAIT,
    );
    await ackedUpTo(core, stream, consumers.projector, counts.get(stream) ?? 0);
    await untilFill(core, stream, storageMarks.purgeTo + 0.05);
  }
});

test('a keeper removes events below their bound when deliveries fill the storage', async (t) => {
  const { core, start } = await setUp(t);
  const payload = Buffer.alloc(MESSAGE_BYTES, 'x');
  const events = Math.ceil((BOUNDS.events * 0.5) / MESSAGE_BYTES);
  for (let i = 0; i < events; i++) {
    const subject = subjects.event('acme', 'a.b');
    const messageId = `event:${i}`;
    await core.publisher.publishAsync({ subject, payload, messageId, timeoutMs: 10_000 });
  }
  await ackedUpTo(core, EVENTS, consumers.router, events);
  await ackedUpTo(core, EVENTS, consumers.projector, events);
  const rest = BYTES_MAX * (storageMarks.purgeFrom + 0.01) - events * MESSAGE_BYTES;
  for (let i = 0; i < rest / MESSAGE_BYTES; i++) {
    const subject = subjects.held('acme', 'ep_1');
    const messageId = `held:${i}`;
    await core.publisher.publishAsync({ subject, payload, messageId, timeoutMs: 10_000 });
  }
  const before = (await core.jsm.streams.info(streams.deliveries(0))).state.messages;
  start();
  await waitUntil(async () => {
    const { storage } = await core.jsm.getAccountInfo();
    return storage < BYTES_MAX * (storageMarks.purgeTo + 0.02);
  }, WAIT);
  assert.equal((await core.jsm.streams.info(streams.deliveries(0))).state.messages, before);
});
