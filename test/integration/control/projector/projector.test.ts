import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Registry } from 'prom-client';
import type { History } from '#infra/mongo/documents.ts';
import type { Service } from '#infra/service.ts';
import { createProjector } from '#src/control/projector/mod.ts';
import { startMongod } from '#testkit/servers.ts';
import { waitUntil } from '#testkit/wait-until.ts';
import { encodeEventFrame } from '#wire/frames/event-frame.ts';
import type { EndpointGoneRecord, HistoryRecord } from '#wire/frames/record.ts';
import { consumers, streams, subjects } from '#wire/subjects.ts';
import { metricValue } from '../../metric-value.ts';
import { openHistory } from '../../open-history.ts';
import { type NatsCore, startNatsCore } from '../../nats-core.ts';

interface Bench {
  core: NatsCore;
  history: History;
  registry: Registry;
  types: Set<string>;
  gone: EndpointGoneRecord[];
  /** A projector that is stopped with the test. */
  project: () => Promise<Service>;
  publishEvent: (id: string, changes?: { type?: string; frameBytes?: number }) => Promise<number>;
  addRecords: (...records: HistoryRecord[]) => Promise<void>;
  /** Waits until every message is acked or terminated. */
  settled: () => Promise<void>;
}

async function startBench(t: TestContext, mongoUrl?: string): Promise<Bench> {
  const stops: (() => Promise<unknown>)[] = [];
  t.after(async () => {
    for (const stop of stops.toReversed()) await stop();
  });
  const core = await startNatsCore(t);
  const history = await openHistory(mongoUrl, stops);
  const types = new Set<string>();
  const gone: EndpointGoneRecord[] = [];
  const registry = new Registry();
  return {
    core,
    history,
    registry,
    types,
    gone,
    project: async () => {
      const projector = createProjector({
        lives: { drops: () => false },
        ...core,
        shards: 1,
        history,
        registry,
        registerEventTypes: async (seen) => {
          for (const { tenant, name } of seen) types.add(`${tenant}/${name}`);
        },
        disableGoneEndpoint: async (record) => {
          gone.push(record);
        },
        trackHealth: async () => undefined,
        markMetrics: async () => undefined,
      });
      stops.push(() => projector.stop(5000));
      await projector.start();
      return projector;
    },
    publishEvent: async (id, changes = {}) => {
      const head = {
        id,
        type: changes.type ?? 'order.created',
        source: '/s',
        time: '2026-01-31T12:00:00Z',
        kind: 'json' as const,
        acceptedMs: 1_700_000_000_000,
        correlationId: 'req_1',
      };
      const around = encodeEventFrame(head, '""').length;
      const { frameBytes } = changes;
      const data = frameBytes === undefined ? '{"a":1.0}' : `"${'x'.repeat(frameBytes - around)}"`;
      const ack = await core.publisher.publishAsync({
        subject: subjects.event('acme', head.type),
        payload: encodeEventFrame(head, data),
        messageId: `acme:${id}`,
        timeoutMs: 30_000,
      });
      return ack.seq;
    },
    addRecords: async (...records) => {
      for (const record of records) core.records.add(record, () => undefined);
      await core.records.drain();
    },
    settled: async () => {
      for (const stream of [streams.events(0), streams.records(0)]) {
        await waitUntil(
          async () => {
            const info = await core.jsm.consumers.info(stream, consumers.projector);
            return info.num_pending === 0 && info.num_ack_pending === 0;
          },
          { what: `all of ${stream} is acked`, deadlineMs: 30_000 },
        );
      }
    },
  };
}

const delivered = (event: string): HistoryRecord => ({
  k: 'delivery',
  tenant: 'acme',
  event,
  type: 'order.created',
  acceptedMs: 1_700_000_000_000,
  id: `dlv_${event}`,
  endpoint: 'ep_1',
  hop: 0,
  status: 'delivered',
  attempt: { id: 'att_1', no: 1, startedMs: 1, durationMs: 1, status: 200, worker: 'w' },
});

test('events and deliveries are written, then acked; types and gone endpoints are reported', async (t) => {
  const bench = await startBench(t);
  const seq = await bench.publishEvent('e1');
  await bench.publishEvent('e2', { type: 'order.paid' });
  const gone: EndpointGoneRecord = {
    k: 'endpoint-gone',
    tenant: 'acme',
    endpoint: 'ep_1',
    url: 'u',
  };
  await bench.addRecords(
    {
      k: 'routed',
      tenant: 'acme',
      event: 'e1',
      type: 'order.created',
      acceptedMs: 1_700_000_000_000,
      deliveries: [{ id: 'dlv_e1', endpoint: 'ep_1', status: 'pending' }],
    },
    delivered('e1'),
    gone,
  );
  await bench.project();
  await bench.settled();
  const event = await bench.history.events.findOne({ _id: 'acme/e1' });
  assert.equal(event?.seq, seq);
  assert.equal(event?.data, '{"a":1.0}');
  assert.equal(event?.routed, 1);
  assert.equal(await bench.history.events.countDocuments(), 2);
  const delivery = await bench.history.deliveries.findOne({ _id: 'dlv_e1' });
  assert.equal(delivery?.state.status, 'delivered');
  assert.deepEqual(delivery?.attempts, { att_1: 1 });
  assert.equal(delivery?.last_attempt?.status, 200);
  const attempt = await bench.history.attempts.findOne({ _id: 'att_1' });
  assert.equal(attempt?.delivery, 'dlv_e1');
  assert.equal(attempt?.response_status, 200);
  assert.deepEqual(bench.types, new Set(['acme/order.created', 'acme/order.paid']));
  assert.deepEqual(bench.gone, [gone]);
});

test('messages are written soon after they arrive at a running projector', async (t) => {
  const bench = await startBench(t);
  await bench.project();
  for (let i = 0; i < 5; i++) {
    await bench.publishEvent(`e${i}`);
    await waitUntil(() => bench.history.events.findOne({ _id: `acme/e${i}`, seq: i + 1 }));
  }
  await bench.settled();
});

test('all messages are written when they exceed one batch and include events of the largest size', async (t) => {
  const bench = await startBench(t);
  const ids = Array.from({ length: 2500 }, (_, i) => `e${i}`);
  await Promise.all(ids.map((id) => bench.publishEvent(id)));
  // Two frames of the highest POSTHORN_EVENT_BYTES_MAX, attributes included.
  const frameBytes = 4 * 1024 * 1024;
  await bench.publishEvent('large1', { frameBytes });
  await bench.publishEvent('large2', { frameBytes });
  await bench.project();
  await bench.settled();
  assert.equal(await bench.history.events.countDocuments(), 2502);
  const found = await bench.history.events.findOne({ _id: 'acme/large2' });
  assert.ok((found?.data?.length ?? 0) > frameBytes - 1000);
});

test('no message is acked before it is written, and all are written, when MongoDB is killed', async (t) => {
  let mongod = await startMongod();
  t.after(() => mongod.dispose());
  const bench = await startBench(t, mongod.url);
  const projector = await bench.project();
  await bench.publishEvent('before');
  await waitUntil(() => bench.history.events.findOne({ _id: 'acme/before' }));
  await mongod.kill('SIGKILL');
  await Promise.all(Array.from({ length: 50 }, (_, i) => bench.publishEvent(`e${i}`)));
  await bench.addRecords(delivered('e1'));
  const blocked = () => metricValue(bench.registry, 'posthorn_projector_blocked_seconds');
  await waitUntil(async () => (await blocked()) > 0, { deadlineMs: 30_000 });
  const info = await bench.core.jsm.consumers.info(streams.events(0), consumers.projector);
  assert.ok(info.num_ack_pending + info.num_pending >= 50, 'acked before it was written');
  mongod = await mongod.restart();
  await waitUntil(async () => (await bench.history.events.countDocuments()) === 51, {
    deadlineMs: 60_000,
  });
  await bench.settled();
  assert.equal(await bench.history.deliveries.countDocuments({ _id: 'dlv_e1' }), 1);
  assert.equal(await blocked(), 0);
  await projector.stop(5000);
});

test('a projector that is stopped while MongoDB is unavailable leaves its messages to the next one', async (t) => {
  let mongod = await startMongod();
  t.after(() => mongod.dispose());
  const bench = await startBench(t, mongod.url);
  await mongod.kill('SIGKILL');
  await bench.publishEvent('e1');
  const first = await bench.project();
  await waitUntil(async () => {
    const info = await bench.core.jsm.consumers.info(streams.events(0), consumers.projector);
    return info.num_ack_pending === 1;
  });
  await first.stop(500);
  mongod = await mongod.restart();
  // Redelivers now, instead of after the ack_wait of one minute.
  await bench.core.jsm.consumers.reset(streams.events(0), consumers.projector);
  bench.registry.clear();
  await bench.project();
  await bench.settled();
  assert.equal(await bench.history.events.countDocuments(), 1);
});

test('an undecodable message is terminated, and the rest is written', async (t) => {
  const bench = await startBench(t);
  const damaged: [string, string][] = [
    [subjects.event('acme', 'a.b'), 'rubbish'],
    [subjects.event('acme', 'a.b'), '{}\n{}'],
    [subjects.records(0), '{'],
    [subjects.records(0), '{}'],
  ];
  for (const [i, [subject, payload]] of damaged.entries()) {
    await bench.core.publisher.publishAsync({
      subject,
      payload: Buffer.from(payload),
      messageId: `damaged-${i}`,
      timeoutMs: 5000,
    });
  }
  await bench.publishEvent('e1');
  await bench.addRecords(delivered('e1'));
  await bench.project();
  await bench.settled();
  assert.equal(await bench.history.events.countDocuments(), 1);
  assert.equal(await bench.history.deliveries.countDocuments(), 1);
});
