import type { JsMsg } from '@nats-io/jetstream';
import { tenantOfEvent } from '#wire/subjects.ts';

/** How often the ack deadline of a waiting event is extended: well within the ack_wait. */
export const WORKING_EVERY_MS = 10_000;

/**
 * An event in flight in this router: an unacked message of its consumer, or one that is read again
 * for a tenant that is behind (`behind/walked-event.ts`).
 */
export interface InFlightEvent {
  /** Sequence in EV-k. */
  readonly seq: number;
  readonly subject: string;
  readonly data: Uint8Array;
  /** Life id. */
  readonly tenant: string;
  /** When the stream stored it, milliseconds since 1970. */
  readonly storedMs: number;
  /** False once another router may own the shard: nothing more is published for it. */
  isOwner(): boolean;
  /** Extends the ack deadline by one ack_wait. */
  working(): void;
  ack(): void;
  /** Routes it again after a delay. */
  nak(delayMs: number): void;
  /** It is never routed again. */
  term(reason: string): void;
  /** Forgets the event without an answer: another router owns the shard by now. */
  drop(): void;
}

/** The consumer that delivered an event. */
export interface EventSource {
  /** Whether this router still owns the shard, by the clock: checked before each publication. */
  isOwner(): boolean;
  /**
   * The event is no longer in flight.
   *
   * @param delayMs it is redelivered after this time; undefined: never, or to another router
   */
  onEnd(event: ConsumedEvent, delayMs?: number): void;
}

/** An unacked message of the router's consumer. */
export class ConsumedEvent implements InFlightEvent {
  readonly seq: number;
  readonly subject: string;
  readonly data: Uint8Array;
  readonly tenant: string;
  /** It has one of its tenant's places in the window (`behind/window-shares.ts`). */
  hasPlace = false;
  private readonly source: EventSource;
  private message: JsMsg;

  constructor(message: JsMsg, source: EventSource) {
    this.seq = message.seq;
    this.subject = message.subject;
    this.data = message.data;
    this.tenant = tenantOfEvent(message.subject);
    this.message = message;
    this.source = source;
  }

  get storedMs(): number {
    return this.message.time.getTime();
  }

  isOwner(): boolean {
    return this.source.isOwner();
  }

  /** Records a redelivery while it is in flight: acks and naks then answer the newest delivery. */
  redelivered(message: JsMsg): void {
    this.message = message;
  }

  working(): void {
    this.message.working();
  }

  ack(): void {
    this.message.ack();
    this.source.onEnd(this);
  }

  nak(delayMs: number): void {
    this.message.nak(delayMs);
    this.source.onEnd(this, delayMs);
  }

  term(reason: string): void {
    this.message.term(reason);
    this.source.onEnd(this);
  }

  drop(): void {
    this.source.onEnd(this);
  }
}
