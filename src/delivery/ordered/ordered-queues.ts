/**
 * The queues of the ordered endpoints of the shards that this worker owns (DL-16). One is at work while it holds
 * something; an endpoint without a backlog costs nothing.
 *
 * The stream says at once what was stored for which queue (a core message, which may be lost), and once a second
 * the stream is asked which queues there are: a message that was lost costs a second.
 *
 * So a queue that holds something and whose shard is open is always at work, or will be looked at: the look of a shard
 * sets the timer of the next one whatever came of it, until the shard is closed, and begins each queue that the stream
 * names and that is not at work, or looks at what it waits for. One that was closed with its shard ends with the attempt
 * in flight, and only then is begun anew.
 */
import type { Msg, NatsConnection, Subscription } from '@nats-io/nats-core';
import type { Log } from '#infra/telemetry/log.ts';
import { type OrderedActionResult, decodeOrderedAction } from '#wire/ordered-action.ts';
import { parseDeliverySubject, parseWakeSubject, subjects } from '#wire/subjects.ts';
import { OrderedQueue, type OrderedQueueDeps } from './ordered-queue.ts';
import type { NatsQueueStore } from './queue-store.ts';

const LOOK_EVERY_MS = 1000;
/** Where a look takes long, as there are very many queues, this many times that passes before the next. */
const LOOK_SHARE = 20;

export interface OrderedQueuesDeps extends Omit<OrderedQueueDeps, 'store'> {
  nc: NatsConnection;
  store: NatsQueueStore;
  log: Log;
}

interface AtWork {
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
  private readonly queues = new Map<string, AtWork>();
  private readonly shards = new Map<number, OpenShard>();

  constructor(deps: OrderedQueuesDeps) {
    this.deps = deps;
  }

  /** Queues that hold something. */
  get size(): number {
    return this.queues.size;
  }

  /** Queues whose head is blocked. */
  get blocked(): number {
    let blocked = 0;
    for (const { queue } of this.queues.values()) if (queue.isBlocked) blocked++;
    return blocked;
  }

  /** Begins to work on the queues of a shard. */
  open(shard: number): void {
    const { nc } = this.deps;
    const subscriptions = [
      nc.subscribe(subjects.wake(shard), {
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
    void this.look(shard, opened);
  }

  /** Starts nothing more of a shard. */
  close(shard: number): void {
    const opened = this.shards.get(shard);
    if (opened === undefined) return;
    this.shards.delete(shard);
    clearTimeout(opened.timer);
    for (const subscription of opened.subscriptions) subscription.unsubscribe();
    for (const { queue } of this.ofShard(shard)) queue.close();
  }

  /** Resolves when what the queues of a closed shard had in flight is stored. */
  async settled(shard: number): Promise<void> {
    await Promise.all(this.ofShard(shard).map(({ done }) => done));
  }

  private ofShard(shard: number): AtWork[] {
    return [...this.queues.values()].filter((one) => one.shard === shard);
  }

  private wake(shard: number, tenant: string, endpoint: string): void {
    if (!this.shards.has(shard)) return;
    const key = `${tenant}.${endpoint}`;
    const known = this.queues.get(key);
    if (known !== undefined) {
      known.queue.look();
      return;
    }
    const queue = new OrderedQueue(this.deps, tenant, endpoint);
    const atWork: AtWork = { queue, shard, done: Promise.resolve() };
    this.queues.set(key, atWork);
    atWork.done = queue.run().finally(() => this.queues.delete(key));
  }

  private async look(shard: number, opened: OpenShard): Promise<void> {
    const started = performance.now();
    try {
      const found = await this.deps.store.list(shard);
      for (const subject in found) {
        const { tenant, endpoint } = parseDeliverySubject(subject);
        this.wake(shard, tenant, endpoint);
      }
    } catch (error) {
      this.deps.log.warn({ shard, error: (error as Error).message }, 'ordered.look_failed');
    }
    if (this.shards.get(shard) !== opened) return;
    const tookMs = performance.now() - started;
    const inMs = Math.max(LOOK_EVERY_MS, tookMs * LOOK_SHARE);
    opened.timer = setTimeout(() => void this.look(shard, opened), inMs);
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
