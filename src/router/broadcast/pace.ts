/** Keeps a broadcast behind live traffic, and limits its endpoints per second. */
import { setTimeout as delay } from 'node:timers/promises';
import type { JetStreamManager } from '@nats-io/jetstream';
import type { Clock } from '#domain/clock.ts';
import { BacklogWait } from '#infra/nats/consume/backlog-wait.ts';
import { consumers, shardOf } from '#wire/subjects.ts';

/**
 * May run ahead of its rate by this much: a timer for each copy would cost more than the copies.
 */
const AHEAD_MS = 10;

export interface PaceDeps {
  jsm: JetStreamManager;
  shards: number;
  endpointsPerSecond: number;
  clock: Clock;
}

export class Pace {
  private readonly deps: PaceDeps;
  private readonly backlog: BacklogWait;
  /** Monotonic milliseconds: when the next endpoint may be published. */
  private nextMs = 0;

  constructor(deps: PaceDeps) {
    this.deps = deps;
    const { jsm, clock } = deps;
    const deliveries = [consumers.deliverShared];
    this.backlog = new BacklogWait({ jsm: async () => jsm, clock, deliveries });
  }

  /** Resolves when a copy for this many endpoints may be published. @throws AbortError */
  async take(endpoints: number, signal: AbortSignal): Promise<void> {
    const now = this.deps.clock.monotonicMs();
    const at = Math.max(this.nextMs, now);
    this.nextMs = at + (endpoints * 1000) / this.deps.endpointsPerSecond;
    if (at - now > AHEAD_MS) await delay(at - now, undefined, { signal });
  }

  /**
   * Resolves when the shards of these tenants have a small backlog, or after 5 s.
   *
   * @throws AbortError, or an error if NATS does not answer
   */
  async untilQuiet(tenants: readonly string[], signal: AbortSignal): Promise<void> {
    const shards = new Set(tenants.map((tenant) => shardOf(tenant, this.deps.shards)));
    await this.backlog.untilQuiet(shards, signal);
  }
}
