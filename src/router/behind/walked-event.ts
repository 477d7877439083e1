import type { StoredMsg } from '@nats-io/jetstream';
import type { EventWalk, InFlightEvent } from '../in-flight-event.ts';

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
  private readonly walk: EventWalk;

  constructor(message: StoredMsg, tenant: string, walk: EventWalk) {
    this.seq = message.seq;
    this.subject = message.subject;
    this.data = message.data;
    this.tenant = tenant;
    this.storedMs = message.time.getTime();
    this.walk = walk;
  }

  isOwner(): boolean {
    return this.walk.isOwner();
  }

  /** No ack deadline is running. */
  working(): void {}

  ack(): void {
    this.walk.onRouted(this);
  }

  nak(delayMs: number): void {
    this.walk.onRest(this, delayMs);
  }

  term(): void {
    this.walk.onRouted(this);
  }

  /** Not routed: `from` stays at or below it for the next owner. */
  drop(): void {}
}
