import type { StoredMsg } from '@nats-io/jetstream';
import type { InFlightEvent } from '../in-flight-event.ts';

/** The walk that read an event. */
export interface WalkedEventSource {
  isOwner(): boolean;
  /** The event is routed, or never will be. */
  onRouted(event: WalkedEvent): void;
  /** The event is to be routed again after a delay. */
  onRest(event: WalkedEvent, delayMs: number): void;
}

/**
 * An event of a tenant that is behind. It was acked already: the walk keeps `from` at or below it
 * until it is routed, so the next owner of the shard reads it again after a crash.
 */
export class WalkedEvent implements InFlightEvent {
  readonly seq: number;
  readonly subject: string;
  readonly data: Uint8Array;
  readonly tenant: string;
  readonly storedMs: number;
  private readonly source: WalkedEventSource;

  constructor(message: StoredMsg, tenant: string, source: WalkedEventSource) {
    this.seq = message.seq;
    this.subject = message.subject;
    this.data = message.data;
    this.tenant = tenant;
    this.storedMs = message.time.getTime();
    this.source = source;
  }

  isOwner(): boolean {
    return this.source.isOwner();
  }

  /** No ack deadline is running. */
  working(): void {}

  ack(): void {
    this.source.onRouted(this);
  }

  nak(delayMs: number): void {
    this.source.onRest(this, delayMs);
  }

  term(): void {
    this.source.onRouted(this);
  }

  /** Not routed: `from` stays at or below it for the next owner. */
  drop(): void {}
}
