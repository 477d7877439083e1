import type { PlanItem, ReplayDocument } from '#infra/mongo/replays/replay-store.ts';

/** Items of a replay that are applied together. */
export interface Batch {
  replay: ReplayDocument;
  items: readonly PlanItem[];
  /**
   * Set if an earlier run may have done some of them: how long ago that began at least, in
   * milliseconds, and when.
   */
  earlier?: { sinceMs: number; ageMs: number };
}

/** Applies the action of a replay to a batch. */
export interface BatchAction {
  /**
   * @returns the result of each item, in their order
   * @throws errors of MongoDB and NATS: the batch is applied again
   */
  apply(batch: Batch): Promise<string[]>;
}
