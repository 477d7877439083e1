/**
 * Keeps a broadcast behind live traffic: limits its endpoints per second, and pauses it while the
 * router or the workers have a backlog. A live event then queues behind a few deliveries of the
 * broadcast, not behind thousands.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { JetStreamManager } from '@nats-io/jetstream';
import type { Clock } from '#domain/clock.ts';
import { consumers, shardOf, streams } from '#wire/subjects.ts';

/**
 * May run ahead of its rate by this much: a timer for each copy would cost more than the copies.
 */
const AHEAD_MS = 10;
/** Pending and unacked messages of a consumer above which a broadcast waits. */
const BACKLOG_MAX = 1024;
const POLL_MS = 50;
/** The longest wait for a backlog: after it the broadcast continues under any load. */
const BACKLOG_WAIT_MS_MAX = 5000;

export interface PaceDeps {
  jsm: JetStreamManager;
  shards: number;
  endpointsPerSecond: number;
  clock: Clock;
}

export class Pace {
  private readonly deps: PaceDeps;
  /** Monotonic milliseconds: when the next endpoint may be published. */
  private nextMs = 0;

  constructor(deps: PaceDeps) {
    this.deps = deps;
  }

  /** Resolves when a copy for this many endpoints may be published. @throws AbortError */
  async take(endpoints: number, signal: AbortSignal): Promise<void> {
    const now = this.deps.clock.monotonicMs();
    const at = Math.max(this.nextMs, now);
    this.nextMs = at + (endpoints * 1000) / this.deps.endpointsPerSecond;
    if (at - now > AHEAD_MS) await delay(at - now, undefined, { signal });
  }

  /**
   * Resolves when the shards of these tenants have a small backlog, or after `BACKLOG_WAIT_MS_MAX`.
   *
   * @throws AbortError, or an error if NATS does not answer
   */
  async untilQuiet(tenants: readonly string[], signal: AbortSignal): Promise<void> {
    const deadlineMs = this.deps.clock.monotonicMs() + BACKLOG_WAIT_MS_MAX;
    const shards = new Set(tenants.map((tenant) => shardOf(tenant, this.deps.shards)));
    for (const shard of shards) {
      while ((await this.isBusy(shard)) && this.deps.clock.monotonicMs() < deadlineMs) {
        await delay(POLL_MS, undefined, { signal });
      }
    }
  }

  /**
   * Acked events of tenants that are behind do not count: they delay their own tenant alone. If
   * they did, one such tenant could slow down each broadcast to all others.
   */
  private async isBusy(shard: number): Promise<boolean> {
    const { jsm } = this.deps;
    const [routing, delivering] = await Promise.all([
      jsm.consumers.info(streams.events(shard), consumers.router),
      jsm.consumers.info(streams.deliveries(shard), consumers.deliverShared),
    ]);
    return [routing, delivering].some(
      (each) => each.num_pending + each.num_ack_pending > BACKLOG_MAX,
    );
  }
}
