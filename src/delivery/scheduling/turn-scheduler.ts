import { isWithinShare } from '#domain/bounds/fair-shares.ts';

/**
 * Shares a worker's slots between its tenants. Tenants with work to run form a ring, and each turn
 * gives a tenant as many attempts as its weight (deficit round robin with a cost of one: Shreedhar
 * and Varghese, 1995). A tenant whose receivers hang keeps its slots for the whole attempt timeout,
 * so each tenant gets at most its share (`isWithinShare`): the last slots are left for tenants that
 * use none.
 */
export interface TurnTaker {
  /** The number of its running attempts. */
  readonly running: number;
  /** Attempts in one turn, at least 1. */
  readonly weight: number;
  /** Starts one attempt; returns false if there is none to start. */
  runNext(): boolean;
  /** Whether another attempt can start. */
  readonly hasRunnable: boolean;
}

export class TurnScheduler {
  private readonly slots: number;
  private ring: TurnTaker[] = [];
  private readonly inRing = new Set<TurnTaker>();
  private running = 0;
  /**
   * Attempts left in the turn of the ring's first tenant. Slots become free one by one, so its turn
   * continues with the next free slot.
   */
  private turnsLeft = 0;

  /** @param slots concurrent attempts allowed in the worker */
  constructor(slots: number) {
    this.slots = slots;
  }

  get inFlight(): number {
    return this.running;
  }

  /** Adds a taker that has an attempt to start. */
  ready(taker: TurnTaker): void {
    if (!this.inRing.has(taker)) {
      this.inRing.add(taker);
      this.ring.push(taker);
    }
    this.pump();
  }

  /** Frees the slot of an attempt that has ended. */
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
