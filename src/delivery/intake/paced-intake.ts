import { LoopPace, type LoopPaceDeps } from '#infra/loop-pace.ts';

/**
 * Lets a burst in little by little: some messages, a pause, some more, as many as leave the event loop a pause. So a
 * burst leaves room for what others wait for (answers of receivers, events of other tenants): 100,000 retries may
 * be due at once.
 */
const PAUSE_MS = 4;
const AT_ONCE = { start: 4, least: 2, most: 64, fromMost: 8 };
/** What was let in is cut off the front when it is this many. */
const CUT_AT = 1024;

export interface GentleIntakeDeps<T> {
  /** Must not throw. */
  take: (message: T) => void;
  loop: LoopPaceDeps;
}

export class GentleIntake<T> {
  private readonly deps: GentleIntakeDeps<T>;
  private pace: LoopPace;
  private waiting: T[] = [];
  private next = 0;
  private busy = false;
  private stopped = false;

  constructor(deps: GentleIntakeDeps<T>) {
    this.deps = deps;
    this.pace = new LoopPace(deps.loop, AT_ONCE);
  }

  /** Its owner bounds what may wait: for a consumer it is `max_ack_pending`. */
  push(message: T): void {
    if (this.stopped) return;
    this.waiting.push(message);
    if (this.busy) return;
    // Each burst begins with few.
    this.pace = new LoopPace(this.deps.loop, AT_ONCE);
    this.letIn();
  }

  /** Drops what waits: nothing of it was begun, and whoever takes the shard over is given it again. */
  stop(): void {
    this.stopped = true;
    this.waiting = [];
    this.next = 0;
  }

  /** Node runs a timer that is due by now in the same turn as the one that set it. */
  private readonly inNextTurn = (): void => void setImmediate(() => this.letIn());

  private letIn(): void {
    const end = Math.min(this.next + this.pace.current(), this.waiting.length);
    while (this.next < end) this.deps.take(this.waiting[this.next++] as T);
    this.busy = end > 0;
    if (this.next >= CUT_AT || this.next === this.waiting.length) {
      this.waiting = this.waiting.slice(this.next);
      this.next = 0;
    }
    if (this.busy) setTimeout(this.inNextTurn, PAUSE_MS);
  }
}
