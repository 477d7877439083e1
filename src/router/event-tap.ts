/**
 * The events of one shard, in the order of their stream, for the one router that owns it.
 *
 * The consumer numbers what it gives, and counts from 1 after a reset. This router is its only reader, so a
 * number that is missing went to somebody who does not answer: to a router that was stopped and whose pull was
 * still open, or into a connection that broke. The consumer is then reset, and all that is not acked comes
 * again, in order; what came out of order is let go. So an event is seen here before every later one.
 */
import type {
  ConsumerMessages,
  JetStreamClient,
  JetStreamManager,
  JsMsg,
} from '@nats-io/jetstream';
import { consume } from '#infra/nats/consume.ts';
import type { Log } from '#infra/telemetry/log.ts';
import { consumers, streams } from '#wire/subjects.ts';
import { EventInHand, type EventSource } from './event-in-hand.ts';

/** Messages asked for ahead. */
const AHEAD = 512;
const RESET_AGAIN_MS = 250;
/** A pull of a router that was stopped is open for up to 5 s more: until then it may get what is ours. */
const WATCH_MS = 10_000;
const WATCH_EVERY_MS = 500;
const ON_ITS_WAY_MS = 100;
const DRAIN_POLL_MS = 10;

export interface EventTapDeps {
  js: JetStreamClient;
  jsm: JetStreamManager;
  shard: number;
  /** Whether this process owns the shard, by the clock. */
  owns: () => boolean;
  onEvent: (event: EventInHand) => void;
  log: Log;
}

export class EventTap implements EventSource {
  private readonly deps: EventTapDeps;
  private readonly stream: string;
  private readonly inHand = new Map<number, EventInHand>();
  private messages: ConsumerMessages | undefined;
  private expected = 1;
  private resetting: Promise<void> | undefined;
  private watch: NodeJS.Timeout | undefined;
  private watchUntilMs = 0;
  private closed = false;

  constructor(deps: EventTapDeps) {
    this.deps = deps;
    this.stream = streams.events(deps.shard);
  }

  /** @throws where NATS does not answer */
  async open(): Promise<void> {
    const { js, jsm, log } = this.deps;
    // What a router that died had in hand comes again now, not after its ack_wait.
    await jsm.consumers.reset(this.stream, consumers.router);
    // The lease was lost meanwhile. A pull would take what is another router's, if only for a moment.
    if (this.closed) return;
    this.messages = await consume({
      js,
      stream: this.stream,
      consumer: consumers.router,
      ahead: AHEAD,
      onMessage: (message) => this.take(message),
      log,
    });
    if (this.closed) this.messages.stop();
    else this.watchFor(WATCH_MS);
  }

  mayWork(): boolean {
    return !this.closed && this.deps.owns();
  }

  onEnd(event: EventInHand): void {
    if (this.inHand.get(event.seq) === event) this.inHand.delete(event.seq);
  }

  /** Takes no more, and publishes no more of what is in hand. */
  close(): void {
    this.stopPulling();
    this.closed = true;
  }

  /** Takes no more, and waits until what is in hand is routed and acked. */
  async drain(deadlineMs: number): Promise<void> {
    this.stopPulling();
    const deadline = performance.now() + deadlineMs;
    while (this.inHand.size > 0 && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, DRAIN_POLL_MS));
    }
    this.closed = true;
  }

  private stopPulling(): void {
    clearInterval(this.watch);
    this.messages?.stop();
  }

  private take(message: JsMsg): void {
    if (this.closed) return;
    const number = message.info.deliverySequence;
    // 1: the consumer was reset, by this tap or by somebody's hand.
    if (number !== this.expected && number !== 1) {
      this.realign();
      return;
    }
    this.expected = number + 1;
    const known = this.inHand.get(message.seq);
    if (known !== undefined) {
      known.givenAgain(message);
      return;
    }
    const event = new EventInHand(message, this);
    this.inHand.set(event.seq, event);
    this.deps.onEvent(event);
  }

  private realign(): void {
    this.resetting ??= this.reset().finally(() => {
      this.resetting = undefined;
    });
  }

  private async reset(): Promise<void> {
    const { jsm, log, shard } = this.deps;
    // Nothing is taken until the first message after it.
    this.expected = 1;
    log.warn({ shard }, 'router.gap');
    this.watchFor(WATCH_MS);
    try {
      if (this.mayWork()) await jsm.consumers.reset(this.stream, consumers.router);
    } catch (error) {
      log.warn({ shard, error: (error as Error).message }, 'router.reset_failed');
    }
    await new Promise((resolve) => setTimeout(resolve, RESET_AGAIN_MS));
  }

  /** For a while asks the consumer too: the last of what it gave may be missing, and nothing comes after it. */
  private watchFor(forMs: number): void {
    this.watchUntilMs = performance.now() + forMs;
    this.watch ??= setInterval(() => void this.look(), WATCH_EVERY_MS);
  }

  private async look(): Promise<void> {
    if (performance.now() > this.watchUntilMs) {
      clearInterval(this.watch);
      this.watch = undefined;
      return;
    }
    const { expected } = this;
    try {
      const { delivered } = await this.deps.jsm.consumers.info(this.stream, consumers.router);
      if (delivered.consumer_seq < this.expected) return;
      // The server counts a message before it sends it, so its answer may come first.
      await new Promise((resolve) => setTimeout(resolve, ON_ITS_WAY_MS));
      if (this.expected === expected && !this.closed) this.realign();
    } catch {
      // NATS is away: it is asked again.
    }
  }
}
