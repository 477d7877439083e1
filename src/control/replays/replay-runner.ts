/**
 * Works through the list of a replay, a batch after the other. Each batch is announced before it is
 * applied, and its progress is written after it. A crash leaves an announced batch: the next run
 * applies the same batch again, and its action finds out which items are done already.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '#domain/clock.ts';
import { tenantIdOf } from '#domain/tenant.ts';
import type { PlanAction } from '#domain/replay/plan-kinds.ts';
import {
  chunkKey,
  type PlanItem,
  type ReplayDocument,
  type ReplayStore,
} from '#infra/mongo/replays/replay-store.ts';
import { type Claimed, type HeldLease, LeaseLost } from '#infra/mongo/replays/work-leases.ts';
import type { BacklogWait } from '#infra/nats/consume/backlog-wait.ts';
import { shardOf } from '#wire/subjects.ts';
import type { CurrentLives } from '../lives/current-lives.ts';
import type { Batch, BatchAction } from './actions/batch.ts';

/** After this time other replays have their turn. */
const TURN_MS = 10_000;
const BATCH_MAX = 100;
/** A batch takes at most this long at its pace. */
const BATCH_MS = 250;

export type RunStep = 'announced' | 'applied';

export interface ReplayRunnerDeps {
  store: Pick<ReplayStore, 'chunks'>;
  actions: Readonly<Record<PlanAction, BatchAction>>;
  lives: Pick<CurrentLives, 'find'>;
  backlog: Pick<BacklogWait, 'untilQuiet'>;
  shards: number;
  clock: Clock;
  /** For tests: called after each step of a batch. */
  onStep?: ((step: RunStep) => Promise<void>) | undefined;
}

/** Items behind the progress of a replay, and the progress behind them. */
interface Next {
  items: PlanItem[];
  chunk: number;
  offset: number;
}

export class ReplayRunner {
  private readonly deps: ReplayRunnerDeps;

  constructor(deps: ReplayRunnerDeps) {
    this.deps = deps;
  }

  /**
   * Runs a replay for one turn, or to its end.
   *
   * @throws LeaseLost, AbortError, and errors of MongoDB and NATS
   */
  async work({ document, lease }: Claimed<ReplayDocument>, signal: AbortSignal): Promise<void> {
    const { lives, clock } = this.deps;
    const untilMs = clock.monotonicMs() + TURN_MS;
    let replay = document;
    let earlier = earlierOf(document);
    while (replay.status === 'running' && clock.monotonicMs() < untilMs) {
      signal.throwIfAborted();
      if ((await lives.find(tenantIdOf(replay.tenant))) !== replay.tenant) {
        await lease.write({ status: 'cancelled', ended_at: new Date(clock.wallMs()) });
        return;
      }
      const next = await this.nextOf(replay, earlier === undefined ? undefined : replay.announced);
      if (next.items.length === 0) {
        const now = new Date(clock.wallMs());
        await lease.write({ status: 'completed', ended_at: now, updated_at: now });
        return;
      }
      const startedMs = clock.monotonicMs();
      replay = await this.runBatch(replay, next, earlier, lease, signal);
      earlier = undefined;
      const restMs = (next.items.length * 1000) / replay.per_second;
      const waitMs = startedMs + restMs - clock.monotonicMs();
      if (waitMs > 0) await delay(waitMs, undefined, { signal });
    }
  }

  private async runBatch(
    replay: ReplayDocument,
    { items, chunk, offset }: Next,
    earlier: Batch['earlier'],
    lease: HeldLease<ReplayDocument>,
    signal: AbortSignal,
  ): Promise<ReplayDocument> {
    const { actions, backlog, clock, shards, onStep } = this.deps;
    await backlog.untilQuiet([shardOf(replay.tenant, shards)], signal);
    if (earlier === undefined) {
      const announced = { announced: items.length };
      const now = await lease.write(announced, { stamp: 'announced_at' });
      if (now.status !== 'running') return now;
    }
    await onStep?.('announced');
    if (lease.isExpired()) throw new LeaseLost(replay._id);
    const batch = { replay, items, ...(earlier === undefined ? {} : { earlier }) };
    const results = await actions[replay.action].apply(batch);
    await onStep?.('applied');
    const inc: Record<string, number> = { done: items.length };
    for (const result of results) {
      const field = `results.${result}`;
      inc[field] = (inc[field] ?? 0) + 1;
    }
    const updated_at = new Date(clock.wallMs());
    return lease.write({ chunk, offset, announced: 0, updated_at }, { inc });
  }

  /** @param announced the size of a batch that was announced */
  private async nextOf(replay: ReplayDocument, announced: number | undefined): Promise<Next> {
    const atPace = Math.ceil((replay.per_second * BATCH_MS) / 1000);
    const size = announced ?? Math.min(BATCH_MAX, atPace);
    for (let { chunk, offset } = replay; ; chunk++, offset = 0) {
      const [found] = await this.deps.store.chunks
        .find({ _id: chunkKey(replay.plan, chunk) })
        .project<{ items: PlanItem[] }>({ items: { $slice: [offset, size] } })
        .toArray();
      if (found === undefined) return { items: [], chunk, offset };
      const { items } = found;
      if (items.length > 0) return { items, chunk, offset: offset + items.length };
    }
  }
}

function earlierOf(replay: ReplayDocument): Batch['earlier'] {
  const { announced, announced_at: at, served_at: now } = replay;
  if (announced === 0 || at === null) return undefined;
  return { sinceMs: at.getTime(), ageMs: now.getTime() - at.getTime() };
}
