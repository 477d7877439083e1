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
  /** Routes it again after a delay, or before: it may then be delayed again. */
  nak(delayMs: number): void;
  /** It is never routed again. */
  term(reason: string): void;
  /** Forgets the event without an answer: another router owns the shard by now. */
  drop(): void;
}

/** The consumer that delivered an event. */
export interface EventSource {
  /**
   * Longest delay of one nak, in milliseconds: an unacked event holds the ack floor, and its tenant
   * can become behind, which acks it, only once it is redelivered.
   */
  readonly restMsMax: number;
  /** Whether this router still owns the shard, by the clock: checked before each publication. */
  isOwner(): boolean;
  /**
   * The event is no longer in flight.
   *
   * @param delayMs it is redelivered after this time; undefined: never, or to another router
   */
  onEnd(event: ConsumedEvent, delayMs?: number): void;
}

/** Counts the unrouted events of a tenant that is behind (`behind/walk.ts`). */
export interface EventWalk {
  isOwner(): boolean;
  /** The event is routed, or never will be. */
  onRouted(event: InFlightEvent): void;
  /** The event is to be routed again after a delay. */
  onRest(event: InFlightEvent, delayMs: number): void;
}

/** An event that the router's consumer delivered; unacked until it is routed or detached. */
export class ConsumedEvent implements InFlightEvent {
  readonly seq: number;
  readonly subject: string;
  readonly data: Uint8Array;
  readonly tenant: string;
  /** It has one of its tenant's places in the window (`behind/window-shares.ts`). */
  hasPlace = false;
  /** When it arrived, in ticks of `BehindTenants`. */
  tick = 0;
  /** When it arrived before its first nak. */
  firstTick = 0;
  private readonly source: EventSource;
  private message: JsMsg;
  private walk: EventWalk | undefined;
  private isDetached = false;

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

  /** Its tenant is behind: from now on it reports its end to the walk, which also repeats it. */
  joinWalk(walk: EventWalk): void {
    this.walk = walk;
  }

  /** Acks it although it is not routed: the walk's state in NATS covers it. */
  detach(): void {
    this.isDetached = true;
    this.message.ack();
    this.source.onEnd(this);
  }

  working(): void {
    if (!this.isDetached) this.message.working();
  }

  ack(): void {
    if (!this.isDetached) {
      this.message.ack();
      this.source.onEnd(this);
    }
    this.walk?.onRouted(this);
  }

  nak(delayMs: number): void {
    if (this.walk !== undefined) this.walk.onRest(this, delayMs);
    else {
      const restMs = Math.min(delayMs, this.source.restMsMax);
      this.message.nak(restMs);
      this.source.onEnd(this, restMs);
    }
  }

  term(reason: string): void {
    if (!this.isDetached) {
      this.message.term(reason);
      this.source.onEnd(this);
    }
    this.walk?.onRouted(this);
  }

  drop(): void {
    if (!this.isDetached) this.source.onEnd(this);
  }
}
