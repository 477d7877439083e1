import { type Msg, type NatsConnection, type Subscription, createInbox } from '@nats-io/nats-core';

const ANSWER_TIMEOUT_MS = 5000;

/** A message of a stream that was pulled, to be acked by whoever took it. */
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
   * Sequence in the stream: `$JS.ACK.<stream>.<consumer>.<delivered>.<sequence>.…`, with domain and account
   * before the stream in the newer form of 12 tokens (nats-server, ADR-15).
   */
  get seq(): number {
    return Number(this.ackToken(0));
  }

  /** When the stream stored it, milliseconds since 1970: two tokens after the sequence, in nanoseconds. */
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

  /** Asks for another ack_wait. */
  working(): void {
    this.message.respond('+WPI');
  }

  /** Never again. */
  term(reason: string): void {
    this.message.respond(`+TERM ${reason}`);
  }
}

/**
 * Takes what a durable consumer has at this moment, in one go: a pull with `no_wait` (nats-server, ADR-13).
 * For readers that work in batches by the clock, this wakes the process once for a batch, where a standing
 * pull wakes it for every message.
 */
export class BatchPull {
  private readonly nc: NatsConnection;
  private readonly subject: string;
  private readonly inbox = createInbox();
  private readonly subscription: Subscription;
  private messages: PulledMessage[] = [];
  private wanted = 0;
  private done: ((messages: PulledMessage[]) => void) | undefined;
  private timer: NodeJS.Timeout | undefined;

  constructor(deps: { nc: NatsConnection; stream: string; consumer: string }) {
    this.nc = deps.nc;
    this.subject = `$JS.API.CONSUMER.MSG.NEXT.${deps.stream}.${deps.consumer}`;
    this.subscription = this.nc.subscribe(this.inbox, {
      callback: (error, message) => {
        if (error === null) this.take(message);
      },
    });
  }

  /**
   * Resolves with at most `batch` messages of at most `bytesMax` bytes; with none where there are none, or
   * where NATS does not answer. One call at a time. What is not acked comes again after the consumer's ack_wait.
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
    // A message of the stream carries its ack subject; what has none is a status, the end of the batch.
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
