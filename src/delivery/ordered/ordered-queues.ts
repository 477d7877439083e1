/**
 * Runs the queues of the ordered endpoints in the shards that this worker owns (DL-16). A queue
 * exists while it has messages; an endpoint without a backlog costs nothing.
 *
 * The stream announces each stored message in a core message, which may be lost. Once a second, the
 * stream is also listed, so a lost announcement delays a queue by at most a second.
 *
 * A non-empty queue of an open shard therefore always runs or is found by the next poll. The poll
 * of a shard schedules the next one even after a failure, until the shard is closed. It starts each
 * listed queue that does not run, and wakes the others. A queue closed with its shard ends with its
 * attempt in flight, and only then starts again.
 */
import type { Msg, NatsConnection, Subscription } from '@nats-io/nats-core';
import type { Log } from '#infra/telemetry/log.ts';
import { RepeatingFault } from '#infra/telemetry/repeating-fault.ts';
import { type OrderedActionResult, decodeOrderedAction } from '#wire/ordered-action.ts';
import { parseDeliverySubject, parseWakeSubject, subjects } from '#wire/subjects.ts';
import { OrderedQueue, type OrderedQueueDeps } from './ordered-queue.ts';
import type { NatsQueueStore } from './queue-store.ts';

const POLL_EVERY_MS = 1000;
/**
 * With very many queues a poll takes long. The pause before the next is at least this many times
 * its duration.
 */
const POLL_PAUSE_FACTOR = 20;

export interface OrderedQueuesDeps extends Omit<OrderedQueueDeps, 'store'> {
  nc: NatsConnection;
  store: NatsQueueStore;
  log: Log;
}

interface RunningQueue {
  queue: OrderedQueue;
  shard: number;
  done: Promise<void>;
}

interface OpenShard {
  subscriptions: Subscription[];
  timer: NodeJS.Timeout | undefined;
}

export class OrderedQueues {
  private readonly deps: OrderedQueuesDeps;
  private readonly fault: RepeatingFault;
  private readonly queues = new Map<string, RunningQueue>();
  private readonly shards = new Map<number, OpenShard>();

  constructor(deps: OrderedQueuesDeps) {
    this.deps = deps;
    this.fault = new RepeatingFault(deps.log, 'ordered.look_failed', deps.clock.monotonicMs);
  }

  /** Queues that are not empty. */
  get size(): number {
    return this.queues.size;
  }

  /** Queues whose head is blocked. */
  get blocked(): number {
    let blocked = 0;
    for (const { queue } of this.queues.values()) if (queue.isBlocked) blocked++;
    return blocked;
  }

  /** Starts the queues of a shard. */
  open(shard: number): void {
    const { nc } = this.deps;
    const subscriptions = [
      nc.subscribe(subjects.orderedWake(shard), {
        callback: (error, message) => {
          if (error !== null) return;
          const { tenant, endpoint } = parseWakeSubject(message.subject);
          this.wake(shard, tenant, endpoint);
        },
      }),
      nc.subscribe(subjects.orderedActions(shard), {
        callback: (error, message) => {
          if (error === null) void this.answer(message);
        },
      }),
    ];
    const opened: OpenShard = { subscriptions, timer: undefined };
    this.shards.set(shard, opened);
    void this.poll(shard, opened);
  }

  /** Starts no further attempt in the shard. */
  close(shard: number): void {
    const opened = this.shards.get(shard);
    if (opened === undefined) return;
    this.shards.delete(shard);
    clearTimeout(opened.timer);
    for (const subscription of opened.subscriptions) subscription.unsubscribe();
    for (const { queue } of this.ofShard(shard)) queue.close();
  }

  /** Resolves when the in-flight results of the closed shard's queues are stored. */
  async settled(shard: number): Promise<void> {
    await Promise.all(this.ofShard(shard).map(({ done }) => done));
  }

  private ofShard(shard: number): RunningQueue[] {
    return [...this.queues.values()].filter((one) => one.shard === shard);
  }

  private wake(shard: number, tenant: string, endpoint: string): void {
    if (!this.shards.has(shard)) return;
    const key = `${tenant}.${endpoint}`;
    const known = this.queues.get(key);
    if (known !== undefined) {
      known.queue.check();
      return;
    }
    const queue = new OrderedQueue(this.deps, tenant, endpoint);
    const running: RunningQueue = { queue, shard, done: Promise.resolve() };
    this.queues.set(key, running);
    running.done = queue.run().finally(() => this.queues.delete(key));
  }

  private async poll(shard: number, opened: OpenShard): Promise<void> {
    const started = this.deps.clock.monotonicMs();
    try {
      const found = await this.deps.store.list(shard);
      for (const subject in found) {
        const { tenant, endpoint } = parseDeliverySubject(subject);
        this.wake(shard, tenant, endpoint);
      }
    } catch (error) {
      this.fault.failed(error as Error, { shard });
    }
    if (this.shards.get(shard) !== opened) return;
    const tookMs = this.deps.clock.monotonicMs() - started;
    const inMs = Math.max(POLL_EVERY_MS, tookMs * POLL_PAUSE_FACTOR);
    opened.timer = setTimeout(() => void this.poll(shard, opened), inMs);
  }

  private async answer(message: Msg): Promise<void> {
    let result: OrderedActionResult = 'failed';
    try {
      const { tenant, endpoint, delivery, what } = decodeOrderedAction(message.string());
      const known = this.queues.get(`${tenant}.${endpoint}`);
      result = known === undefined ? 'not_waiting' : await known.queue.act(delivery, what);
    } catch (error) {
      this.deps.log.error({ err: error }, 'ordered.action_failed');
    }
    message.respond(result);
  }
}
