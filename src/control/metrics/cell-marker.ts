/**
 * Marks the cells whose figures changed, so that `Rollup` computes them again. The projector marks
 * after its documents are durable and before it acks: a crash in between repeats both.
 *
 * Cost: an open minute is marked once by each process; memory of 20,000 of them.
 */
import type { AnyBulkWriteOperation, Collection } from 'mongodb';
import type { Clock } from '#domain/clock.ts';
import { bucketStartMs, widthMs } from '#domain/metrics/granularity.ts';
import {
  type CellPlace,
  type MetricCellDocument,
  cellId,
  expiryOf,
} from '#infra/mongo/metrics/metric-cells.ts';
import { MINUTES_USED_MS, dueMs, needsNoMark } from './cell-times.ts';
import type { ChangedMinute } from './changed-cells.ts';

const REMEMBERED_MAX = 20_000;
/** More endpoints of one batch than this: the cell is computed whole. */
const ENDPOINTS_MAX = 20;
/** The history of a cell must be complete when it is computed. */
const RETENTION_MARGIN_MS = 3600 * 1000;
/** No clock is that far ahead. */
const FUTURE_MAX_MS = 3600 * 1000;

export interface CellMarkerDeps {
  cells: Collection<MetricCellDocument>;
  historyRetentionSeconds: number;
  clock: Pick<Clock, 'wallMs'>;
}

/** A cell with newer records. */
export interface CellMark extends CellPlace {
  /** Undefined: of any endpoint. */
  endpoints: string[] | undefined;
}

export class CellMarker {
  private readonly deps: CellMarkerDeps;
  /** End of the minute, by cell id. */
  private readonly remembered = new Map<string, number>();

  constructor(deps: CellMarkerDeps) {
    this.deps = deps;
  }

  /** Marks the minutes of a batch. @throws MongoError: the records must not be acked then */
  async markMinutes(minutes: readonly ChangedMinute[]): Promise<void> {
    const nowMs = this.deps.clock.wallMs();
    const oldestMs = nowMs - this.deps.historyRetentionSeconds * 1000 + RETENTION_MARGIN_MS;
    const recent = minutes.filter(
      ({ startMs }) => startMs > oldestMs && startMs < nowMs + FUTURE_MAX_MS,
    );
    await this.mark(recent.map((minute) => toMark(minute, nowMs)));
  }

  /** Marks cells, each once. @throws MongoError */
  async mark(marks: readonly CellMark[]): Promise<void> {
    const nowMs = this.deps.clock.wallMs();
    const byId = new Map(marks.map((mark) => [cellId(mark), mark]));
    for (const [id, { width, start }] of byId) {
      const isKnown = this.remembered.has(id);
      if (isKnown && needsNoMark(width, start.getTime(), nowMs)) byId.delete(id);
    }
    if (byId.size === 0) return;
    const operations = [...byId].map(([id, mark]) => markOperation(id, mark, nowMs));
    await this.deps.cells.bulkWrite(operations, { ordered: false });
    this.remember(byId, nowMs);
  }

  private remember(marked: ReadonlyMap<string, CellMark>, nowMs: number): void {
    for (const [id, { width, start }] of marked) {
      if (!needsNoMark(width, start.getTime(), nowMs)) continue;
      this.remembered.set(id, start.getTime() + widthMs(width));
    }
    if (this.remembered.size <= REMEMBERED_MAX) return;
    for (const [id, endMs] of this.remembered) {
      if (endMs < nowMs) this.remembered.delete(id);
    }
    if (this.remembered.size > REMEMBERED_MAX) this.remembered.clear();
  }
}

/** A minute that expires soon is counted in its hour. */
function toMark({ family, tenant, startMs, endpoints }: ChangedMinute, nowMs: number): CellMark {
  const width = nowMs - startMs < MINUTES_USED_MS ? '1m' : '1h';
  const isNarrow = endpoints.size > 0 && endpoints.size <= ENDPOINTS_MAX;
  return {
    family,
    tenant,
    width,
    start: new Date(bucketStartMs(width, startMs)),
    endpoints: isNarrow ? [...endpoints] : undefined,
  };
}

function markOperation(
  id: string,
  { tenant, family, width, start, endpoints }: CellMark,
  nowMs: number,
): AnyBulkWriteOperation<MetricCellDocument> {
  return {
    updateOne: {
      filter: { _id: id },
      update: {
        // The first mark decides: others do not delay the computation.
        $min: { due_at: new Date(dueMs(width, start.getTime(), nowMs)) },
        ...(endpoints === undefined
          ? { $set: { whole: true as const } }
          : { $addToSet: { endpoints: { $each: endpoints } } }),
        $setOnInsert: { tenant, family, width, start, expires_at: expiryOf({ width, start }) },
      },
      upsert: true,
    },
  };
}
