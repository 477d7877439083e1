/**
 * Counts plans: reads their candidates and stores the list of ids, page by page. A crash between a
 * page's chunk and the plan's position reads the page again, and replaces the chunk. So the count
 * is exact for the stored list, also if two processes count the same plan for a moment.
 */
import type { Clock } from '#domain/clock.ts';
import { limits } from '#domain/limits.ts';
import {
  chunkKey,
  type PlanDocument,
  type PlanItem,
  type ReplayStore,
  type Tally,
} from '#infra/mongo/replays/replay-store.ts';
import type { Claimed, HeldLease } from '#infra/mongo/replays/work-leases.ts';
import type { Candidate, CandidateDeps } from './candidate.ts';
import { candidatesOf } from './candidates.ts';

/** After this time other plans have their turn. */
const TURN_MS = 10_000;

export interface PlanCounterDeps extends CandidateDeps {
  store: Pick<ReplayStore, 'plans' | 'chunks'>;
  clock: Clock;
  /** For tests: absent is `limits.planItemsMax`. */
  itemsMax?: number | undefined;
  /** For tests: called between the steps of a page. */
  onStep?: ((step: 'stored') => Promise<void>) | undefined;
}

export class PlanCounter {
  private readonly deps: PlanCounterDeps;

  constructor(deps: PlanCounterDeps) {
    this.deps = deps;
  }

  /** Counts for one turn, or to the end. @throws LeaseLost, and errors of MongoDB and NATS */
  async work({ document, lease }: Claimed<PlanDocument>, signal: AbortSignal): Promise<void> {
    const { clock } = this.deps;
    const untilMs = clock.monotonicMs() + TURN_MS;
    let plan = document;
    for await (const page of candidatesOf(this.deps, document)) {
      plan = await this.keep(plan, page, lease);
      if (plan.more) break;
      if (signal.aborted || clock.monotonicMs() > untilMs) return;
    }
    await lease.write({ status: 'ready' });
  }

  private async keep(
    plan: PlanDocument,
    page: readonly Candidate[],
    lease: HeldLease<PlanDocument>,
  ): Promise<PlanDocument> {
    const { itemsMax = limits.planItemsMax, onStep } = this.deps;
    const room = itemsMax - plan.count;
    const all = page.flatMap(({ items }) => items);
    const items = all.slice(0, room);
    const { chunks } = plan;
    if (items.length > 0) await this.storeChunk(plan, items);
    await onStep?.('stored');
    const listed = page.filter((candidate) => candidate.items.length > 0);
    const last = page.at(-1) as Candidate;
    const oldest = plan.oldest_at ?? listed[0]?.at ?? null;
    return lease.write({
      chunks: chunks + (items.length > 0 ? 1 : 0),
      count: plan.count + items.length,
      examined: plan.examined + page.length,
      oldest_at: oldest,
      newest_at: listed.at(-1)?.at ?? plan.newest_at,
      left_out: addUp(plan.left_out, page),
      more: all.length > room,
      position: [last.at, last.id],
    });
  }

  private async storeChunk(plan: PlanDocument, items: PlanItem[]): Promise<void> {
    const { _id: id, tenant, chunks: number, removed_at } = plan;
    const chunk = { tenant, plan: id, items, removed_at };
    await this.deps.store.chunks.replaceOne({ _id: chunkKey(id, number) }, chunk, { upsert: true });
  }
}

function addUp(before: Tally, page: readonly Candidate[]): Tally {
  const sums = { ...before };
  for (const { leftOut } of page) {
    for (const reason of leftOut) sums[reason] = (sums[reason] ?? 0) + 1;
  }
  return sums;
}
