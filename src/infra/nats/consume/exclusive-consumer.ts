/**
 * Reads a durable consumer as its only reader, without missing a message.
 *
 * A consumer numbers its deliveries, from 1 after a reset. A gap in these numbers means that a
 * message went to a dead reader: to a stopped reader whose pull was still open, into a broken
 * connection, or to a broker that died with it. The consumer is then reset, so that unacked
 * messages are redelivered now instead of after its ack_wait. In-flight messages are redelivered
 * too: callers de-duplicate them.
 *
 * Two losses leave no gap: the loss of the last message, as none follows it, and that of a nak on
 * its way to a broker that no longer leads. So for a while after the start the reader also polls
 * the consumer's state. After a lost pull or connection it always resets the consumer, once that
 * answers again.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { ConsumerMessages, JetStreamManager, JsMsg } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/nats-core';
import type { Clock } from '#domain/clock.ts';
import { type ConsumeOptions, consume } from './consume.ts';

const RESET_RETRY_MS = 250;
/**
 * The pull of a stopped reader stays open for up to 5 s more, and may get our messages until then.
 */
const WATCH_MS = 10_000;
const WATCH_EVERY_MS = 500;
const ON_ITS_WAY_MS = 100;

export interface ExclusiveConsumerOptions extends Omit<ConsumeOptions, 'onPullLost'> {
  nc: NatsConnection;
  jsm: JetStreamManager;
  /** True: drop messages behind a gap, since they are redelivered in order. False: deliver them. */
  inOrder: boolean;
  /** Whether this process may reset the consumer. */
  owns: () => boolean;
  clock: Clock;
}

export class ExclusiveConsumer {
  private readonly options: ExclusiveConsumerOptions;
  private messages: ConsumerMessages | undefined;
  private expected = 1;
  private resetting: Promise<void> | undefined;
  private watch: NodeJS.Timeout | undefined;
  private watchUntilMs = 0;
  private looking = false;
  /** A pull or the connection was lost, and the consumer has not been reset since. */
  private broken = false;
  private stopped = false;

  constructor(options: ExclusiveConsumerOptions) {
    this.options = options;
  }

  /**
   * Starts reading. In-flight messages of an earlier reader are redelivered. @throws if NATS
   * does not answer
   */
  async open(): Promise<void> {
    await this.resetConsumer();
    // Stopped in the meantime: even a short pull would take messages of the next reader.
    if (this.stopped) return;
    this.messages = await consume({
      ...this.options,
      onMessage: (message) => this.take(message),
      onPullLost: () => this.onExpired(),
    });
    if (this.stopped) return this.messages.stop();
    this.watchFor(WATCH_MS);
    void this.followConnection();
  }

  /** Pulls no more messages. */
  stop(): void {
    this.stopped = true;
    clearInterval(this.watch);
    this.messages?.stop();
  }

  private take(message: JsMsg): void {
    if (this.stopped) return;
    const number = message.info.deliverySequence;
    // 1: the consumer was reset, by this reader or by an operator.
    if (number === this.expected || number === 1) this.expected = number + 1;
    else {
      this.resync();
      if (this.options.inOrder) return;
    }
    this.options.onMessage(message);
  }

  private resync(): void {
    this.resetting ??= this.reset().finally(() => {
      this.resetting = undefined;
    });
  }

  private async reset(): Promise<void> {
    const { log, stream, consumer } = this.options;
    // Drops every message until the first one after the reset.
    this.expected = 1;
    log.warn({ stream, consumer }, 'nats.gap');
    this.watchFor(WATCH_MS);
    try {
      if (this.mayReset()) await this.resetConsumer();
    } catch (error) {
      log.warn({ stream, consumer, error: (error as Error).message }, 'nats.reset_failed');
    }
    await delay(RESET_RETRY_MS);
  }

  private mayReset(): boolean {
    return !this.stopped && this.options.owns();
  }

  private async resetConsumer(): Promise<void> {
    const { jsm, stream, consumer } = this.options;
    await jsm.consumers.reset(stream, consumer);
  }

  /** Ends at the first ping of the connection after `stop`. */
  private async followConnection(): Promise<void> {
    for await (const { type } of this.options.nc.status()) {
      if (this.stopped) return;
      if (type === 'reconnect') this.onExpired();
    }
  }

  private onExpired(): void {
    this.broken = true;
    this.watchFor(WATCH_MS);
  }

  private watchFor(forMs: number): void {
    if (this.stopped) return;
    this.watchUntilMs = this.options.clock.monotonicMs() + forMs;
    this.watch ??= setInterval(() => void this.poll(), WATCH_EVERY_MS);
  }

  private async poll(): Promise<void> {
    if (!this.broken && this.options.clock.monotonicMs() > this.watchUntilMs) {
      clearInterval(this.watch);
      this.watch = undefined;
      return;
    }
    // One check at a time: an answer from before a reset is no evidence of a loss after it.
    if (this.looking) return;
    this.looking = true;
    const { expected } = this;
    const { jsm, stream, consumer } = this.options;
    try {
      const { delivered } = await jsm.consumers.info(stream, consumer);
      if (!this.broken) {
        if (delivered.consumer_seq < this.expected) return;
        // The server counts a message before it sends it, so its answer may arrive first.
        await delay(ON_ITS_WAY_MS);
        if (this.expected !== expected) return;
      }
      this.broken = false;
      if (this.mayReset()) this.resync();
    } catch {
      // NATS is unavailable: the next check retries.
    } finally {
      this.looking = false;
    }
  }
}
