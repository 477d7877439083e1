/** Computes the rows of a cell from the history, or from the cells that it is built from. */
import type { ClientSession, Collection } from 'mongodb';
import { limits } from '#domain/limits.ts';
import { narrowerWidth, widthMs } from '#domain/metrics/granularity.ts';
import {
  type MetricRow,
  RowSum,
  boundRows,
  isBounded,
  storedDimensions,
  totalsOf,
} from '#domain/metrics/metric-row.ts';
import type { History } from '#infra/mongo/documents.ts';
import {
  ALL_TENANTS,
  type MetricCellDocument,
  type StoredRow,
  cellRange,
  fromStoredRow,
} from '#infra/mongo/metrics/metric-cells.ts';
import { MINUTES_USED_MS } from './cell-times.ts';
import { countHistory } from './count-history.ts';

export interface ComputeDeps {
  history: History;
  cells: Collection<MetricCellDocument>;
}

export interface ComputedCell {
  rows: MetricRow[];
  totals: MetricRow[];
}

/**
 * @param cell as it was claimed: with its rows, and the endpoints that have newer records
 * @throws MongoError
 */
export async function computeCell(
  deps: ComputeDeps,
  cell: MetricCellDocument,
  nowMs: number,
  session: ClientSession,
): Promise<ComputedCell> {
  const isOfAll = cell.tenant === ALL_TENANTS;
  const { wide } = storedDimensions[cell.family];
  const wideCount = isOfAll ? 1 : wide.length;
  const groupsMax = cell.width === '1m' ? limits.metricGroupsPerMinuteMax : limits.metricGroupsMax;
  const all = isOfAll
    ? await addTenants(deps, cell, groupsMax, session)
    : await computeTenant(deps, cell, nowMs, session);
  // Before the bound: it does not change the totals.
  const totals = totalsOf(all, wideCount);
  return { rows: boundRows(all, wideCount, groupsMax), totals };
}

async function computeTenant(
  deps: ComputeDeps,
  cell: MetricCellDocument,
  nowMs: number,
  session: ClientSession,
): Promise<MetricRow[]> {
  const { tenant, family, width, start } = cell;
  const startMs = start.getTime();
  const endMs = startMs + widthMs(width);
  const narrower = narrowerWidth(width);
  const isFromHistory =
    narrower === undefined || (width === '1h' && nowMs - startMs >= MINUTES_USED_MS);
  if (narrower !== undefined && !isFromHistory) {
    const _id = cellRange({ tenant, family, width: narrower }, startMs, endMs);
    const parts = deps.cells.find({ _id }, { session, projection: { rows: 1 } });
    return addUp(parts, ({ rows = [] }) => rows.map(fromStoredRow));
  }
  const known = cell.rows?.map(fromStoredRow);
  const endpoints = known === undefined || isBounded(known) ? undefined : changedOf(cell);
  const counted = await countHistory(
    deps.history,
    { tenant, family, startMs, endMs, endpoints },
    session,
  );
  if (endpoints === undefined || known === undefined) return counted;
  const changed = new Set<string | null>(endpoints);
  return [...known.filter(({ key }) => !changed.has(key[0] ?? null)), ...counted];
}

/** Returns the endpoints whose rows are enough to compute; undefined: compute all. */
function changedOf(cell: MetricCellDocument): readonly string[] | undefined {
  if (cell.family === 'events' || cell.whole === true) return undefined;
  // A process may have ended while it computed the rows of endpoints that are not marked any more.
  return cell.claim === undefined ? cell.endpoints : undefined;
}

/**
 * Adds up the totals of the tenants in the same time. The tenants with the highest counts are found
 * first, so that the sums of thousands of others are never in memory.
 */
async function addTenants(
  { cells }: ComputeDeps,
  { family, width, start }: MetricCellDocument,
  groupsMax: number,
  session: ClientSession,
): Promise<MetricRow[]> {
  const $match = { family, width, start, tenant: { $ne: ALL_TENANTS } };
  const highest = await cells
    .aggregate<{ tenant: string }>(
      [
        { $match },
        { $project: { tenant: 1, count: { $sum: '$totals.n' } } },
        { $sort: { count: -1, tenant: 1 } },
        { $limit: groupsMax },
      ],
      { session },
    )
    .toArray();
  const kept = new Set(highest.map(({ tenant }) => tenant));
  const parts = cells.find($match, { session, projection: { tenant: 1, totals: 1 } });
  return addUp(parts, ({ tenant, totals = [] }) =>
    totals.map((row) => ofTenant(kept.has(tenant) ? tenant : null, row)),
  );
}

function ofTenant(tenant: string | null, stored: StoredRow): MetricRow {
  const row = fromStoredRow(stored);
  return { ...row, key: [tenant, ...row.key] };
}

async function addUp(
  parts: AsyncIterable<MetricCellDocument>,
  rowsOf: (part: MetricCellDocument) => MetricRow[],
): Promise<MetricRow[]> {
  const sum = new RowSum();
  for await (const part of parts) for (const row of rowsOf(part)) sum.add(row);
  return sum.rows();
}
