/** Creates, shows and lists plans (CT-18), each of one life of its tenant. */
import type { Clock } from '#domain/clock.ts';
import { PosthornError } from '#domain/errors.ts';
import { notFound } from '#domain/field-faults.ts';
import { newId } from '#domain/ids.ts';
import { limits } from '#domain/limits.ts';
import {
  type PlanDocument,
  type PlanSelection,
  replayIdOf,
  type ReplayStore,
  type Tally,
} from '#infra/mongo/replays/replay-store.ts';
import type { NewPlan, PlanFilter, PlanResource } from '#wire/api/replays/plan.ts';
import type { PageQuery } from '#wire/api/page.ts';
import { boundList, decodeCursor, type Page, type PageSort, toPage } from '#wire/pagination.ts';
import { planOf } from './new-plan.ts';

const SORT: PageSort = { name: 'plans', fields: ['string'] };

export interface PlansDeps {
  store: Pick<ReplayStore, 'plans' | 'replays'>;
  clock: Clock;
  /** Called when there is a plan to count. */
  onCreated: () => void;
}

export class Plans {
  private readonly deps: PlansDeps;

  constructor(deps: PlansDeps) {
    this.deps = deps;
  }

  /** @throws PosthornError POSTHORN_REQUEST_INVALID, POSTHORN_LIMIT_EXCEEDED */
  async create(lifeId: string, request: NewPlan): Promise<PlanResource> {
    const { store, clock, onCreated } = this.deps;
    const nowMs = clock.wallMs();
    const plan = planOf(newId('pln', nowMs), lifeId, request, nowMs);
    const alive = { tenant: lifeId, expires_at: { $gt: plan.created_at } };
    const max = limits.plansPerTenantMax;
    if ((await store.plans.countDocuments(alive, { limit: max })) >= max) {
      const detail = `the tenant has ${max} plans that have not expired; delete one`;
      throw new PosthornError('POSTHORN_LIMIT_EXCEEDED', { detail });
    }
    await store.plans.insertOne(plan);
    onCreated();
    return toResource(plan, null);
  }

  /** Newest first. */
  async list(lifeId: string, query: PageQuery): Promise<Page<PlanResource>> {
    const { limit, cursor } = query;
    const list = boundList(SORT, lifeId, query);
    const { store, clock } = this.deps;
    const before =
      cursor === undefined ? {} : { _id: { $lt: String(decodeCursor(list, cursor)[0]) } };
    const alive = { tenant: lifeId, expires_at: { $gt: new Date(clock.wallMs()) }, ...before };
    const plans = await store.plans
      .find(alive)
      .sort({ _id: -1 })
      .limit(limit + 1)
      .toArray();
    const started = await this.replaysOf(plans.map(({ _id }) => _id));
    return toPage(
      plans,
      limit,
      list,
      ({ _id }) => [_id],
      (plan) => toResource(plan, started.get(plan._id) ?? null),
    );
  }

  /** @throws PosthornError POSTHORN_RESOURCE_UNKNOWN, POSTHORN_PLAN_EXPIRED */
  async get(lifeId: string, id: string): Promise<PlanResource> {
    const plan = await this.find(lifeId, id);
    return toResource(plan, (await this.replaysOf([id])).get(id) ?? null);
  }

  /** @throws PosthornError POSTHORN_RESOURCE_UNKNOWN, POSTHORN_PLAN_EXPIRED */
  async find(lifeId: string, id: string): Promise<PlanDocument> {
    const { store, clock } = this.deps;
    const plan = await store.plans.findOne({ _id: id, tenant: lifeId });
    if (plan === null) throw notFound('plan', id);
    if (plan.expires_at.getTime() <= clock.wallMs()) {
      const detail = `the plan ${id} has expired; create another one`;
      throw new PosthornError('POSTHORN_PLAN_EXPIRED', { detail });
    }
    return plan;
  }

  /**
   * Deletes a plan; its replay continues.
   *
   * @throws PosthornError POSTHORN_RESOURCE_UNKNOWN, POSTHORN_PLAN_EXPIRED
   */
  async delete(lifeId: string, id: string): Promise<void> {
    await this.find(lifeId, id);
    await this.deps.store.plans.deleteOne({ _id: id, tenant: lifeId });
  }

  private async replaysOf(plans: readonly string[]): Promise<Map<string, string>> {
    const replays = await this.deps.store.replays
      .find({ _id: { $in: plans.map(replayIdOf) } })
      .project<{ _id: string; plan: string }>({ plan: 1 })
      .toArray();
    return new Map(replays.map(({ _id, plan }) => [plan, _id]));
  }
}

function toResource(plan: PlanDocument, replayId: string | null): PlanResource {
  return {
    id: plan._id,
    action: plan.action,
    kind: plan.kind,
    filter: filterResource(plan.filter),
    status: plan.status,
    per_second: plan.per_second,
    count: plan.count,
    more: plan.more,
    examined_count: plan.examined,
    oldest_at: plan.oldest_at?.toISOString() ?? null,
    newest_at: plan.newest_at?.toISOString() ?? null,
    duration_seconds: Math.ceil(plan.count / plan.per_second),
    left_out: tallyResource(plan.left_out),
    cut_off_at: plan.cut_off_at.toISOString(),
    created_at: plan.created_at.toISOString(),
    expires_at: plan.expires_at.toISOString(),
    replay_id: replayId,
  };
}

function filterResource(selection: PlanSelection): PlanFilter {
  const shown = Object.entries(selection).map(([name, value]) => {
    if (Array.isArray(value)) return [name, value];
    const { gte, lt } = value as { gte?: Date; lt?: Date };
    const range = {
      ...(gte === undefined ? {} : { gte: gte.toISOString() }),
      ...(lt === undefined ? {} : { lt: lt.toISOString() }),
    };
    return [name, range];
  });
  return Object.fromEntries(shown) as PlanFilter;
}

/** Returns the counts of a tally, the largest first. */
export function tallyResource(tally: Tally): { reason: string; count: number }[] {
  return Object.entries(tally)
    .map(([reason, count]) => ({ reason, count }))
    .sort((a, b) => b.count - a.count || (a.reason < b.reason ? -1 : 1));
}
