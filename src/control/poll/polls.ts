/**
 * Asks the worker that owns an endpoint's shard for its deliveries (DL-19). The endpoint is known
 * from the configuration in memory, so that pollers need no MongoDB.
 */
import {
  NoRespondersError,
  type NatsConnection,
  RequestError,
  TimeoutError,
} from '@nats-io/nats-core';
import type { Clock } from '#domain/clock.ts';
import { PosthornError } from '#domain/errors.ts';
import { notFound, tenantNotFound } from '#domain/field-faults.ts';
import { lifeIdOf } from '#domain/tenant.ts';
import type { ConfigView } from '#wire/config-snapshot.ts';
import type { Lease, Poll, PollQuery, PolledDelivery } from '#wire/api/poll/poll.ts';
import type { LeaseResult, LeasedDelivery, PollAnswer, PollRequest } from '#wire/poll-request.ts';
import { shardOf, subjects } from '#wire/subjects.ts';
import { setTimeout as delay } from 'node:timers/promises';

/** A request waits no longer in one worker: then the client may be gone, or the shard moved. */
const SLICE_MS = 2000;
const TIMEOUT_MS = 8000;
/** While the shard has no owner. */
const RETRY_MS = 200;
/** Longer than a shard takes to move after the death of its owner. */
const OWNER_WAIT_MS = 6000;

export interface PollsDeps {
  nc: Pick<NatsConnection, 'request'>;
  config: Pick<ConfigView, 'currentTenant'>;
  shards: number;
  clock: Clock;
}

interface Where {
  tenant: string;
  endpoint: string;
}

/** Omits the address from each kind of request. */
type Unaddressed = PollRequest extends infer R
  ? R extends unknown
    ? Omit<R, keyof Where>
    : never
  : never;

export class Polls {
  private readonly deps: PollsDeps;

  constructor(deps: PollsDeps) {
    this.deps = deps;
  }

  /**
   * Leases deliveries, and waits for one if there is none.
   *
   * @param isWanted false: the client is gone, and nothing more is leased
   * @throws PosthornError POSTHORN_TENANT_UNKNOWN, POSTHORN_RESOURCE_UNKNOWN,
   * POSTHORN_ENDPOINT_KIND, POSTHORN_ENDPOINT_STATUS, POSTHORN_OVERLOADED,
   * POSTHORN_WORKERS_UNAVAILABLE
   */
  async poll(
    tenantId: string,
    endpoint: string,
    query: PollQuery,
    isWanted: () => boolean,
  ): Promise<Poll> {
    const { clock } = this.deps;
    const where = this.find(tenantId, endpoint);
    const untilMs = clock.monotonicMs() + query.wait_seconds * 1000;
    const { limit, lease_seconds: seconds } = query;
    const lease = seconds === undefined ? {} : { leaseMs: seconds * 1000 };
    for (;;) {
      const leftMs = Math.max(0, untilMs - clock.monotonicMs());
      const waitMs = Math.min(leftMs, SLICE_MS);
      const answer = await this.ask(where, { what: 'poll', limit, waitMs, ...lease });
      const deliveries = 'deliveries' in answer ? answer.deliveries : [];
      if (deliveries.length > 0 || leftMs <= SLICE_MS || !isWanted()) {
        return { data: deliveries.map(toResource) };
      }
    }
  }

  /** @throws as `poll` */
  async commit(tenantId: string, endpoint: string, leases: string[]): Promise<Lease[]> {
    const answer = await this.ask(this.find(tenantId, endpoint), { what: 'commit', leases });
    return resultsOf(answer).map((result) => toLease(result, 'committed'));
  }

  /** @throws as `poll` */
  async extend(
    tenantId: string,
    endpoint: string,
    leases: string[],
    seconds: number | undefined,
  ): Promise<Lease[]> {
    const lease = seconds === undefined ? {} : { leaseMs: seconds * 1000 };
    const where = this.find(tenantId, endpoint);
    const answer = await this.ask(where, { what: 'extend', leases, ...lease });
    return resultsOf(answer).map((result) => toLease(result, 'extended'));
  }

  /** @throws PosthornError for an endpoint that is unknown or not polled */
  check(tenantId: string, endpoint: string): void {
    this.find(tenantId, endpoint);
  }

  private find(tenantId: string, endpoint: string): Where {
    const tenant = this.deps.config.currentTenant(tenantId);
    if (tenant === undefined) throw tenantNotFound(tenantId);
    const known = tenant.endpoints.find(({ id }) => id === endpoint);
    if (known === undefined) throw notFound('endpoint', endpoint);
    if (known.poll === undefined) {
      const detail = `the endpoint ${endpoint} is not polled: webhooks are sent to its URL`;
      throw new PosthornError('POSTHORN_ENDPOINT_KIND', { detail });
    }
    return { tenant: lifeIdOf({ id: tenantId, life: tenant.life }), endpoint };
  }

  /** Asks the owner of the shard; asks again while the shard moves. */
  private async ask(where: Where, request: Unaddressed): Promise<PollAnswer> {
    const { clock, shards } = this.deps;
    const subject = subjects.pollRequests(shardOf(where.tenant, shards));
    const untilMs = clock.monotonicMs() + OWNER_WAIT_MS;
    for (;;) {
      const answer = await this.send(subject, JSON.stringify({ ...where, ...request }));
      const fault = answer === undefined ? 'moved' : 'fault' in answer ? answer.fault : undefined;
      if (fault === undefined) return answer as PollAnswer;
      if (fault !== 'moved' && fault !== 'unknown') throw refusalOf(fault, where.endpoint);
      if (clock.monotonicMs() >= untilMs) throw refusalOf(fault, where.endpoint);
      await delay(RETRY_MS);
    }
  }

  /** Undefined: no worker owns the shard. */
  private async send(subject: string, request: string): Promise<PollAnswer | undefined> {
    try {
      const answer = await this.deps.nc.request(subject, request, { timeout: TIMEOUT_MS });
      return answer.json<PollAnswer>();
    } catch (error) {
      const isUnheard =
        error instanceof NoRespondersError ||
        (error instanceof RequestError && error.isNoResponders());
      // An owner that died while it was asked: leases that it gave expire.
      if (isUnheard || error instanceof TimeoutError) return undefined;
      throw new PosthornError('POSTHORN_NATS_UNAVAILABLE', { cause: error });
    }
  }
}

function refusalOf(fault: string, endpoint: string): PosthornError {
  switch (fault) {
    case 'not_active': {
      const detail = `the endpoint ${endpoint} is not active: nothing is leased`;
      return new PosthornError('POSTHORN_ENDPOINT_STATUS', { detail });
    }
    case 'busy':
      return new PosthornError('POSTHORN_OVERLOADED', { detail: 'too many polls wait' });
    default: {
      const detail = 'no delivery worker has the queue at present; try again';
      return new PosthornError('POSTHORN_WORKERS_UNAVAILABLE', { detail });
    }
  }
}

function resultsOf(answer: PollAnswer): LeaseResult[] {
  return 'results' in answer ? answer.results : [];
}

function toResource(leased: LeasedDelivery): PolledDelivery {
  return {
    lease_id: leased.lease,
    lease_expires_at: new Date(leased.untilMs).toISOString(),
    delivery_id: leased.delivery,
    event_id: leased.event,
    event_type: leased.type,
    accepted_at: new Date(leased.acceptedMs).toISOString(),
    attempt_count: leased.attemptNo,
    sequence: leased.sequence ?? null,
    body: leased.body,
  };
}

function toLease(result: LeaseResult, done: 'committed' | 'extended'): Lease {
  const { lease, status, untilMs } = result;
  return {
    lease_id: lease,
    status: status === 'done' ? done : 'expired',
    lease_expires_at: untilMs === undefined ? null : new Date(untilMs).toISOString(),
  };
}
