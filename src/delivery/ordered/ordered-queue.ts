/**
 * Runs the queue of one ordered endpoint (DL-16). Reads its head, passes it to the endpoint's
 * actor, deletes it once it is settled, and only then reads the next one. One delivery is in flight
 * at a time, so none overtakes another.
 *
 * States: reading -> attempting -> reading | waiting (for a time, the endpoint or a request) ->
 * reading; ended when the queue is empty, closed when the shard moves to another worker.
 *
 * The queue never stalls. Requests to NATS end by the client's time limits; a failed request is
 * retried after a pause or ends the queue; an attempt ends by its own time limit; every wait has a
 * timer.
 *
 * Crash safety: the head stays in the stream until its record is stored. The number and time of its
 * next attempt are saved before it waits. A crash repeats at most the attempt in flight.
 *
 * Limits: one message in memory, and none during a wait, for any queue length.
 */
import type { StoredMsg } from '@nats-io/jetstream';
import type { Clock } from '#domain/clock.ts';
import type { Log } from '#infra/telemetry/log.ts';
import type { OrderedAction, OrderedActionResult } from '#wire/ordered-action.ts';
import type { InFlightDelivery } from '../intake/in-flight-delivery.ts';
import {
  type HeadEndpoint,
  type HeadState,
  type HeadStep,
  afterStep,
  headState,
  isDue,
  madeReady,
} from './head-state.ts';
import { type HeadFrame, decodeHead, inFlightHead } from './in-flight-head.ts';
import type { QueueStore, SavedHead } from './queue-store.ts';
import { Sleeper } from './sleeper.ts';

const RETRY_DELAY_MS = 500;
/** Longest timer; the head's time is checked again after it. */
const SLEEP_MAX_MS = 3_600_000;

export interface OrderedQueueDeps {
  store: QueueStore;
  /** Passes the delivery to the endpoint's actor. */
  dispatch: (delivery: InFlightDelivery) => void;
  endpoint: (tenant: string, id: string) => HeadEndpoint | undefined;
  /** The brokers' clock, milliseconds since 1970. */
  now: () => number;
  clock: Clock;
  log: Log;
}

interface PendingAction {
  delivery: string;
  what: OrderedAction['what'];
  answer: (result: OrderedActionResult) => void;
}

export class OrderedQueue {
  readonly tenant: string;
  readonly endpoint: string;
  private readonly deps: OrderedQueueDeps;
  private readonly sleeper = new Sleeper();
  private saved: SavedHead = { state: undefined, revision: 0 };
  private head: HeadState | undefined;
  private pendingAction: PendingAction | undefined;
  private afterSeq = 0;
  private isWaiting = false;
  private closed = false;
  private more = false;

  constructor(deps: OrderedQueueDeps, tenant: string, endpoint: string) {
    this.deps = deps;
    this.tenant = tenant;
    this.endpoint = endpoint;
  }

  get isBlocked(): boolean {
    return this.isWaiting && this.head?.status === 'blocked';
  }

  /** Signals that a message was stored in the queue, or that the configuration may have changed. */
  check(): void {
    this.more = true;
    if (this.isWaiting && this.isHeadDue()) this.sleeper.wake();
  }

  /** Starts no further attempt. */
  close(): void {
    this.closed = true;
    this.sleeper.wake();
  }

  /**
   * Applies an action to the head, if it is this delivery and waits. Resolves once the result is
   * stored.
   */
  act(delivery: string, what: OrderedAction['what']): Promise<OrderedActionResult> {
    const waits = this.isWaiting && this.head?.id === delivery && this.pendingAction === undefined;
    if (!waits || this.closed) return Promise.resolve('not_waiting');
    return new Promise((answer) => {
      this.pendingAction = { delivery, what, answer };
      this.sleeper.wake();
    });
  }

  /** Runs until the queue is empty or closed. Never throws. */
  async run(): Promise<void> {
    let loaded = false;
    while (!this.closed) {
      try {
        this.more = false;
        if (!loaded) this.saved = await this.deps.store.load(this.tenant, this.endpoint);
        loaded = true;
        await this.waitUntilDue();
        if (this.closed) break;
        const message = await this.deps.store.next(this.tenant, this.endpoint, this.afterSeq);
        if (message !== null) await this.serve(message);
        else if (!this.more) break;
      } catch (error) {
        this.deps.log.warn(
          { endpoint_id: this.endpoint, error: (error as Error).message },
          'ordered.queue_failed',
        );
        await this.sleeper.sleep(RETRY_DELAY_MS);
      }
    }
    this.pendingAction?.answer('failed');
    this.pendingAction = undefined;
  }

  private async serve(message: StoredMsg): Promise<void> {
    const frame = this.decode(message);
    // An undecodable message can never be sent, and must not block the messages behind it.
    if (frame === undefined) return this.remove(message.seq);
    const known = this.head?.seq === message.seq ? this.head : this.saved.state;
    this.head = headState({ ...frame.head, seq: message.seq }, known);
    // The head that the request named was removed from the stream.
    if (this.pendingAction !== undefined && this.pendingAction.delivery !== frame.head.id)
      this.answer('not_waiting');
    // The saved state says that the head is not due: drop the message and read it again when it is.
    if (this.pendingAction === undefined && !this.isHeadDue()) return;
    const step = await this.attempt(frame, this.head);
    await this.settle(this.head, step);
  }

  private decode(message: StoredMsg): HeadFrame | undefined {
    try {
      return decodeHead(message.data);
    } catch (error) {
      this.deps.log.error({ err: error, subject: message.subject }, 'delivery.undecodable');
      return undefined;
    }
  }

  private isHeadDue(): boolean {
    const endpoint = this.deps.endpoint(this.tenant, this.endpoint);
    return this.head === undefined || isDue(this.head, endpoint, this.deps.now());
  }

  private async waitUntilDue(): Promise<void> {
    if (this.head === undefined || this.isHeadDue()) return;
    this.isWaiting = true;
    while (!this.closed && this.pendingAction === undefined && !this.isHeadDue()) {
      const dueInMs = (this.head?.notBeforeMs ?? 0) - this.deps.now();
      await this.sleeper.sleep(dueInMs > 0 ? Math.min(dueInMs, SLEEP_MAX_MS) : SLEEP_MAX_MS);
    }
    this.isWaiting = false;
    if (this.pendingAction?.what === 'now' && !this.closed) await this.makeReady(this.head);
  }

  private async makeReady(head: HeadState): Promise<void> {
    const ready = madeReady(head);
    await this.save(ready);
    this.head = ready;
    this.answer('done');
  }

  /**
   * Resolves with the actor's result. Every path of a turn reports one (`delivery-processor.ts`,
   * `releaseUnstarted`, `settle.ts`).
   */
  private attempt(frame: HeadFrame, state: HeadState): Promise<HeadStep> {
    const cancelled = this.pendingAction?.what === 'cancel';
    const blocks = this.deps.endpoint(this.tenant, this.endpoint)?.blocks ?? false;
    return new Promise((step) => {
      const where = { tenant: this.tenant, endpoint: this.endpoint };
      const receivedMs = this.deps.clock.monotonicMs();
      const head = { frame, state, where, cancelled, blocks, receivedMs };
      this.deps.dispatch(inFlightHead(head, step));
    });
  }

  private async settle(state: HeadState, step: HeadStep): Promise<void> {
    if (step.kind === 'done') {
      await this.remove(state.seq);
      this.answer('done');
      return;
    }
    const next = afterStep(state, step, this.deps.now());
    if (next.save) await this.save(next.state);
    this.head = next.state;
    this.answer('failed');
  }

  private async remove(seq: number): Promise<void> {
    await this.retryUntilDone(() => this.deps.store.remove(this.tenant, seq));
    this.afterSeq = seq;
    const { revision } = this.saved;
    this.saved = { state: undefined, revision: 0 };
    this.head = undefined;
    if (revision > 0) await this.retryUntilDone(() => this.deps.store.forget(revision));
  }

  private async save(state: HeadState): Promise<void> {
    const { store } = this.deps;
    await this.retryUntilDone(async () => {
      const revision = await store.save(this.tenant, this.endpoint, state, this.saved.revision);
      this.saved = { state, revision };
    });
  }

  /**
   * Retries until the work is stored, because nothing else may happen before. After a close, it
   * fails at the first error.
   */
  private async retryUntilDone(work: () => Promise<void>): Promise<void> {
    for (;;) {
      try {
        await work();
        return;
      } catch (error) {
        this.deps.log.warn({ error: (error as Error).message }, 'ordered.not_stored');
        if (this.closed) throw error;
        await this.sleeper.sleep(RETRY_DELAY_MS);
      }
    }
  }

  private answer(result: OrderedActionResult): void {
    this.pendingAction?.answer(result);
    this.pendingAction = undefined;
  }
}
