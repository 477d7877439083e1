/**
 * Serves the pollers of the endpoints in the shards that this worker owns (DL-19), over requests to
 * `poll.<shard>`. The queues are swept every few seconds, so that each delivery ends within its
 * bound.
 *
 * A poll that finds nothing waits in memory for a notice of the stream. A notice may be lost: a
 * waiting poll looks again after a second. When the shard moves, waiting polls are answered with
 * `moved`, and control asks the next owner.
 */
import type { Msg, NatsConnection, Subscription } from '@nats-io/nats-core';
import type { Clock } from '#domain/clock.ts';
import { RecentIds } from '#domain/bounds/recent-ids.ts';
import { limits } from '#domain/limits.ts';
import { RepeatingFault } from '#infra/telemetry/repeating-fault.ts';
import type { TenantLives } from '#infra/tenant-lives.ts';
import type { ConfigView, EndpointSnapshot } from '#wire/config-snapshot.ts';
import type { PollAnswer, PollRequest } from '#wire/poll-request.ts';
import { parseDeliverySubject, parseWakeSubject, shardOf, subjects } from '#wire/subjects.ts';
import { Sleeper } from '../ordered/sleeper.ts';
import { PollQueue } from './poll-queue.ts';
import type { PollQueueDeps } from './poll-queue-deps.ts';

const SWEEP_EVERY_MS = 2000;
/** With very many queues a sweep takes long: the pause before the next is a multiple of it. */
const SWEEP_PAUSE_FACTOR = 5;
const LOOK_EVERY_MS = 1000;

export interface PollQueuesDeps extends Omit<PollQueueDeps, 'committed' | 'isCommitted'> {
  nc: NatsConnection;
  shards: number;
  config: Pick<ConfigView, 'tenant'>;
  lives: Pick<TenantLives, 'drops' | 'status'>;
  /** Fetches a tenant's configuration unless it was fetched after `sinceMs` (monotonic). */
  refreshTenant: (tenant: string, sinceMs: number) => Promise<void>;
  clock: Clock;
}

interface OpenShard {
  subscriptions: Subscription[];
  timer: NodeJS.Timeout | undefined;
}

export class PollQueues {
  private readonly deps: PollQueuesDeps;
  private readonly queueDeps: PollQueueDeps;
  private readonly fault: RepeatingFault;
  private readonly queues = new Map<string, PollQueue>();
  private readonly waiting = new Map<string, Set<Sleeper>>();
  private readonly shards = new Map<number, OpenShard>();
  private waitingCount = 0;

  constructor(deps: PollQueuesDeps) {
    this.deps = deps;
    const commits = new RecentIds(limits.commitsRemembered);
    this.queueDeps = {
      ...deps,
      committed: (tenant, lease) => commits.add(tenant, lease),
      isCommitted: (tenant, lease) => commits.has(tenant, lease),
    };
    this.fault = new RepeatingFault(deps.log, 'poll.sweep_failed', deps.clock.monotonicMs);
  }

  /** Serves the pollers of a shard. */
  open(shard: number): void {
    const { nc } = this.deps;
    const subscriptions = [
      nc.subscribe(subjects.pollWake(shard), {
        callback: (error, { subject }) => {
          if (error === null) this.wake(parseWakeSubject(subject));
        },
      }),
      nc.subscribe(subjects.pollRequests(shard), {
        callback: (error, message) => {
          if (error === null) void this.serve(shard, message);
        },
      }),
    ];
    const opened: OpenShard = { subscriptions, timer: undefined };
    this.shards.set(shard, opened);
    void this.sweep(shard, opened);
  }

  /** Starts no further step in the shard. */
  close(shard: number): void {
    const opened = this.shards.get(shard);
    if (opened === undefined) return;
    this.shards.delete(shard);
    clearTimeout(opened.timer);
    for (const subscription of opened.subscriptions) subscription.unsubscribe();
    for (const [key, { tenant, endpoint }] of this.queues) {
      if (shardOf(tenant, this.deps.shards) !== shard) continue;
      this.queues.delete(key);
      this.wake({ tenant, endpoint });
    }
  }

  private wake({ tenant, endpoint }: { tenant: string; endpoint: string }): void {
    for (const sleeper of this.waiting.get(keyOf(tenant, endpoint)) ?? []) sleeper.wake();
  }

  private async serve(shard: number, message: Msg): Promise<void> {
    let answer: PollAnswer = { fault: 'failed' };
    try {
      answer = await this.answer(shard, message.json<PollRequest>());
    } catch (error) {
      this.deps.log.warn({ error: (error as Error).message }, 'poll.request_failed');
    }
    message.respond(JSON.stringify(answer));
  }

  private async answer(shard: number, request: PollRequest): Promise<PollAnswer> {
    const { tenant, endpoint } = request;
    const snapshot = await this.find(tenant, endpoint);
    if (snapshot === undefined) return { fault: 'unknown' };
    const { poll: policy } = snapshot;
    if (policy === undefined) return { fault: 'not_polled' };
    const queue = this.queueOf(tenant, endpoint);
    const leaseMs = policy.leaseSeconds * 1000;
    switch (request.what) {
      case 'commit':
        return { results: await queue.commit(request.leases) };
      case 'extend':
        return { results: await queue.extend(request.leases, request.leaseMs ?? leaseMs) };
      case 'poll':
        return this.poll(shard, queue, { ...request, leaseMs: request.leaseMs ?? leaseMs });
    }
  }

  private async poll(
    shard: number,
    queue: PollQueue,
    { limit, leaseMs, waitMs }: { limit: number; leaseMs: number; waitMs: number },
  ): Promise<PollAnswer> {
    const { clock, config } = this.deps;
    const untilMs = clock.monotonicMs() + waitMs;
    for (;;) {
      if (!this.shards.has(shard) || !this.deps.isOwner(queue.tenant)) return { fault: 'moved' };
      const endpoint = endpointOf(config, queue.tenant, queue.endpoint);
      if (endpoint?.poll === undefined) return { fault: 'unknown' };
      if (endpoint.state !== 'active') return { fault: 'not_active' };
      const deliveries = await queue.lease(endpoint.poll, limit, leaseMs);
      const leftMs = untilMs - clock.monotonicMs();
      if (deliveries.length > 0 || leftMs <= 0) return { deliveries };
      if (!(await this.waitForMore(queue, Math.min(leftMs, LOOK_EVERY_MS)))) {
        return { fault: 'busy' };
      }
    }
  }

  /** False: too many polls wait. */
  private async waitForMore({ tenant, endpoint }: PollQueue, ms: number): Promise<boolean> {
    const key = keyOf(tenant, endpoint);
    const others = this.waiting.get(key) ?? new Set<Sleeper>();
    const isFull =
      others.size >= limits.pollsWaitingPerEndpointMax ||
      this.waitingCount >= limits.pollsWaitingMax;
    if (isFull) return false;
    const sleeper = new Sleeper();
    this.waiting.set(key, others.add(sleeper));
    this.waitingCount++;
    await sleeper.sleep(ms);
    this.waitingCount--;
    others.delete(sleeper);
    if (others.size === 0) this.waiting.delete(key);
    return true;
  }

  private async sweep(shard: number, opened: OpenShard): Promise<void> {
    const started = this.deps.clock.monotonicMs();
    try {
      const keys = new Map<string, { tenant: string; endpoint: string }>();
      for (const subject of await this.deps.store.list(shard)) {
        const { tenant, endpoint } = parseDeliverySubject(subject);
        keys.set(keyOf(tenant, endpoint), { tenant, endpoint });
      }
      this.forgetIdle(shard, keys);
      for (const { tenant, endpoint } of keys.values()) {
        if (this.shards.get(shard) !== opened) return;
        await this.sweepOne(tenant, endpoint);
      }
    } catch (error) {
      this.fault.failed(error as Error, { shard });
    }
    if (this.shards.get(shard) !== opened) return;
    const tookMs = this.deps.clock.monotonicMs() - started;
    const inMs = Math.max(SWEEP_EVERY_MS, tookMs * SWEEP_PAUSE_FACTOR);
    opened.timer = setTimeout(() => void this.sweep(shard, opened), inMs);
  }

  private async sweepOne(tenant: string, endpoint: string): Promise<void> {
    const snapshot = await this.find(tenant, endpoint);
    const { lives } = this.deps;
    if (snapshot === undefined) {
      const isDropped = lives.drops(tenant, 'delivery');
      // A tenant that this process does not know yet is looked up again by the next sweep.
      if (!isDropped && lives.status(tenant) === 'unborn') return;
      await this.queueOf(tenant, endpoint).cancelAll(isDropped);
    } else if (snapshot.poll !== undefined && snapshot.state === 'active') {
      await this.queueOf(tenant, endpoint).sweep(snapshot.poll);
    }
  }

  /** Drops the queues that are empty and have no waiting poll. */
  private forgetIdle(shard: number, kept: ReadonlyMap<string, unknown>): void {
    for (const [key, { tenant }] of this.queues) {
      const isIdle = !kept.has(key) && !this.waiting.has(key);
      if (isIdle && shardOf(tenant, this.deps.shards) === shard) this.queues.delete(key);
    }
  }

  private async find(tenant: string, endpoint: string): Promise<EndpointSnapshot | undefined> {
    const { config, clock, refreshTenant } = this.deps;
    const known = endpointOf(config, tenant, endpoint);
    if (known !== undefined) return known;
    await refreshTenant(tenant, clock.monotonicMs());
    return endpointOf(config, tenant, endpoint);
  }

  private queueOf(tenant: string, endpoint: string): PollQueue {
    const key = keyOf(tenant, endpoint);
    const known = this.queues.get(key);
    if (known !== undefined) return known;
    const queue = new PollQueue(this.queueDeps, tenant, endpoint);
    this.queues.set(key, queue);
    return queue;
  }
}

function endpointOf(
  config: Pick<ConfigView, 'tenant'>,
  tenant: string,
  id: string,
): EndpointSnapshot | undefined {
  return config.tenant(tenant)?.endpoints.find((endpoint) => endpoint.id === id);
}

function keyOf(tenant: string, endpoint: string): string {
  return `${tenant}.${endpoint}`;
}
