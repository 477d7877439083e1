/**
 * Measures what metrics cost: `node bench/metrics.ts`. First the rollup of a minute with 278
 * deliveries a second over 10 tenants: processor time of mongod and of Node for one count of all
 * its cells. Then queries of a tenant with 20 endpoints over stored cells of a month, which do not
 * depend on the number of events. Starts and removes its own mongod.
 */
import { type StoredWidth, widthMs } from '#domain/metrics/granularity.ts';
import { bucketOf } from '#domain/metrics/log-histogram.ts';
import { emptyRow, type MetricRow, totalsOf } from '#domain/metrics/metric-row.ts';
import { createMongoClient, ensureHistoryIndexes, historyOf } from '#infra/mongo/documents.ts';
import {
  cellId,
  ensureMetricIndexes,
  expiryOf,
  type MetricCellDocument,
  metricCellsOf,
  toStoredRow,
} from '#infra/mongo/metrics/metric-cells.ts';
import { systemClock } from '#infra/system-clock.ts';
import { createLog } from '#infra/telemetry/log.ts';
import { FairSearches } from '#src/control/history/fair-searches.ts';
import { CellMarker } from '#src/control/metrics/cell-marker.ts';
import { MetricReads } from '#src/control/metrics/metric-reads.ts';
import { Rollup } from '#src/control/metrics/rollup.ts';
import { Batch } from '#src/control/projector/merge.ts';
import { writeBatch } from '#src/control/projector/write.ts';
import { decodeEventFrame, encodeEventFrame } from '#wire/frames/event-frame.ts';
import { startMongod } from '../test/kit/servers.ts';

const PER_MINUTE = 278 * 60;
const TENANTS = 10;
const ENDPOINTS = 10;
const RUNS = 60;
/** Twice while it is open, of a half and a whole minute, and after it. */
const COUNTED_PER_MINUTE = 2.5;
const RETENTION_SECONDS = 30 * 24 * 3600;

const mongod = await startMongod();
const mongo = createMongoClient(mongod.url, 'bench');
const db = mongo.db('metrics-bench');
const cells = metricCellsOf(db);
const history = historyOf(db);

/** Writes a minute as the projector does. @returns its batches */
async function writeMinute(startMs: number): Promise<Batch[]> {
  const batches: Batch[] = [];
  for (let i = 0; i < PER_MINUTE; i += 1000) {
    const batch = new Batch();
    for (let n = i; n < Math.min(i + 1000, PER_MINUTE); n++) addOne(batch, n, startMs);
    await writeBatch(history, batch);
    batches.push(batch);
  }
  return batches;
}

function addOne(batch: Batch, n: number, startMs: number): void {
  const acceptedMs = startMs + Math.floor((n * 60_000) / PER_MINUTE);
  const [tenant, endpoint, type] = [`t${n % TENANTS}`, `ep_${n % (TENANTS * ENDPOINTS)}`, 'a.b'];
  const [event, id] = [`e${n}`, `dlv_${n}`];
  const head = {
    id: event,
    type,
    source: '/bench',
    time: new Date(acceptedMs).toISOString(),
    kind: 'json' as const,
    acceptedMs,
    correlationId: event,
  };
  const data = JSON.stringify({ text: 'x'.repeat(900) });
  batch.addEvent(tenant, n + 1, decodeEventFrame(encodeEventFrame(head, data)));
  const facts = { tenant, event, type, acceptedMs };
  const deliveries = [{ id, endpoint, status: 'pending' as const }];
  batch.addRecord({ ...facts, k: 'routed', deliveries });
  const attempt = {
    id: `att_${n}`,
    no: 1,
    startedMs: acceptedMs + 20,
    durationMs: 5 + (n % 300),
    status: 200,
    worker: 'w',
  };
  batch.addRecord({ ...facts, k: 'delivery', id, endpoint, hop: 0, status: 'delivered', attempt });
}

async function mongodMs(): Promise<number> {
  const { extra_info: used } = await db.admin().command({ serverStatus: 1 });
  return (used.user_time_us + used.system_time_us) / 1000;
}

async function measureRollup(): Promise<void> {
  const clock = systemClock;
  const marker = new CellMarker({ cells, historyRetentionSeconds: RETENTION_SECONDS, clock });
  const log = createLog('silent');
  const rollup = new Rollup({ mongo, history, cells, marker, clock, log });
  const batches = await writeMinute(clock.wallMs() - 300_000);
  for (const batch of batches) await marker.markMinutes(batch.changedCells.all());
  await cells.updateMany({}, { $set: { due_at: new Date(0) } });
  const before = { mongod: await mongodMs(), node: process.cpuUsage() };
  while ((await rollup.computeDue()) > 0);
  const { user, system } = process.cpuUsage(before.node);
  const used = { mongod: (await mongodMs()) - before.mongod, node: (user + system) / 1000 };
  for (const [name, ms] of Object.entries(used)) {
    const share = (100 * ms * COUNTED_PER_MINUTE) / 60_000;
    console.log(`${name}: ${ms.toFixed(0)} ms a count, ${share.toFixed(2)} % of a processor`);
  }
}

/** Rows of 20 endpoints with two types each. */
function rowsOf(seed: number): MetricRow[] {
  return Array.from({ length: 80 }, (_, i) => {
    const status = i % 2 === 0 ? 'delivered' : 'failed';
    const row = emptyRow([`ep_${i >> 2}`, `type.${(i >> 1) % 2}`, status]);
    row.count = 1 + ((seed * 31 + i) % 40);
    row.attemptCount = row.count;
    if (status === 'delivered') {
      for (let n = 0; n < row.count; n++)
        row.latency.set(bucketOf(10 + ((seed + n * 37) % 900)), 1);
    }
    return row;
  });
}

async function seedCells(nowMs: number): Promise<void> {
  const counts: Record<StoredWidth, number> = { '1m': 2 * 1440, '1h': 720, '1d': 30 };
  for (const [width, count] of Object.entries(counts) as [StoredWidth, number][]) {
    const documents: MetricCellDocument[] = [];
    for (let n = 0; n < count; n++) {
      const step = widthMs(width);
      const start = new Date(Math.floor(nowMs / step) * step - n * step);
      const place = { tenant: 'month', family: 'deliveries', width, start } as const;
      const rows = rowsOf(n);
      const [stored, totals] = [rows, totalsOf(rows, 2)].map((some) => some.map(toStoredRow));
      const id = { _id: cellId(place), expires_at: expiryOf(place) };
      documents.push({ ...id, ...place, rows: stored ?? [], totals: totals ?? [] });
    }
    await cells.insertMany(documents);
  }
}

async function measureQueries(): Promise<void> {
  const nowMs = systemClock.wallMs();
  await seedCells(nowMs);
  const reads = new MetricReads({
    cells,
    lives: { find: async () => 'month' },
    searches: new FairSearches(),
    clock: systemClock,
  });
  const back = (days: number) => new Date(nowMs - days * 86_400_000 + 60_000).toISOString();
  const queries = {
    'a day by minute': { granularity: '1m' },
    'a day by 15 minutes and status': { granularity: '15m', dimensions: 'status' },
    'a day by hour and endpoint': { granularity: '1h', dimensions: 'endpoint_id' },
    'a day by 5 minutes, one endpoint': { granularity: '5m', endpoint_id: ['ep_3'] },
    'a month by hour': { granularity: '1h', start: back(29) },
    'a month by day and endpoint': {
      granularity: '1d',
      start: back(29),
      dimensions: 'endpoint_id',
    },
    'a month in all': { start: back(29) },
  } as const;
  console.log(
    '     p50      p95  mongod     node  (ms; the last two: processor time of each query)',
  );
  for (const [what, query] of Object.entries(queries)) {
    const tookMs: number[] = [];
    const before = { mongod: await mongodMs(), node: process.cpuUsage() };
    for (let n = 0; n < RUNS; n++) {
      const startedMs = performance.now();
      JSON.stringify(await reads.ofTenant('month', 'deliveries', query as never));
      tookMs.push(performance.now() - startedMs);
    }
    const { user, system } = process.cpuUsage(before.node);
    const used = [(await mongodMs()) - before.mongod, (user + system) / 1000];
    const each = used.map((ms) => (ms / RUNS).toFixed(1).padStart(8)).join(' ');
    tookMs.sort((a, b) => a - b);
    const at = (share: number) => (tookMs[Math.floor((RUNS - 1) * share)] ?? 0).toFixed(1);
    console.log(`${at(0.5).padStart(8)} ${at(0.95).padStart(8)} ${each}  ${what}`);
  }
}

try {
  await ensureHistoryIndexes(db, RETENTION_SECONDS);
  await ensureMetricIndexes(db);
  await measureRollup();
  await measureQueries();
} finally {
  await mongo.close();
  await mongod.dispose();
}
