/**
 * Computes the marked cells of metrics, in every process of the role control. A claim, which
 * expires, gives each cell to one process. Claiming removes the mark, then the history is read:
 * records that come during the computation mark the cell again. Then its rows are stored, the
 * cells that are built from it are marked, and the claim is released. A crash at any step leaves a
 * claim that expires, and the cell is computed whole.
 *
 * Bounds: `CELLS_AT_ONCE` cells in a pass, `PARALLEL` of them at the same time.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { ClientSession, Collection, MongoClient } from 'mongodb';
import type { Clock } from '#domain/clock.ts';
import { bucketStartMs, widerWidth } from '#domain/metrics/granularity.ts';
import type { History } from '#infra/mongo/documents.ts';
import {
  ALL_TENANTS,
  type MetricCellDocument,
  toStoredRow,
} from '#infra/mongo/metrics/metric-cells.ts';
import { pause } from '#infra/retry.ts';
import type { Service } from '#infra/service.ts';
import type { Log } from '#infra/telemetry/log.ts';
import { RepeatingFault } from '#infra/telemetry/repeating-fault.ts';
import type { CellMark, CellMarker } from './cell-marker.ts';
import { isOpen, nextOpenMs } from './cell-times.ts';
import { computeCell } from './compute-cell.ts';

const EVERY_MS = 2000;
const CELLS_AT_ONCE = 24;
const PARALLEL = 3;
/** Longer than a pass takes. */
const CLAIM_MS = 120_000;

export interface RollupDeps {
  mongo: MongoClient;
  history: History;
  cells: Collection<MetricCellDocument>;
  marker: Pick<CellMarker, 'mark'>;
  clock: Clock;
  log: Log;
}

interface ClaimedCell {
  /** As it was before the claim. */
  cell: MetricCellDocument;
  token: string;
  /** When it was claimed. */
  nowMs: number;
}

export class Rollup implements Service {
  readonly name = 'metrics-rollup';
  private readonly deps: RollupDeps;
  private readonly fault: RepeatingFault;
  private readonly stopping = new AbortController();
  private running: Promise<void> = Promise.resolve();

  constructor(deps: RollupDeps) {
    this.deps = deps;
    this.fault = new RepeatingFault(deps.log, 'metrics_rollup.failed', deps.clock.monotonicMs);
  }

  async start(): Promise<void> {
    this.running = this.run();
  }

  /** Ends after the pass in progress. */
  async stop(deadlineMs: number): Promise<void> {
    this.stopping.abort();
    await Promise.race([this.running, delay(deadlineMs, undefined, { ref: false })]);
  }

  /** Computes some of the cells that are due. @returns how many were found */
  async computeDue(): Promise<number> {
    const now = new Date(this.deps.clock.wallMs());
    const due = await this.deps.cells
      .find({ $or: [{ due_at: { $lte: now } }, { claimed_until: { $lte: now } }] })
      .project<{ _id: string }>({ _id: 1 })
      .limit(CELLS_AT_ONCE)
      .toArray();
    const ids = due.map(({ _id }) => _id).values();
    const passes = Array.from({ length: PARALLEL }, () => this.computeEach(ids));
    const computed = (await Promise.all(passes)).flat();
    // A crash before this leaves the claims.
    await this.deps.marker.mark(computed.flatMap(({ cell }) => builtFrom(cell)));
    await this.release(computed);
    return due.length;
  }

  private async computeEach(ids: Iterable<string>): Promise<ClaimedCell[]> {
    const computed: ClaimedCell[] = [];
    // Causal: the history is read as of the claim or later, whichever member answers.
    const session = this.deps.mongo.startSession({ causalConsistency: true });
    try {
      for (const id of ids) {
        const claimed = await this.claim(id, session);
        if (claimed === undefined) continue;
        try {
          if (await this.compute(claimed, session)) computed.push(claimed);
        } catch (error) {
          // Its claim expires, and it is computed again; the others do not wait for it.
          this.fault.failed(error as Error);
        }
      }
    } finally {
      await session.endSession();
    }
    return computed;
  }

  /** Removes the mark. @returns undefined if another process was faster */
  private async claim(_id: string, session: ClientSession): Promise<ClaimedCell | undefined> {
    const nowMs = this.deps.clock.wallMs();
    const now = new Date(nowMs);
    const token = randomUUID();
    const isFree = { claim: { $exists: false }, due_at: { $lte: now } };
    const cell = await this.deps.cells.findOneAndUpdate(
      { _id, $or: [isFree, { claimed_until: { $lte: now } }] },
      {
        $set: { claim: token, claimed_until: new Date(nowMs + CLAIM_MS) },
        $unset: { due_at: '', endpoints: '', whole: '' },
      },
      { returnDocument: 'before', session },
    );
    return cell === null ? undefined : { cell, token, nowMs };
  }

  /** Stores the rows. @returns false if the claim expired, and another process has one */
  private async compute(
    { cell, token, nowMs }: ClaimedCell,
    session: ClientSession,
  ): Promise<boolean> {
    const { rows, totals } = await computeCell(this.deps, cell, nowMs, session);
    const { matchedCount } = await this.deps.cells.updateOne(
      { _id: cell._id, claim: token },
      {
        $set: {
          rows: rows.map(toStoredRow),
          totals: totals.map(toStoredRow),
          computed_at: new Date(nowMs),
        },
      },
    );
    return matchedCount === 1;
  }

  private async release(computed: readonly ClaimedCell[]): Promise<void> {
    if (computed.length === 0) return;
    const operations = computed.map(({ cell: { _id, width, start }, token, nowMs }) => ({
      updateOne: {
        filter: { _id, claim: token },
        update: {
          $unset: { claim: '' as const, claimed_until: '' as const },
          // By the time before the history was read.
          ...(isOpen(width, start.getTime(), nowMs) && {
            $min: { due_at: new Date(nextOpenMs(nowMs)) },
          }),
        },
      },
    }));
    await this.deps.cells.bulkWrite(operations, { ordered: false });
  }

  private async run(): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      let found = 0;
      try {
        found = await this.computeDue();
      } catch (error) {
        this.fault.failed(error as Error);
      }
      if (found < CELLS_AT_ONCE) await pause(EVERY_MS, signal);
    }
  }
}

/** The cells that a cell is part of: the wider one, and that of all tenants. */
function builtFrom({ tenant, family, width, start }: MetricCellDocument): CellMark[] {
  if (tenant === ALL_TENANTS) return [];
  const marks: CellMark[] = [{ tenant: ALL_TENANTS, family, width, start, endpoints: undefined }];
  const wider = widerWidth(width);
  if (wider !== undefined) {
    const widerStart = new Date(bucketStartMs(wider, start.getTime()));
    marks.push({ tenant, family, width: wider, start: widerStart, endpoints: undefined });
  }
  return marks;
}
