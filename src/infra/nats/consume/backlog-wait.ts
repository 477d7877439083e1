/**
 * Keeps bulk work behind live traffic: waits while the router or the workers of a shard have a
 * backlog. A live event then queues behind a few deliveries of the bulk work, not behind thousands.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { JetStreamManager } from '@nats-io/jetstream';
import type { Clock } from '#domain/clock.ts';
import { consumers, streams } from '#wire/subjects.ts';

/** Pending and unacked messages of a consumer above which bulk work waits. */
const BACKLOG_MAX = 1024;
const POLL_MS = 50;
/** The longest wait for a backlog: after it the bulk work continues under any load. */
const BACKLOG_WAIT_MS_MAX = 5000;

export interface BacklogWaitDeps {
  /** Opened on first use. */
  jsm: () => Promise<JetStreamManager>;
  clock: Clock;
  /** Consumers of deliveries whose backlog counts. */
  deliveries: readonly string[];
}

export class BacklogWait {
  private readonly deps: BacklogWaitDeps;

  constructor(deps: BacklogWaitDeps) {
    this.deps = deps;
  }

  /**
   * Resolves when these shards have a small backlog, or after 5 s.
   *
   * @throws AbortError, or an error if NATS does not answer
   */
  async untilQuiet(shards: Iterable<number>, signal: AbortSignal): Promise<void> {
    const deadlineMs = this.deps.clock.monotonicMs() + BACKLOG_WAIT_MS_MAX;
    for (const shard of shards) {
      while ((await this.isBusy(shard)) && this.deps.clock.monotonicMs() < deadlineMs) {
        await delay(POLL_MS, undefined, { signal });
      }
    }
  }

  /**
   * Acked events of tenants that are behind do not count: they delay their own tenant alone. If
   * they did, one such tenant could slow down the bulk work of all others.
   */
  private async isBusy(shard: number): Promise<boolean> {
    const jsm = await this.deps.jsm();
    const infos = await Promise.all([
      jsm.consumers.info(streams.events(shard), consumers.router),
      ...this.deps.deliveries.map((name) => jsm.consumers.info(streams.deliveries(shard), name)),
    ]);
    return infos.some((each) => each.num_pending + each.num_ack_pending > BACKLOG_MAX);
  }
}
