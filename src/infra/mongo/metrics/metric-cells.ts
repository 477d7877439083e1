/** The cells of metrics (ADR 0038): the figures of a minute, an hour or a day. */
import { Binary, type Collection, type Db } from 'mongodb';
import { type StoredWidth, keptMs } from '#domain/metrics/granularity.ts';
import { decodeHistogram, encodeHistogram } from '#domain/metrics/log-histogram.ts';
import type { MetricFamily, MetricRow } from '#domain/metrics/metric-row.ts';

/** In place of a life id: all tenants together. */
export const ALL_TENANTS = '';

/** A row with short names, because each cell repeats them hundreds of times; zeros are left out. */
export interface StoredRow {
  k: (string | null)[];
  n: number;
  a?: number;
  f?: number;
  h?: Binary;
  o?: Date;
}

export interface CellPlace {
  /** Life id, or `ALL_TENANTS`. */
  tenant: string;
  family: MetricFamily;
  width: StoredWidth;
  start: Date;
}

export interface MetricCellDocument extends CellPlace {
  /** `cellId` */
  _id: string;
  /** By all stored dimensions; of a cell of all tenants, by tenant and the narrow dimensions. */
  rows?: StoredRow[];
  /** By the narrow dimensions alone. */
  totals?: StoredRow[];
  computed_at?: Date;
  /** When to compute it again; absent: no newer records are known. */
  due_at?: Date;
  /** Endpoints with newer records. */
  endpoints?: string[];
  /** Records of other endpoints are newer, too. */
  whole?: true;
  /** Token of the process that computes it. */
  claim?: string;
  /** Another process may take the claim over from then on. */
  claimed_until?: Date;
  expires_at: Date;
}

const TIME_DIGITS = 13;

/** Returns the id of a cell. Ids of one tenant, family and width are in the order of time. */
export function cellId({ tenant, family, width, start }: CellPlace): string {
  return `${tenant}/${family}/${width}/${String(start.getTime()).padStart(TIME_DIGITS, '0')}`;
}

/** Returns the condition for the ids of the cells of a time range, end exclusive. */
export function cellRange(
  place: Omit<CellPlace, 'start'>,
  startMs: number,
  endMs: number,
): { $gte: string; $lt: string } {
  return {
    $gte: cellId({ ...place, start: new Date(startMs) }),
    $lt: cellId({ ...place, start: new Date(endMs) }),
  };
}

/** Returns the condition for the ids of all cells of a life: `0` follows `/`. */
export function cellsOfLife(lifeId: string): { $gte: string; $lt: string } {
  return { $gte: `${lifeId}/`, $lt: `${lifeId}0` };
}

/** Returns when a cell expires: later than it can be asked for. */
export function expiryOf({ width, start }: Pick<CellPlace, 'width' | 'start'>): Date {
  return new Date(start.getTime() + keptMs[width] + 2 * 3600 * 1000);
}

/** Majority concerns: a computation reads all records that were written before the mark. */
export function metricCellsOf(db: Db): Collection<MetricCellDocument> {
  return db.collection('metric_cells', {
    writeConcern: { w: 'majority' },
    readConcern: { level: 'majority' },
  });
}

/** Creates the indexes; idempotent. */
export async function ensureMetricIndexes(db: Db): Promise<void> {
  const cells = metricCellsOf(db);
  await cells.createIndex({ expires_at: 1 }, { expireAfterSeconds: 0 });
  // Contain only cells that are to be computed.
  for (const field of ['due_at', 'claimed_until']) {
    await cells.createIndex(
      { [field]: 1 },
      { partialFilterExpression: { [field]: { $type: 'date' } } },
    );
  }
  // The cells of all tenants are built from those of each.
  await cells.createIndex({ family: 1, width: 1, start: 1 });
}

/** Returns the stored form of a row. */
export function toStoredRow(row: MetricRow): StoredRow {
  const stored: StoredRow = { k: [...row.key], n: row.count };
  if (row.attemptCount > 0) stored.a = row.attemptCount;
  if (row.firstCount > 0) stored.f = row.firstCount;
  if (row.latency.size > 0) stored.h = new Binary(encodeHistogram(row.latency));
  if (row.oldestMs !== undefined) stored.o = new Date(row.oldestMs);
  return stored;
}

/** Returns the row of a stored form. */
export function fromStoredRow({ k, n, a = 0, f = 0, h, o }: StoredRow): MetricRow {
  return {
    key: k,
    count: n,
    attemptCount: a,
    firstCount: f,
    latency: h === undefined ? new Map() : decodeHistogram(h.value()),
    oldestMs: o?.getTime(),
  };
}
