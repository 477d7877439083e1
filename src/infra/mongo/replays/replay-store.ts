/**
 * The documents of plans and replays (CT-6, CT-18). A plan is a stored list of ids, in chunks; a
 * replay is the job that works through the list of one plan. Both are worked on by any control
 * process, one at a time, under a lease (`infra/mongo/replays/work-leases.ts`).
 */
import type { Collection, Db } from 'mongodb';
import type { DeliveryStatus } from '#domain/outcome/delivery.ts';
import type { PlanAction, PlanKind } from '#domain/replay/plan-kinds.ts';

/** Who works on a document, until when by MongoDB's clock. Absent fields: no process does. */
export interface WorkLease {
  lease_holder?: string;
  lease_until?: Date;
  /** When a process last stopped working on it: those that waited longest come first. */
  served_at: Date;
}

/** The selection of a plan, as the request had it: absent members select everything. */
export interface PlanSelection {
  event_id?: string[];
  endpoint_id?: string[];
  event_type?: string[];
  status?: DeliveryStatus[];
  reason?: string[];
  cause?: string[];
  accepted_at?: { gte?: Date; lt?: Date };
  /** Of dead letters. */
  failed_at?: { gte?: Date; lt?: Date };
}

/** How many items were left out, or ended, for a reason. */
export type Tally = Record<string, number>;

export interface PlanDocument extends WorkLease {
  /** Plan id. */
  _id: string;
  /** Life id, here and below. */
  tenant: string;
  action: PlanAction;
  kind: PlanKind;
  filter: PlanSelection;
  per_second: number;
  status: 'counting' | 'ready';
  /** Items that came later are not in the list. */
  cut_off_at: Date;
  /** Number of stored chunks. */
  chunks: number;
  count: number;
  examined: number;
  oldest_at: Date | null;
  newest_at: Date | null;
  left_out: Tally;
  /** The list reached its bound: more items match. */
  more: boolean;
  /** The position behind the last examined document; null: none yet. */
  position: [at: Date, id: string] | null;
  created_at: Date;
  expires_at: Date;
  /** When MongoDB removes the document. */
  removed_at: Date;
}

/** `delivery` is empty if none was ever made for the event and endpoint. */
export type PlanItem = [event: string, endpoint: string, delivery: string];

export interface PlanChunkDocument {
  /** `<plan id>/<number>`, from 0 */
  _id: string;
  tenant: string;
  plan: string;
  items: PlanItem[];
  removed_at: Date;
}

export interface ReplayDocument extends WorkLease {
  /** Replay id: `replayIdOf(plan)`, so that a plan is started once. */
  _id: string;
  tenant: string;
  plan: string;
  action: PlanAction;
  kind: PlanKind;
  per_second: number;
  status: 'running' | 'paused' | 'completed' | 'cancelled';
  total: number;
  done: number;
  results: Tally;
  /** The first item that is not known to be done. */
  chunk: number;
  offset: number;
  /** Items that may be done already, from `offset` on; 0: none. */
  announced: number;
  /** When they were announced. */
  announced_at: Date | null;
  created_at: Date;
  updated_at: Date;
  ended_at: Date | null;
  removed_at: Date;
}

export interface ReplayStore {
  plans: Collection<PlanDocument>;
  chunks: Collection<PlanChunkDocument>;
  replays: Collection<ReplayDocument>;
}

/** Majority concerns: the next holder of a lease must see all that the last one wrote. */
export function replayStoreOf(db: Db): ReplayStore {
  const concerns = { writeConcern: { w: 'majority' }, readConcern: { level: 'majority' } } as const;
  return {
    plans: db.collection('plans', concerns),
    chunks: db.collection('plan_chunks', concerns),
    replays: db.collection('replays', concerns),
  };
}

/** Creates the indexes; idempotent. */
export async function ensureReplayIndexes(db: Db): Promise<void> {
  const { plans, chunks, replays } = replayStoreOf(db);
  await plans.createIndex({ tenant: 1, _id: -1 });
  await plans.createIndex(
    { served_at: 1 },
    { partialFilterExpression: { status: 'counting' }, name: 'counting' },
  );
  await chunks.createIndex({ plan: 1 });
  await chunks.createIndex({ tenant: 1 });
  await replays.createIndex({ tenant: 1, _id: -1 });
  await replays.createIndex(
    { served_at: 1 },
    { partialFilterExpression: { status: 'running' }, name: 'running' },
  );
  for (const collection of [plans, chunks, replays] as unknown as Collection[]) {
    await collection.createIndex({ removed_at: 1 }, { expireAfterSeconds: 0 });
  }
}

/** The id of the replay of a plan. */
export function replayIdOf(plan: string): string {
  return `rpl_${plan.slice(plan.indexOf('_') + 1)}`;
}

/** The key of a chunk. */
export function chunkKey(plan: string, number: number): string {
  return `${plan}/${number}`;
}
