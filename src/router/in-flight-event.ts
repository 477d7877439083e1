import type { JsMsg } from '@nats-io/jetstream';

/** The consumer that delivered an event. */
export interface EventSource {
  /** Whether this router still owns the shard, by the clock: checked before each publication. */
  isOwner(): boolean;
  /** The event is no longer in flight. */
  onEnd(event: InFlightEvent): void;
}

/** An event in flight in this router: an unacked message of EV-k. */
export class InFlightEvent {
  readonly seq: number;
  readonly subject: string;
  readonly data: Uint8Array;
  private readonly source: EventSource;
  private message: JsMsg;

  constructor(message: JsMsg, source: EventSource) {
    this.seq = message.seq;
    this.subject = message.subject;
    this.data = message.data;
    this.message = message;
    this.source = source;
  }

  /** When the stream stored it, milliseconds since 1970. */
  get storedMs(): number {
    return this.message.time.getTime();
  }

  /** False once another router may own the shard: nothing more is published for it. */
  isOwner(): boolean {
    return this.source.isOwner();
  }

  /** Records a redelivery while it is in flight: acks and naks then answer the newest delivery. */
  redelivered(message: JsMsg): void {
    this.message = message;
  }

  /** Extends the ack deadline by one ack_wait. */
  working(): void {
    this.message.working();
  }

  ack(): void {
    this.message.ack();
    this.source.onEnd(this);
  }

  /** Asks for redelivery after a delay. */
  nak(delayMs: number): void {
    this.message.nak(delayMs);
    this.source.onEnd(this);
  }

  /** Asks never to redeliver it. */
  term(reason: string): void {
    this.message.term(reason);
    this.source.onEnd(this);
  }

  /** Forgets the event without an answer: another router owns the shard by now. */
  drop(): void {
    this.source.onEnd(this);
  }
}
