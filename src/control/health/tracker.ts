/**
 * Tracks the health of endpoints from the attempts that the projector reads, and takes the steps
 * that follow (DL-11); `transitions.ts` has the states. Each step is taken before it is recorded,
 * and is idempotent, so a batch that is redelivered after a crash has no visible effect.
 * Cost: while an endpoint does not fail, a success is written once in 10 s, so healthy traffic
 * costs next to nothing. Successes are remembered for 50,000 endpoints.
 */
import type { EndpointDocument } from '#infra/mongo/configuration.ts';
import type { EndpointHealthDocument, HealthStore } from '#infra/mongo/endpoint-health.ts';
import type { History } from '#infra/mongo/documents.ts';
import type { AttemptsByEndpoint, EndpointAttempts } from './attempts.ts';
import { type DisableDeps, disableEndpoint } from './disable-endpoint.ts';
import { type HealthStatus, healthStatusOf } from './health-status.ts';
import { enqueueOperationalEvents } from './operational-events.ts';
import { DISABLED_LEVEL, type Transition, nextTransition } from './transitions.ts';
import { mergeHealth } from './write-health.ts';

const SUCCESS_EVERY_MS = 10_000;
const REMEMBERED_MAX = 50_000;
const COUNTED_MAX = 100_000;

export interface HealthTrackerDeps extends DisableDeps {
  store: HealthStore;
  history: Pick<History, 'deadLetters'>;
  /** For endpoints without their own setting. */
  disableAfterSeconds: number;
}

export class HealthTracker {
  private readonly deps: HealthTrackerDeps;
  private readonly successWrittenMs = new Map<string, number>();

  constructor(deps: HealthTrackerDeps) {
    this.deps = deps;
  }

  /** @throws MongoError if MongoDB is unavailable: the records must not be acked then */
  async apply({ byEndpoint }: AttemptsByEndpoint): Promise<void> {
    const due = await this.due(byEndpoint);
    if (due.length === 0) return;
    const { health } = this.deps.store;
    const operations = due.map(([endpoint, attempts]) => mergeHealth(endpoint, attempts));
    await health.bulkWrite(operations, { ordered: false });
    this.remember(due);
    const notable = await health
      .find({
        _id: { $in: due.map(([endpoint]) => endpoint) },
        $or: [{ failing_since: { $ne: null } }, { told: { $ne: null } }],
      })
      .toArray();
    if (notable.length > 0) await this.stepAll(notable);
  }

  /**
   * Selects the results to write: failures, successes that end failing, and successes that were not
   * written recently.
   */
  private async due(
    byEndpoint: ReadonlyMap<string, EndpointAttempts>,
  ): Promise<[string, EndpointAttempts][]> {
    const due: [string, EndpointAttempts][] = [];
    const recent: string[] = [];
    for (const [endpoint, attempts] of byEndpoint) {
      const writtenMs = this.successWrittenMs.get(endpoint) ?? Number.NEGATIVE_INFINITY;
      const soon = attempts.lastAttemptMs - writtenMs < SUCCESS_EVERY_MS;
      if (soon && attempts.failuresMs.length === 0) recent.push(endpoint);
      else due.push([endpoint, attempts]);
    }
    if (recent.length === 0) return due;
    // Another process may have recorded a failure.
    const failing = await this.deps.store.health
      .find({ failing_since: { $type: 'date' }, _id: { $in: recent } })
      .project<{ _id: string }>({ _id: 1 })
      .toArray();
    for (const { _id } of failing) due.push([_id, byEndpoint.get(_id) as EndpointAttempts]);
    return due;
  }

  private remember(written: [string, EndpointAttempts][]): void {
    if (this.successWrittenMs.size > REMEMBERED_MAX) this.successWrittenMs.clear();
    for (const [endpoint, { failuresMs, lastSuccessMs }] of written) {
      if (failuresMs.length > 0 || lastSuccessMs === undefined) {
        this.successWrittenMs.delete(endpoint);
      } else this.successWrittenMs.set(endpoint, lastSuccessMs);
    }
  }

  private async stepAll(healths: EndpointHealthDocument[]): Promise<void> {
    const endpoints = await this.deps.configuration.endpoints
      .find({ _id: { $in: healths.map(({ _id }) => _id) } })
      .toArray();
    const byId = new Map(endpoints.map((endpoint) => [endpoint._id, endpoint]));
    for (const health of healths) {
      const endpoint = byId.get(health._id);
      // If it is deleted, nothing follows.
      if (endpoint !== undefined) await this.step(health, endpoint);
    }
  }

  private async step(health: EndpointHealthDocument, endpoint: EndpointDocument): Promise<void> {
    const status = healthStatusOf(health, endpoint, this.deps.disableAfterSeconds);
    const step = nextTransition(status.facts, status.announced, status.rules);
    if (step === undefined) return;
    await this.act(step, status, endpoint);
    const announced = announcementAfter(step, status);
    await this.deps.store.health.updateOne({ _id: endpoint._id }, { $set: { told: announced } });
    // The endpoint recovered, and may have started to fail again in the same batch.
    if (step.kind === 'recover') await this.step({ ...health, told: announced }, endpoint);
  }

  private async act(
    step: Transition,
    status: HealthStatus,
    endpoint: EndpointDocument,
  ): Promise<void> {
    const { _id: id, tenant, url } = endpoint;
    // Deleted at the same time: there is no tenant to notify.
    const lifeId = await this.deps.lives.find(tenant);
    if (lifeId === undefined) return;
    const key = `${id}:${step.episodeMs}`;
    const data: Record<string, unknown> = { tenant_id: tenant, endpoint_id: id, url };
    data['failing_since'] = new Date(step.episodeMs).toISOString();
    if (step.kind === 'recover') {
      const { lastSuccessMs } = status.facts;
      data['recovered_at'] = new Date(lastSuccessMs ?? 0).toISOString();
      data['was_disabled'] = status.announced?.level === DISABLED_LEVEL;
      await enqueueOperationalEvents(this.deps, [
        { tenant: lifeId, type: 'posthorn.endpoint.recovered', key, data },
      ]);
      return;
    }
    const facts = {
      ...data,
      ...status.shown,
      ...(await this.counts(lifeId, id, step.episodeMs)),
    };
    if (step.kind === 'disable') {
      await disableEndpoint(this.deps, { tenant, endpoint: id, url, reason: 'failing', facts });
      return;
    }
    const warning = { ...facts, reason: 'failing', percent: step.level };
    const type = 'posthorn.endpoint.failing';
    await enqueueOperationalEvents(this.deps, [
      { tenant: lifeId, type, key: `${key}:${step.level}`, data: warning },
    ]);
  }

  private async counts(
    tenant: string,
    endpoint: string,
    sinceMs: number,
  ): Promise<Record<string, number>> {
    const since = { tenant, endpoint, at: { $gte: new Date(sinceMs) } };
    const { deadLetters } = this.deps.history;
    return { dead_letters: await deadLetters.countDocuments(since, { limit: COUNTED_MAX }) };
  }
}

function announcementAfter(
  step: Transition,
  { facts }: HealthStatus,
): NonNullable<EndpointHealthDocument['told']> | null {
  if (step.kind === 'recover') return null;
  return {
    episode: new Date(step.episodeMs),
    level: step.kind === 'warn' ? step.level : DISABLED_LEVEL,
    at: new Date(facts.lastFailureMs ?? 0),
  };
}
