/**
 * Lets a burst in little by little: a few messages, then a pause as long as the turn of the event loop was in which
 * they came. So a burst leaves room for what others wait for (answers of receivers, events of other tenants):
 * 100,000 retries may be due at once.
 */
const PER_TURN = 4;
/** On a machine that is busy with other things a turn takes long by itself. */
const PAUSE_MAX_MS = 4;
/** What was let in is cut off the front when it is this many. */
const CUT_AT = 1024;

export class GentleIntake<T> {
  private readonly take: (message: T) => void;
  private waiting: T[] = [];
  private next = 0;
  private busy = false;
  private stopped = false;

  /** @param take must not throw */
  constructor(take: (message: T) => void) {
    this.take = take;
  }

  /** Its owner bounds what may wait: for a consumer it is `max_ack_pending`. */
  push(message: T): void {
    if (this.stopped) return;
    this.waiting.push(message);
    if (!this.busy) this.letIn();
  }

  /** Drops what waits: nothing of it was begun, and whoever takes the shard over is given it again. */
  stop(): void {
    this.stopped = true;
    this.waiting = [];
    this.next = 0;
  }

  private letIn(): void {
    const end = Math.min(this.next + PER_TURN, this.waiting.length);
    const beganMs = performance.now();
    while (this.next < end) this.take(this.waiting[this.next++] as T);
    this.busy = end > 0;
    if (this.next >= CUT_AT || this.next === this.waiting.length) {
      this.waiting = this.waiting.slice(this.next);
      this.next = 0;
    }
    if (this.busy) setImmediate(() => this.pause(performance.now() - beganMs));
  }

  private pause(turnMs: number): void {
    setTimeout(() => this.letIn(), Math.min(turnMs, PAUSE_MAX_MS));
  }
}
