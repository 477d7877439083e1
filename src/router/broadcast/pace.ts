/**
 * Keeps a broadcast behind live traffic: at most so many endpoints a second, and no further part while the router
 * or the workers have much in hand. What a live event finds before it in the streams is then a few of the
 * broadcast's, not thousands.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { JetStreamManager } from '@nats-io/jetstream';
import { consumers, shardOf, streams } from '#wire/subjects.ts';

/** Runs ahead of its pace by as much: a timer for each copy would cost more than the copies. */
const AHEAD_MS = 10;
/** Messages that a consumer has in hand or before it, over which a broadcast waits. */
const BACKLOG_MAX = 1024;
const LOOK_AGAIN_MS = 50;
/** However busy the others are, the broadcast goes on at last. */
const BACKLOG_WAIT_MS_MAX = 5000;

export interface PaceDeps {
  jsm: JetStreamManager;
  shards: number;
  endpointsPerSecond: number;
}

export class Pace {
  private readonly deps: PaceDeps;
  /** Monotonic milliseconds: when the next endpoint may have its turn. */
  private nextMs = 0;

  constructor(deps: PaceDeps) {
    this.deps = deps;
  }

  /** Resolves when a copy for so many endpoints may leave. @throws AbortError */
  async take(endpoints: number, signal: AbortSignal): Promise<void> {
    const now = performance.now();
    const at = Math.max(this.nextMs, now);
    this.nextMs = at + (endpoints * 1000) / this.deps.endpointsPerSecond;
    if (at - now > AHEAD_MS) await delay(at - now, undefined, { signal });
  }

  /**
   * Resolves when the shards of these tenants have little in hand, or after some seconds.
   *
   * @throws AbortError, and where NATS does not answer
   */
  async untilQuiet(tenants: readonly string[], signal: AbortSignal): Promise<void> {
    const deadlineMs = performance.now() + BACKLOG_WAIT_MS_MAX;
    const shards = new Set(tenants.map((tenant) => shardOf(tenant, this.deps.shards)));
    for (const shard of shards) {
      while ((await this.isBusy(shard)) && performance.now() < deadlineMs) {
        await delay(LOOK_AGAIN_MS, undefined, { signal });
      }
    }
  }

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
