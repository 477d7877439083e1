/**
 * Reads a durable consumer as its only reader, and misses nothing that it gives.
 *
 * A consumer numbers what it gives, and counts from 1 after a reset. A number that is missing went to somebody who does
 * not answer: to a reader that was stopped and whose pull was still open, into a connection that broke, or to a broker
 * that died with it. The consumer is then reset, and all that is not acked comes again now, not after its ack_wait;
 * what is in hand comes a second time, and its owner has to know it.
 *
 * Two losses show no gap: of the last that was given, as nothing comes after it, and of a nak on its way to a broker that
 * does not lead any more. So for a while after the beginning the consumer is asked too, and once it answers
 * again after a pull or a connection was lost, it is reset in any case.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { ConsumerMessages, JetStreamManager, JsMsg } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/nats-core';
import { type ConsumeOptions, consume } from './consume.ts';

const RESET_AGAIN_MS = 250;
/** A pull of a reader that was stopped is open for up to 5 s more: until then it may get what is ours. */
const WATCH_MS = 10_000;
const WATCH_EVERY_MS = 500;
const ON_ITS_WAY_MS = 100;

export interface SoleReaderOptions extends Omit<ConsumeOptions, 'onPullLost'> {
  nc: NatsConnection;
  jsm: JetStreamManager;
  /** What comes behind a gap is let go of: it comes again in its order. Else it is given all the same. */
  inOrder: boolean;
  /** Whether the consumer is this process's to reset. */
  owns: () => boolean;
}

export class SoleReader {
  private readonly options: SoleReaderOptions;
  private messages: ConsumerMessages | undefined;
  private expected = 1;
  private resetting: Promise<void> | undefined;
  private watch: NodeJS.Timeout | undefined;
  private watchUntilMs = 0;
  private looking = false;
  /** A pull or the connection was lost, and the consumer not reset since. */
  private broken = false;
  private stopped = false;

  constructor(options: SoleReaderOptions) {
    this.options = options;
  }

  /** Begins. What an earlier reader had in hand comes again. @throws where NATS does not answer */
  async open(): Promise<void> {
    await this.resetConsumer();
    // Stopped meanwhile: a pull would take what is another's, if only for a moment.
    if (this.stopped) return;
    this.messages = await consume({
      ...this.options,
      onMessage: (message) => this.take(message),
      onPullLost: () => this.onLost(),
    });
    if (this.stopped) return this.messages.stop();
    this.watchFor(WATCH_MS);
    void this.followConnection();
  }

  /** Takes no more. */
  stop(): void {
    this.stopped = true;
    clearInterval(this.watch);
    this.messages?.stop();
  }

  private take(message: JsMsg): void {
    if (this.stopped) return;
    const number = message.info.deliverySequence;
    // 1: the consumer was reset, by this reader or by somebody's hand.
    if (number === this.expected || number === 1) this.expected = number + 1;
    else {
      this.realign();
      if (this.options.inOrder) return;
    }
    this.options.onMessage(message);
  }

  private realign(): void {
    this.resetting ??= this.reset().finally(() => {
      this.resetting = undefined;
    });
  }

  private async reset(): Promise<void> {
    const { log, stream, consumer } = this.options;
    // Nothing is in its order until the first message after it.
    this.expected = 1;
    log.warn({ stream, consumer }, 'nats.gap');
    this.watchFor(WATCH_MS);
    try {
      if (this.mayReset()) await this.resetConsumer();
    } catch (error) {
      log.warn({ stream, consumer, error: (error as Error).message }, 'nats.reset_failed');
    }
    await delay(RESET_AGAIN_MS);
  }

  private mayReset(): boolean {
    return !this.stopped && this.options.owns();
  }

  private async resetConsumer(): Promise<void> {
    const { jsm, stream, consumer } = this.options;
    await jsm.consumers.reset(stream, consumer);
  }

  /** Ends at the next ping of the connection once it is stopped. */
  private async followConnection(): Promise<void> {
    for await (const { type } of this.options.nc.status()) {
      if (this.stopped) return;
      if (type === 'reconnect') this.onLost();
    }
  }

  private onLost(): void {
    this.broken = true;
    this.watchFor(WATCH_MS);
  }

  private watchFor(forMs: number): void {
    if (this.stopped) return;
    this.watchUntilMs = performance.now() + forMs;
    this.watch ??= setInterval(() => void this.look(), WATCH_EVERY_MS);
  }

  private async look(): Promise<void> {
    if (!this.broken && performance.now() > this.watchUntilMs) {
      clearInterval(this.watch);
      this.watch = undefined;
      return;
    }
    // One at a time: what an answer from before a reset says is no loss after it.
    if (this.looking) return;
    this.looking = true;
    const { expected } = this;
    const { jsm, stream, consumer } = this.options;
    try {
      const { delivered } = await jsm.consumers.info(stream, consumer);
      if (!this.broken) {
        if (delivered.consumer_seq < this.expected) return;
        // The server counts a message before it sends it, so its answer may come first.
        await delay(ON_ITS_WAY_MS);
        if (this.expected !== expected) return;
      }
      this.broken = false;
      if (this.mayReset()) this.realign();
    } catch {
      // NATS is away: it is asked again.
    } finally {
      this.looking = false;
    }
  }
}
