/** Starts replays, and pauses, resumes, changes, cancels and shows them (CT-6). */
import { MongoServerError } from 'mongodb';
import type { Clock } from '#domain/clock.ts';
import { PosthornError } from '#domain/errors.ts';
import { notFound } from '#domain/field-faults.ts';
import {
  type ReplayDocument,
  replayIdOf,
  type ReplayStore,
} from '#infra/mongo/replays/replay-store.ts';
import type { PageQuery } from '#wire/api/page.ts';
import type { NewReplay, ReplayResource } from '#wire/api/replays/replay.ts';
import { boundList, decodeCursor, type Page, type PageSort, toPage } from '#wire/pagination.ts';
import { type Plans, tallyResource } from '../plans/plans.ts';

const SORT: PageSort = { name: 'replays', fields: ['string'] };
const DUPLICATE_KEY = 11_000;
/** How long a replay and its list are kept after its start. */
const KEPT_MS = 30 * 24 * 3600 * 1000;

export interface ReplaysDeps {
  store: ReplayStore;
  plans: Pick<Plans, 'find'>;
  clock: Clock;
  /** Called when a replay has work. */
  onWork: () => void;
}

export class Replays {
  private readonly deps: ReplaysDeps;

  constructor(deps: ReplaysDeps) {
    this.deps = deps;
  }

  /**
   * Starts the replay of a plan. If it was started before, returns that replay.
   *
   * @throws PosthornError POSTHORN_RESOURCE_UNKNOWN, POSTHORN_PLAN_EXPIRED, POSTHORN_PLAN_NOT_READY
   */
  async start(lifeId: string, request: NewReplay): Promise<ReplayResource> {
    const { store, plans, clock, onWork } = this.deps;
    const plan = await plans.find(lifeId, request.plan_id);
    if (plan.status !== 'ready') {
      const detail = `the plan ${plan._id} is still being counted; read it until it is ready`;
      throw new PosthornError('POSTHORN_PLAN_NOT_READY', { detail });
    }
    const now = new Date(clock.wallMs());
    const isEmpty = plan.count === 0;
    const removed_at = new Date(now.getTime() + KEPT_MS);
    const replay: ReplayDocument = {
      _id: replayIdOf(plan._id),
      tenant: lifeId,
      plan: plan._id,
      action: plan.action,
      kind: plan.kind,
      per_second: request.per_second ?? plan.per_second,
      status: isEmpty ? 'completed' : 'running',
      total: plan.count,
      done: 0,
      results: {},
      chunk: 0,
      offset: 0,
      announced: 0,
      announced_at: null,
      served_at: now,
      created_at: now,
      updated_at: now,
      ended_at: isEmpty ? now : null,
      removed_at,
    };
    // Before the replay exists: it must find its whole list, also after a crash here.
    await store.chunks.updateMany({ plan: plan._id }, { $set: { removed_at } });
    try {
      await store.replays.insertOne(replay);
    } catch (error) {
      if (!(error instanceof MongoServerError) || error.code !== DUPLICATE_KEY) throw error;
      const first = await store.replays.findOne({ _id: replay._id });
      if (first === null) throw error;
      return toResource(first);
    }
    onWork();
    return toResource(replay);
  }

  /** Newest first. */
  async list(lifeId: string, query: PageQuery): Promise<Page<ReplayResource>> {
    const { limit, cursor } = query;
    const list = boundList(SORT, lifeId, query);
    const before =
      cursor === undefined ? {} : { _id: { $lt: String(decodeCursor(list, cursor)[0]) } };
    const replays = await this.deps.store.replays
      .find({ tenant: lifeId, ...before })
      .sort({ _id: -1 })
      .limit(limit + 1)
      .toArray();
    return toPage(replays, limit, list, ({ _id }) => [_id], toResource);
  }

  /** @throws PosthornError POSTHORN_RESOURCE_UNKNOWN */
  async get(lifeId: string, id: string): Promise<ReplayResource> {
    const replay = await this.deps.store.replays.findOne({ _id: id, tenant: lifeId });
    if (replay === null) throw notFound('replay', id);
    return toResource(replay);
  }

  /** @throws PosthornError POSTHORN_RESOURCE_UNKNOWN, POSTHORN_REPLAY_STATE */
  pause(lifeId: string, id: string): Promise<ReplayResource> {
    return this.change(lifeId, id, ['running', 'paused'], { status: 'paused' });
  }

  /** @throws PosthornError POSTHORN_RESOURCE_UNKNOWN, POSTHORN_REPLAY_STATE */
  resume(lifeId: string, id: string): Promise<ReplayResource> {
    return this.change(lifeId, id, ['running', 'paused'], { status: 'running' });
  }

  /**
   * Ends a replay; the items that are done stay done.
   *
   * @throws PosthornError POSTHORN_RESOURCE_UNKNOWN, POSTHORN_REPLAY_STATE
   */
  cancel(lifeId: string, id: string): Promise<ReplayResource> {
    const ended_at = new Date(this.deps.clock.wallMs());
    const open = ['running', 'paused', 'cancelled'] as const;
    return this.change(lifeId, id, open, { status: 'cancelled', ended_at });
  }

  /** @throws PosthornError POSTHORN_RESOURCE_UNKNOWN, POSTHORN_REPLAY_STATE */
  setPace(lifeId: string, id: string, per_second: number): Promise<ReplayResource> {
    return this.change(lifeId, id, ['running', 'paused'], { per_second });
  }

  private async change(
    lifeId: string,
    id: string,
    from: readonly ReplayDocument['status'][],
    set: Partial<ReplayDocument>,
  ): Promise<ReplayResource> {
    const { store, clock, onWork } = this.deps;
    const replay = await store.replays.findOneAndUpdate(
      { _id: id, tenant: lifeId, status: { $in: [...from] } },
      { $set: { ...set, updated_at: new Date(clock.wallMs()) } },
      { returnDocument: 'after' },
    );
    if (replay === null) {
      const { status } = await this.get(lifeId, id);
      throw new PosthornError('POSTHORN_REPLAY_STATE', { detail: `the replay ${id} is ${status}` });
    }
    onWork();
    return toResource(replay);
  }
}

function toResource(replay: ReplayDocument): ReplayResource {
  return {
    id: replay._id,
    plan_id: replay.plan,
    action: replay.action,
    kind: replay.kind,
    status: replay.status,
    per_second: replay.per_second,
    progress: { done_count: replay.done, total_count: replay.total },
    results: tallyResource(replay.results),
    created_at: replay.created_at.toISOString(),
    updated_at: replay.updated_at.toISOString(),
    ended_at: replay.ended_at?.toISOString() ?? null,
  };
}
