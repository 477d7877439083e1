/**
 * Measures what the projector's writes cost: `node bench/history-writes.ts [deliveries]`. Writes
 * events with one delivery each, a tenth of which need a second attempt later, in batches as the
 * projector does. Prints documents per second, and processor time of this process and of mongod for
 * each delivery.
 */
import { readFileSync } from 'node:fs';
import { ensureHistoryIndexes, historyOf, createMongoClient } from '#infra/mongo/documents.ts';
import { Batch } from '#src/control/projector/merge.ts';
import { writeBatch } from '#src/control/projector/write.ts';
import { decodeEventFrame, encodeEventFrame } from '#wire/frames/event-frame.ts';
import type { DeliveryRecord } from '#wire/frames/record.ts';
import { startMongod } from '../test/kit/servers.ts';

const deliveries = Number(process.argv[2] ?? 20_000);
const BATCH = 250;
const RETRIED_OF_TEN = 1;
const TICKS_PER_SECOND = 100;
const TENANTS = 20;
const body = 'x'.repeat(300);
const data = JSON.stringify({ order: { id: 'o', total: 12.5, note: 'x'.repeat(400) } });

function attemptOf(i: number, no: number, nowMs: number): DeliveryRecord {
  const failed = no === 1 && i % 10 < RETRIED_OF_TEN;
  const tenant = `tenant-${i % TENANTS}`;
  return {
    k: 'delivery',
    tenant,
    event: `evt_${i}`,
    type: `order.type${i % 7}`,
    acceptedMs: nowMs,
    id: `dlv_${i}_${'0'.repeat(16)}`,
    endpoint: `ep_${tenant}_${i % 3}`,
    hop: no,
    status: failed ? 'pending' : 'delivered',
    ...(failed ? { nextAttemptMs: nowMs + 1000 } : {}),
    attempt: {
      id: `att_${nowMs}${i}_${no}`,
      no,
      startedMs: nowMs + no,
      durationMs: 12.5,
      status: failed ? 503 : 200,
      ...(failed ? { failure: 'http_status' as const, detail: 'the receiver answered 503' } : {}),
      responseHeaders: { 'content-type': 'application/json', date: 'now', server: 'x' },
      responseBody: body,
      worker: 'worker-0',
    },
  };
}

function addDelivery(batch: Batch, i: number, nowMs: number): void {
  const first = attemptOf(i, 1, nowMs);
  const head = {
    id: first.event,
    type: first.type,
    source: '/shop',
    time: new Date(nowMs).toISOString(),
    kind: 'json' as const,
    acceptedMs: nowMs,
    correlationId: `req_${i}`,
    subject: `order/${i}`,
  };
  batch.addEvent(first.tenant, i + 1, decodeEventFrame(encodeEventFrame(head, data)));
  batch.addRecord({
    k: 'routed',
    tenant: first.tenant,
    event: first.event,
    type: first.type,
    acceptedMs: nowMs,
    deliveries: [{ id: first.id, endpoint: first.endpoint, status: 'pending' }],
  });
  batch.addRecord(first);
}

/** Processor time of another process, in milliseconds. */
function cpuMsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return ((Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND) * 1000;
}

const mongod = await startMongod();
const client = createMongoClient(mongod.url, 'bench');
try {
  const db = client.db('bench');
  await ensureHistoryIndexes(db, 30 * 24 * 3600);
  const history = historyOf(db);
  const before = { own: process.cpuUsage(), mongod: cpuMsOf(mongod.pid) };
  const startedMs = performance.now();
  let retried: number[] = [];
  for (let i = 0; i < deliveries; i += BATCH) {
    const nowMs = Date.now();
    const batch = new Batch();
    for (const at of retried) batch.addRecord(attemptOf(at, 2, nowMs));
    retried = [];
    for (let at = i; at < Math.min(deliveries, i + BATCH); at++) {
      addDelivery(batch, at, nowMs);
      if (at % 10 < RETRIED_OF_TEN) retried.push(at);
    }
    await writeBatch(history, batch);
  }
  const ms = performance.now() - startedMs;
  const own = process.cpuUsage(before.own);
  const each = (totalMs: number) => `${((totalMs * 1000) / deliveries).toFixed(0)} us`;
  console.log(`${deliveries} deliveries: ${((deliveries * 1000) / ms).toFixed(0)}/s`);
  console.log(`processor time of each: ${each((own.user + own.system) / 1000)} here,`);
  console.log(`  ${each(cpuMsOf(mongod.pid) - before.mongod)} in mongod`);
  const stats = await db.stats();
  console.log(`bytes of each: ${((stats['dataSize'] as number) / deliveries).toFixed(0)} of data,`);
  console.log(`  ${((stats['indexSize'] as number) / deliveries).toFixed(0)} of indexes`);
} finally {
  await client.close();
  await mongod.dispose();
}
