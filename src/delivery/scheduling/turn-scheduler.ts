import { isWithinShare } from '#domain/bounds/fair-shares.ts';

/**
 * Shares a worker's slots between its tenants: those with something to run stand in a ring, and each turn
 * gives a tenant as many attempts as its weight (deficit round robin with a cost of one: Shreedhar and
 * Varghese, 1995). A tenant whose receivers hang holds its slots for as long as an attempt may take, so it gets at most
 * its share of them (`isWithinShare`): the last are left to tenants that hold none.
 */
export interface TurnTaker {
  /** Its attempts that are running. */
  readonly running: number;
  /** Attempts in one turn, at least 1. */
  readonly weight: number;
  /** Starts one attempt; false when there is none to start. */
  runNext(): boolean;
  /** Whether there is more to start. */
  readonly hasRunnable: boolean;
}

export class TurnScheduler {
  private readonly slots: number;
  private ring: TurnTaker[] = [];
  private readonly inRing = new Set<TurnTaker>();
  private running = 0;
  /** Of the first in the ring; slots become free one by one, so its turn goes on with the next. */
  private turnsLeft = 0;

  /** @param slots attempts that the worker may have in flight */
  constructor(slots: number) {
    this.slots = slots;
  }

  get inFlight(): number {
    return this.running;
  }

  /** The taker has something to run. */
  ready(taker: TurnTaker): void {
    if (!this.inRing.has(taker)) {
      this.inRing.add(taker);
      this.ring.push(taker);
    }
    this.pump();
  }

  /** An attempt has ended. */
  release(): void {
    this.running--;
    this.pump();
  }

  private pump(): void {
    let overShare = 0;
    while (this.running < this.slots && overShare < this.ring.length) {
      const taker = this.ring[0] as TurnTaker;
      if (!isWithinShare(taker.running, 1, this.slots - this.running)) {
        this.ring.shift();
        this.ring.push(taker);
        this.turnsLeft = 0;
        overShare++;
        continue;
      }
      overShare = 0;
      if (this.turnsLeft <= 0) this.turnsLeft = taker.weight;
      if (taker.runNext()) {
        this.running++;
        this.turnsLeft--;
      } else this.turnsLeft = 0;
      if (!taker.hasRunnable) {
        this.ring.shift();
        this.inRing.delete(taker);
        this.turnsLeft = 0;
      } else if (this.turnsLeft <= 0) {
        this.ring.shift();
        this.ring.push(taker);
      }
    }
  }
}
