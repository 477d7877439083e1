import type { JsMsg } from '@nats-io/jetstream';

/** Where an event came from. */
export interface EventSource {
  /** Whether this router still owns the shard, by the clock: asked before each publication. */
  mayWork(): boolean;
  /** The event is in hand no more. */
  onEnd(event: EventInHand): void;
}

/** An event that this router has in hand: a message of EV-k, not acked yet. */
export class EventInHand {
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

  /** False once another router may own the shard: nothing more is published of it. */
  mayWork(): boolean {
    return this.source.mayWork();
  }

  /** It was given again while it is in hand: what is said of it then answers the newest. */
  givenAgain(message: JsMsg): void {
    this.message = message;
  }

  /** Asks for another ack_wait. */
  working(): void {
    this.message.working();
  }

  ack(): void {
    this.message.ack();
    this.source.onEnd(this);
  }

  /** It comes again after a while. */
  nak(delayMs: number): void {
    this.message.nak(delayMs);
    this.source.onEnd(this);
  }

  /** Never again. */
  term(reason: string): void {
    this.message.term(reason);
    this.source.onEnd(this);
  }

  /** Lets it go without a word: it is somebody else's by now. */
  drop(): void {
    this.source.onEnd(this);
  }
}
