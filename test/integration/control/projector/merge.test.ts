import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import * as fc from 'fast-check';
import { deliveryStatuses } from '#domain/outcome/delivery.ts';
import { type History, createMongoClient, historyOf } from '#infra/mongo/documents.ts';
import { Batch } from '#src/control/projector/merge.ts';
import { writeBatch } from '#src/control/projector/write.ts';
import { type TestMongo, startMongod, testMongo } from '#testkit/servers.ts';
import { decodeEventFrame, encodeEventFrame } from '#wire/frames/event-frame.ts';
import type { DeliveryRecord, HistoryRecord, RoutedRecord } from '#wire/frames/record.ts';

let mongo: TestMongo;
let history: History;
before(async () => {
  mongo = await testMongo();
  history = historyOf(mongo.db);
});
after(() => mongo.dispose());

/** The content of one message: an event, or a record. */
type Report = { event: string } | HistoryRecord;

const ACCEPTED_MS = 1_700_000_000_000;
const events = ['e1', 'e2'];
const deliveriesOf = (event: string) =>
  ['ep_1', 'ep_2'].map((endpoint) => ({ id: `dlv_${event}_${endpoint}`, endpoint }));

/** Whole, or as one of the parts that the record of a large fan-out comes in. */
const routed: fc.Arbitrary<RoutedRecord> = fc
  .record({ event: fc.constantFrom(...events), part: fc.constantFrom(undefined, 0, 1) })
  .map(({ event, part }) => {
    const deliveries = deliveriesOf(event).map(({ id, endpoint }) => ({
      id,
      endpoint,
      // An endpoint that was paused when the event came.
      status: endpoint === 'ep_2' ? ('held' as const) : ('pending' as const),
    }));
    const record = { k: 'routed', tenant: 'acme', event, type: 'a.b' } as const;
    if (part === undefined) return { ...record, acceptedMs: ACCEPTED_MS, deliveries };
    const total = deliveries.length;
    const some = deliveries.slice(part, part + 1);
    return { ...record, acceptedMs: ACCEPTED_MS, total, deliveries: some };
  });

/** A few hops and times only, so that states tie and differ in every one of their fields. */
const delivered: fc.Arbitrary<DeliveryRecord> = fc
  .record({
    event: fc.constantFrom(...events),
    endpoint: fc.constantFrom('ep_1', 'ep_2'),
    hop: fc.nat(2),
    status: fc.constantFrom(...deliveryStatuses),
    reason: fc.constantFrom(undefined, 'exhausted', 'gone'),
    nextAttemptMs: fc.constantFrom(undefined, ACCEPTED_MS + 1000, ACCEPTED_MS + 2000),
    attempt: fc.option(fc.nat(3), { nil: undefined }),
  })
  .map(({ event, endpoint, hop, status, reason, nextAttemptMs, attempt }) => {
    const record: DeliveryRecord = {
      k: 'delivery',
      tenant: 'acme',
      event,
      type: 'a.b',
      acceptedMs: ACCEPTED_MS,
      id: `dlv_${event}_${endpoint}`,
      endpoint,
      hop,
      status,
    };
    if (reason !== undefined) record.reason = reason;
    if (nextAttemptMs !== undefined) record.nextAttemptMs = nextAttemptMs;
    if (attempt !== undefined) {
      // An attempt is recorded as it was, however often its record comes. Some start together.
      const startedMs = ACCEPTED_MS + (attempt >> 1);
      record.attempt = {
        id: `att_${event}_${endpoint}_${attempt}`,
        no: attempt,
        startedMs,
        durationMs: 1.5,
        ...(attempt % 2 === 0 ? { failure: 'http_status', status: 500 } : { status: 200 }),
        worker: 'w',
        responseHeaders: { 'content-type': 'text/plain' },
      };
    }
    return record;
  });

const report: fc.Arbitrary<Report> = fc.oneof(
  fc.constantFrom(...events).map((event) => ({ event })),
  routed,
  { arbitrary: delivered, weight: 3 },
);

function addTo(batch: Batch, item: Report): void {
  if ('k' in item) {
    batch.addRecord(item);
    return;
  }
  const head = {
    id: item.event,
    type: 'a.b',
    source: '/s',
    time: '2026-01-31T12:00:00Z',
    kind: 'json' as const,
    acceptedMs: ACCEPTED_MS,
    correlationId: 'req_1',
    fingerprint: 'f',
    ext: { region: 'eu' },
  };
  batch.addEvent('acme', events.indexOf(item.event) + 1, decodeEventFrame(frameOf(head)));
}

function frameOf(head: Parameters<typeof encodeEventFrame>[0]): Buffer {
  return encodeEventFrame(head, '{"a":1.0}');
}

/** Writes batch after batch to an empty database, and returns the resulting documents. */
async function write(batches: Report[][]): Promise<unknown> {
  await clear();
  for (const items of batches) {
    const batch = new Batch();
    for (const item of items) addTo(batch, item);
    await writeBatch(history, batch);
  }
  return stored();
}

async function clear(): Promise<void> {
  const { events: stories, deliveries, attempts } = history;
  await Promise.all([stories.deleteMany({}), deliveries.deleteMany({}), attempts.deleteMany({})]);
}

async function stored(): Promise<object> {
  return {
    events: await history.events.find().sort({ _id: 1 }).toArray(),
    deliveries: await history.deliveries.find().sort({ _id: 1 }).toArray(),
    attempts: await history.attempts.find().sort({ _id: 1 }).toArray(),
  };
}

/** Some of the items, one by one or together, in any order, some of them again. */
function redelivered(items: Report[]): fc.Arbitrary<Report[][]> {
  return fc
    .tuple(
      fc.shuffledSubarray(items, { minLength: items.length }),
      fc.subarray(items),
      fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1 }),
    )
    .map(([shuffled, again, sizes]) => {
      const all = [...shuffled, ...again];
      const batches: Report[][] = [];
      for (let i = 0, at = 0; at < all.length; i++) {
        const size = sizes[i % sizes.length] as number;
        batches.push(all.slice(at, at + size));
        at += size;
      }
      return batches;
    });
}

test('any order, repetition and split into batches gives the same documents', async () => {
  const story = fc
    .array(report, { minLength: 1, maxLength: 14 })
    .chain((items) => fc.tuple(fc.constant(items), redelivered(items)));
  await fc.assert(
    fc.asyncProperty(story, async ([items, batches]) => {
      assert.deepEqual(await write(batches), await write([items]));
    }),
    { numRuns: 100 },
  );
});

test('repeating a whole batch, as after a crash, changes nothing', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(report, { minLength: 1 }), async (items) => {
      assert.deepEqual(await write([items, items]), await write([items]));
    }),
    { numRuns: 30 },
  );
});

test('two projectors that write the same batches concurrently produce the same documents', async () => {
  const items: Report[] = [
    ...events.map((event) => ({ event })),
    ...fc.sample(routed, { numRuns: 4, seed: 1 }),
    ...fc.sample(delivered, { numRuns: 60, seed: 2 }),
  ];
  const expected = await write([items]);
  await clear();
  const halves = [items, items.toReversed()].map(async (half) => {
    for (let at = 0; at < half.length; at += 7) {
      const batch = new Batch();
      for (const item of half.slice(at, at + 7)) addTo(batch, item);
      await writeBatch(history, batch);
    }
  });
  await Promise.all(halves);
  assert.deepEqual(await stored(), expected);
});

test('the state with the higher hop is kept, then a final one over one in progress', async () => {
  const record = (hop: number, status: DeliveryRecord['status']): DeliveryRecord => ({
    k: 'delivery',
    tenant: 'acme',
    event: 'e1',
    type: 'a.b',
    acceptedMs: ACCEPTED_MS,
    id: 'dlv_1',
    endpoint: 'ep_1',
    hop,
    status,
  });
  const orders: [DeliveryRecord[], number, string][] = [
    [[record(0, 'pending'), record(1, 'delivered')], 1, 'delivered'],
    [[record(1, 'pending'), record(0, 'delivered')], 1, 'pending'],
    [[record(2, 'pending'), record(2, 'failed')], 2, 'failed'],
    [[record(2, 'failed'), record(2, 'delivered')], 2, 'delivered'],
    [[record(10, 'pending'), record(9, 'delivered')], 10, 'pending'],
  ];
  for (const [records, hop, status] of orders) {
    for (const batches of [[records], records.map((one) => [one]), [records.toReversed()]]) {
      const { deliveries } = (await write(batches)) as {
        deliveries: { state: { hop: number; status: string } }[];
      };
      assert.deepEqual(
        deliveries.map(({ state }) => [state.hop, state.status]),
        [[hop, status]],
      );
    }
  }
});

test('an id that ingress claimed becomes the event, and keeps its fingerprint', async () => {
  await write([]);
  const accepted_at = new Date(ACCEPTED_MS);
  await history.events.insertOne({
    _id: 'acme/e1',
    tenant: 'acme',
    id: 'e1',
    fingerprint: 'f',
    accepted_at,
  });
  const batch = new Batch();
  addTo(batch, { event: 'e1' });
  await writeBatch(history, batch);
  assert.deepEqual(await history.events.findOne({ _id: 'acme/e1' }), {
    _id: 'acme/e1',
    tenant: 'acme',
    id: 'e1',
    fingerprint: 'f',
    accepted_at,
    seq: 1,
    type: 'a.b',
    source: '/s',
    time: '2026-01-31T12:00:00Z',
    kind: 'json',
    correlation_id: 'req_1',
    data: '{"a":1.0}',
    ext: { region: 'eu' },
  });
});

test('rejects a batch with any kind of write when MongoDB is unavailable', async (t) => {
  const mongod = await startMongod();
  t.after(() => mongod.dispose());
  const client = createMongoClient(mongod.url, 'test');
  t.after(() => client.close());
  const unavailable = historyOf(client.db('test'));
  const first = new Batch();
  addTo(first, { event: 'e1' });
  await writeBatch(unavailable, first);
  await mongod.kill('SIGKILL');
  const reports: Report[] = [{ event: 'e2' }, ...fc.sample(routed, 1), ...fc.sample(delivered, 1)];
  for (const item of reports) {
    const batch = new Batch();
    addTo(batch, item);
    await assert.rejects(writeBatch(unavailable, batch), JSON.stringify(item));
  }
});

test('the link of a replayed delivery is stored with it', async () => {
  const facts = { tenant: 'acme', event: 'e9', type: 'a.b', acceptedMs: ACCEPTED_MS };
  const link = { replayOf: 'dlv_old', replay: 'rpl_1' };
  const batch = new Batch();
  const delivery = { id: 'dlv_linked', endpoint: 'ep_1', hop: 0, status: 'pending' } as const;
  batch.addRecord({ k: 'delivery', ...facts, ...delivery, ...link });
  await writeBatch(history, batch);
  const stored = await history.deliveries.findOne({ _id: 'dlv_linked' });
  assert.equal(stored?.replay_of, 'dlv_old');
  assert.equal(stored?.replay, 'rpl_1');
});
