/**
 * Reads the rows of a time range. Where a wide cell is to be computed again, or is still open, the
 * narrower cells that it is built from are read in its place.
 */
import type { Collection, Document } from 'mongodb';
import { PosthornError } from '#domain/errors.ts';
import { limits } from '#domain/limits.ts';
import { type StoredWidth, narrowerWidth, widthMs } from '#domain/metrics/granularity.ts';
import type { MetricFamily } from '#domain/metrics/metric-row.ts';
import {
  type MetricCellDocument,
  type StoredRow,
  cellRange,
} from '#infra/mongo/metrics/metric-cells.ts';
import { MINUTES_USED_MS } from './cell-times.ts';

const READ_MS_MAX = 5000;

export interface CellQuery {
  /** Life ids, or `ALL_TENANTS` alone. */
  tenants: readonly string[];
  family: MetricFamily;
  /** False: only the narrow dimensions are needed. */
  withRows: boolean;
  /** Values by the place of their dimension in the key. */
  filters: readonly { at: number; values: readonly string[] }[];
  nowMs: number;
}

export interface TimeRange {
  startMs: number;
  endMs: number;
}

export interface ReadRow {
  tenant: string;
  startMs: number;
  row: StoredRow;
}

export class CellReads {
  private readonly cells: Collection<MetricCellDocument>;
  private readonly query: CellQuery;
  private rowCount = 0;
  /** Cells that are to be computed again, and have no narrower ones. */
  pendingCount = 0;

  constructor(cells: Collection<MetricCellDocument>, query: CellQuery) {
    this.cells = cells;
    this.query = query;
  }

  /** @throws PosthornError POSTHORN_REQUEST_INVALID if the range has too many rows */
  async *read(width: StoredWidth, ranges: readonly TimeRange[]): AsyncGenerator<ReadRow> {
    const { tenants, family, withRows } = this.query;
    const outdated = new Map<string, TimeRange[]>();
    const $or = tenants.flatMap((tenant) =>
      ranges.map(({ startMs, endMs }) => ({
        _id: cellRange({ tenant, family, width }, startMs, endMs),
      })),
    );
    if ($or.length === 0) return;
    const found = this.cells.aggregate<MetricCellDocument>(
      [{ $match: { $or } }, { $project: this.projection() }],
      { maxTimeMS: READ_MS_MAX },
    );
    for await (const cell of found) {
      const startMs = cell.start.getTime();
      if (this.hasNarrower(width, startMs) && isOutdated(cell)) {
        const of = outdated.get(cell.tenant) ?? [];
        of.push({ startMs, endMs: startMs + widthMs(width) });
        outdated.set(cell.tenant, of);
        continue;
      }
      if (isOutdated(cell)) this.pendingCount++;
      for (const row of (withRows ? cell.rows : cell.totals) ?? []) {
        this.countRow();
        yield { tenant: cell.tenant, startMs, row };
      }
    }
    const narrower = narrowerWidth(width);
    if (narrower === undefined) return;
    for (const [tenant, of] of outdated) yield* this.readOf(tenant, narrower, of);
  }

  private async *readOf(
    tenant: string,
    width: StoredWidth,
    ranges: readonly TimeRange[],
  ): AsyncGenerator<ReadRow> {
    const reads = new CellReads(this.cells, { ...this.query, tenants: [tenant] });
    reads.rowCount = this.rowCount;
    yield* reads.read(width, joinRanges(ranges));
    this.rowCount = reads.rowCount;
    this.pendingCount += reads.pendingCount;
  }

  private hasNarrower(width: StoredWidth, startMs: number): boolean {
    if (width === '1m') return false;
    return width === '1d' || this.query.nowMs - startMs < MINUTES_USED_MS;
  }

  /** Rows that no filter selects stay in the database. */
  private projection(): Document {
    const { withRows, filters } = this.query;
    const name = withRows ? 'rows' : 'totals';
    const conditions = filters.map(({ at, values }) => {
      const value = { $arrayElemAt: ['$$row.k', at] };
      return values.length === 1 ? { $eq: [value, values[0]] } : { $in: [value, [...values]] };
    });
    const cond = conditions.length === 1 ? conditions[0] : { $and: conditions };
    const rows = conditions.length === 0 ? 1 : { $filter: { input: `$${name}`, as: 'row', cond } };
    return { tenant: 1, start: 1, due_at: 1, claimed_until: 1, [name]: rows };
  }

  private countRow(): void {
    if (++this.rowCount <= limits.metricRowsMax) return;
    const detail = `must cover at most ${limits.metricRowsMax} stored figures: shorten the range, or use fewer dimensions`;
    const fields = [{ pointer: '#query/dimensions', detail }];
    throw new PosthornError('POSTHORN_REQUEST_INVALID', { fields });
  }
}

function isOutdated({ due_at, claimed_until }: MetricCellDocument): boolean {
  return due_at !== undefined || claimed_until !== undefined;
}

/** Joins ranges that follow each other, so that few conditions are left. */
function joinRanges(ranges: readonly TimeRange[]): TimeRange[] {
  const joined: TimeRange[] = [];
  for (const range of ranges.toSorted((a, b) => a.startMs - b.startMs)) {
    const last = joined.at(-1);
    if (last?.endMs === range.startMs) last.endMs = range.endMs;
    else joined.push({ ...range });
  }
  return joined;
}
