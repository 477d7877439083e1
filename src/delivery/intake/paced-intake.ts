import { AimdController, type AimdControllerDeps } from '#domain/contention/aimd-controller.ts';

/**
 * Feeds a burst of messages in small batches with pauses between them; an adaptive batch size keeps
 * the event loop responsive. Receivers' answers and other tenants' events are served in the pauses:
 * 100,000 retries may be due at the same time.
 */
const PAUSE_MS = 4;
const BATCH = { start: 4, least: 2, most: 64, fromMost: 8 };
/** Processed messages are removed from the front of the array when there are this many. */
const COMPACT_AT = 1024;

export interface PacedIntakeDeps<T> {
  /** Must not throw. */
  take: (message: T) => void;
  loop: AimdControllerDeps;
}

export class PacedIntake<T> {
  private readonly deps: PacedIntakeDeps<T>;
  private pace: AimdController;
  private waiting: T[] = [];
  private next = 0;
  private busy = false;
  private stopped = false;

  constructor(deps: PacedIntakeDeps<T>) {
    this.deps = deps;
    this.pace = new AimdController(deps.loop, BATCH);
  }

  /**
   * Adds a message. The owner bounds the number that wait; for a consumer, `max_ack_pending` does.
   */
  push(message: T): void {
    if (this.stopped) return;
    this.waiting.push(message);
    if (this.busy) return;
    // Each burst starts with a small batch.
    this.pace = new AimdController(this.deps.loop, BATCH);
    this.processBatch();
  }

  /**
   * Drops the waiting messages. None of them has started; the shard's next owner gets them again.
   */
  stop(): void {
    this.stopped = true;
    this.waiting = [];
    this.next = 0;
  }

  /**
   * Defers to the next turn of the event loop: Node runs a timer that is already due in the turn
   * that set it.
   */
  private readonly inNextTurn = (): void => void setImmediate(() => this.processBatch());

  private processBatch(): void {
    const end = Math.min(this.next + this.pace.current(), this.waiting.length);
    while (this.next < end) this.deps.take(this.waiting[this.next++] as T);
    this.busy = end > 0;
    if (this.next >= COMPACT_AT || this.next === this.waiting.length) {
      this.waiting = this.waiting.slice(this.next);
      this.next = 0;
    }
    if (this.busy) setTimeout(this.inNextTurn, PAUSE_MS);
  }
}
