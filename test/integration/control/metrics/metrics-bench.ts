/** A projector's writes and the rollup on a database of the test's own, with a clock of its own. */
import type { Collection } from 'mongodb';
import type { Clock } from '#domain/clock.ts';
import { type MetricFamily, type MetricRow, sumRows } from '#domain/metrics/metric-row.ts';
import { type StoredWidth, bucketStartMs } from '#domain/metrics/granularity.ts';
import { ensureHistoryIndexes, historyOf, type History } from '#infra/mongo/documents.ts';
import {
  type MetricCellDocument,
  cellsOfLife,
  ensureMetricIndexes,
  fromStoredRow,
  metricCellsOf,
} from '#infra/mongo/metrics/metric-cells.ts';
import { systemClock } from '#infra/system-clock.ts';
import { createLog } from '#infra/telemetry/log.ts';
import { CellMarker } from '#src/control/metrics/cell-marker.ts';
import { Rollup } from '#src/control/metrics/rollup.ts';
import { Batch } from '#src/control/projector/merge.ts';
import { writeBatch } from '#src/control/projector/write.ts';
import { testMongo } from '#testkit/servers.ts';
import { ManualClock } from '#testkit/test-clock.ts';
import { decodeEventFrame, encodeEventFrame } from '#wire/frames/event-frame.ts';
import type { DeliveryRecord, HistoryRecord } from '#wire/frames/record.ts';

const RETENTION_SECONDS = 30 * 24 * 3600;
export const MINUTE_MS = 60_000;
/** The start of this day: MongoDB deletes expired cells by the clock of the machine. */
export const START_MS = bucketStartMs('1d', systemClock.wallMs());

/** The content of one message of the projector: an event, or a record. */
export type Report = { tenant: string; event: string; type: string; atMs: number } | HistoryRecord;

export interface MetricsBench {
  clock: Clock & Pick<ManualClock, 'advance'>;
  history: History;
  cells: Collection<MetricCellDocument>;
  /** Writes a batch as a projector does. */
  project(reports: readonly Report[], marker?: CellMarker): Promise<void>;
  newMarker(): CellMarker;
  newRollup(): Rollup;
  /** Advances the clock until nothing is due any more. */
  settle(rollup?: Rollup): Promise<void>;
  /** Removes all documents, and sets the clock back to `START_MS`. */
  clear(): Promise<void>;
  /** The rows of all cells of a life, by family, width and start; their keys as text. */
  rowsOf(lifeId: string, family: MetricFamily, width: StoredWidth): Promise<CellRows>;
  dispose(): Promise<void>;
}

export type CellRows = Record<string, Record<string, RowFigures>>;
export type RowFigures = ReturnType<typeof figuresOf>;

export async function openMetricsBench(): Promise<MetricsBench> {
  const opened = await testMongo();
  const { client: mongo, db } = opened;
  await ensureHistoryIndexes(db, 10 * 365 * 24 * 3600);
  await ensureMetricIndexes(db);
  const history = historyOf(db);
  const cells = metricCellsOf(db);
  let current = newClock();
  const clock = {
    wallMs: () => current.wallMs(),
    monotonicMs: () => current.monotonicMs(),
    advance: (ms: number) => current.advance(ms),
  };
  const newMarker = (): CellMarker =>
    new CellMarker({ cells, historyRetentionSeconds: RETENTION_SECONDS, clock });
  const log = createLog('silent');
  const newRollup = (): Rollup =>
    new Rollup({ mongo, history, cells, marker: newMarker(), clock, log });
  let defaultMarker = newMarker();
  return {
    clock,
    history,
    cells,
    newMarker,
    newRollup,
    async project(reports, given) {
      const marker = given ?? defaultMarker;
      const batch = new Batch();
      for (const report of reports) addTo(batch, report);
      await writeBatch(history, batch);
      await marker.markMinutes(batch.changedCells.all());
    },
    async settle(rollup = newRollup()) {
      for (;;) {
        while ((await rollup.computeDue()) > 0);
        const next = await cells.findOne(
          { $or: [{ due_at: { $type: 'date' } }, { claimed_until: { $type: 'date' } }] },
          { sort: { due_at: 1 } },
        );
        if (next === null) return;
        const dueMs = (next.due_at ?? next.claimed_until ?? new Date(0)).getTime();
        clock.advance(Math.max(1, dueMs - clock.wallMs()));
      }
    },
    async clear() {
      const { events, deliveries, attempts } = history;
      for (const each of [events, deliveries, attempts]) await each.deleteMany({});
      await cells.deleteMany({});
      current = newClock();
      defaultMarker = newMarker();
    },
    async rowsOf(lifeId, family, width) {
      const found: CellRows = {};
      for await (const cell of cells.find({ _id: cellsOfLife(lifeId), family, width })) {
        const rows = sumRows((cell.rows ?? []).map(fromStoredRow));
        if (rows.length > 0) found[cell.start.toISOString()] = byKey(rows);
      }
      return found;
    },
    dispose: async () => {
      await opened.dispose();
    },
  };
}

function newClock(): ManualClock {
  return new ManualClock({ wall: START_MS, monotonic: 0 });
}

function addTo(batch: Batch, report: Report): void {
  if ('k' in report) return batch.addRecord(report);
  const { tenant, event, type, atMs } = report;
  const head = {
    id: event,
    type,
    source: '/t',
    time: new Date(atMs).toISOString(),
    kind: 'json' as const,
    acceptedMs: atMs,
    correlationId: event,
  };
  batch.addEvent(tenant, 1, decodeEventFrame(encodeEventFrame(head, '{}')));
}

/** Returns rows by their keys. */
export function byKey(rows: readonly MetricRow[]): Record<string, RowFigures> {
  const sorted = rows.map((row) => [row.key.join(' '), figuresOf(row)] as const);
  return Object.fromEntries(sorted.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function figuresOf({ count, attemptCount, firstCount, latency, oldestMs }: MetricRow) {
  const buckets = [...latency].sort(([a], [b]) => a - b);
  return { count, attemptCount, firstCount, buckets, oldestMs: oldestMs ?? null };
}

export interface Made {
  tenant?: string;
  event?: string;
  endpoint?: string;
  type?: string;
  acceptedMs?: number;
}

/** The record of an attempt, `afterMs` after its event was accepted. */
export function attemptRecord(
  made: Made,
  no: number,
  afterMs: number,
  result: 'ok' | 'retry' | 'dead',
): DeliveryRecord {
  const { tenant = 'acme', event = 'e1', endpoint = 'ep_1', type = 'a.b' } = made;
  const { acceptedMs = START_MS } = made;
  const id = `dlv_${tenant}_${event}_${endpoint}`;
  const isOk = result === 'ok';
  return {
    k: 'delivery',
    tenant,
    event,
    type,
    acceptedMs,
    id,
    endpoint,
    hop: no,
    status: isOk ? 'delivered' : result === 'dead' ? 'failed' : 'pending',
    ...(result === 'dead' && { reason: 'exhausted' }),
    attempt: {
      id: `att_${id}_${no}`,
      no,
      startedMs: acceptedMs + afterMs,
      durationMs: 10 * no,
      status: isOk ? 200 : 503,
      ...(!isOk && { failure: 'http_status' as const }),
      worker: 'w',
    },
  };
}
