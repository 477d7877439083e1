import type { Msg, NatsConnection, Subscription } from '@nats-io/nats-core';
import { newInbox } from '../new-inbox.ts';

const ANSWER_TIMEOUT_MS = 5000;

/** A message that was pulled from a stream. The caller acks it. */
export class PulledMessage {
  readonly subject: string;
  readonly data: Uint8Array;
  private readonly message: Msg;

  constructor(message: Msg) {
    this.message = message;
    this.subject = message.subject;
    this.data = message.data;
  }

  /**
   * Sequence in the stream: `$JS.ACK.<stream>.<consumer>.<delivered>.<sequence>.…`, with domain and
   * account before the stream in the newer form of 12 tokens (nats-server, ADR-15).
   */
  get seq(): number {
    return Number(this.ackToken(0));
  }

  /**
   * When the stream stored it, milliseconds since 1970: two tokens after the sequence, in
   * nanoseconds.
   */
  get storedMs(): number {
    return Math.floor(Number(this.ackToken(2)) / 1e6);
  }

  private ackToken(afterSequence: number): string | undefined {
    const tokens = (this.message.reply ?? '').split('.');
    return tokens[(tokens.length === 9 ? 5 : 7) + afterSequence];
  }

  ack(): void {
    this.message.respond('+ACK');
  }

  /** Extends the ack deadline by another ack_wait. */
  working(): void {
    this.message.respond('+WPI');
  }

  /** The message is never redelivered. */
  term(reason: string): void {
    this.message.respond(`+TERM ${reason}`);
  }
}

/**
 * Takes the messages that a durable consumer has now, in one pull with `no_wait` (nats-server,
 * ADR-13). It suits readers that work in timed batches: it wakes the process once per batch, while
 * a long-lived pull wakes it for every message.
 */
export class BatchPull {
  private readonly nc: NatsConnection;
  private readonly subject: string;
  private readonly inbox: string;
  private readonly subscription: Subscription;
  private messages: PulledMessage[] = [];
  private wanted = 0;
  private done: ((messages: PulledMessage[]) => void) | undefined;
  private timer: NodeJS.Timeout | undefined;

  constructor(deps: { nc: NatsConnection; stream: string; consumer: string }) {
    this.nc = deps.nc;
    this.inbox = newInbox(deps.nc);
    this.subject = `$JS.API.CONSUMER.MSG.NEXT.${deps.stream}.${deps.consumer}`;
    this.subscription = this.nc.subscribe(this.inbox, {
      callback: (error, message) => {
        if (error === null) this.take(message);
      },
    });
  }

  /**
   * Resolves with at most `batch` messages of at most `bytesMax` bytes; with none if there are
   * none, or if NATS does not answer. One call at a time. Unacked messages are redelivered after
   * the consumer's ack_wait.
   */
  pull(batch: number, bytesMax: number): Promise<PulledMessage[]> {
    return new Promise((resolve) => {
      this.wanted = batch;
      this.done = resolve;
      this.timer = setTimeout(() => this.end(), ANSWER_TIMEOUT_MS);
      const request = JSON.stringify({ batch, max_bytes: bytesMax, no_wait: true });
      this.nc.publish(this.subject, request, { reply: this.inbox });
    });
  }

  close(): void {
    this.subscription.unsubscribe();
    this.end();
  }

  private take(message: Msg): void {
    // A message of the stream has a reply subject for its ack; a message without one is a status,
    // which ends the batch.
    if (message.reply === undefined || message.reply === '') this.end();
    else {
      this.messages.push(new PulledMessage(message));
      if (this.messages.length >= this.wanted) this.end();
    }
  }

  private end(): void {
    const { messages, done } = this;
    if (done === undefined) return;
    clearTimeout(this.timer);
    this.messages = [];
    this.done = undefined;
    done(messages);
  }
}
