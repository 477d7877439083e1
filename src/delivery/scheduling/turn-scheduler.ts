import { DeficitRoundRobin, type Flow } from '#domain/contention/deficit-round-robin.ts';
import { isWithinShare } from '#domain/contention/fair-shares.ts';

/** A tenant of the worker. */
export interface TurnTaker {
  /** Its place in the scheduler's ring. */
  readonly flow: Flow<TurnTaker>;
  /** The number of its running attempts. */
  readonly running: number;
  /** Attempts in one turn, at least 1. */
  readonly weight: number;
  /** Starts one attempt; returns false if there is none to start. */
  runNext(): boolean;
  /** Whether another attempt can start. */
  readonly hasRunnable: boolean;
}

/**
 * Shares a worker's slots between its tenants. Tenants with work take turns by deficit round robin,
 * and each turn gives a tenant as many attempts as its weight. Slots become free one by one, so a
 * turn continues with the next free slot. A tenant whose receivers hang keeps its slots for the
 * whole attempt timeout, so each tenant gets at most its share (`isWithinShare`): the last slots
 * are left for tenants that use none.
 */
export class TurnScheduler {
  private readonly slots: number;
  private readonly ring = new DeficitRoundRobin<TurnTaker>((taker) => taker.weight);
  private running = 0;

  /** @param slots concurrent attempts allowed in the worker */
  constructor(slots: number) {
    this.slots = slots;
  }

  get inFlight(): number {
    return this.running;
  }

  /** Adds a taker that has an attempt to start. */
  ready(taker: TurnTaker): void {
    this.ring.join(taker.flow);
    this.pump();
  }

  /** Frees the slot of an attempt that has ended. */
  release(): void {
    this.running--;
    this.pump();
  }

  private pump(): void {
    let overShare = 0;
    while (this.running < this.slots && overShare < this.ring.size) {
      const taker = this.ring.head as TurnTaker;
      if (!isWithinShare(taker.running, 1, this.slots - this.running)) {
        this.ring.pass();
        overShare++;
        continue;
      }
      overShare = 0;
      const isStarted = taker.runNext();
      if (isStarted) this.running++;
      if (!taker.hasRunnable) this.ring.leave(taker.flow);
      else if (isStarted) this.ring.spend();
      else this.ring.pass();
    }
  }
}
