import { type BulkheadPolicy, bulkhead } from 'cockatiel';

/**
 * Bulkhead of one endpoint (DL-8): cockatiel's, with a capacity that can change. It counts turns
 * and not requests, as a turn that fetches its event must hold a slot too. The actor asks for a
 * free slot before it takes a turn; deliveries without one wait in the mailbox.
 */
export class EndpointBulkhead {
  private policy: BulkheadPolicy;
  private capacityNow: number;
  /** Turns that still run in the bulkheads of earlier capacities. */
  private earlier = 0;

  /** @param capacity concurrent turns, at least 1 */
  constructor(capacity: number) {
    this.capacityNow = capacity;
    this.policy = bulkhead(capacity);
  }

  get capacity(): number {
    return this.capacityNow;
  }

  get running(): number {
    return this.capacityNow - this.policy.executionSlots + this.earlier;
  }

  get hasSlot(): boolean {
    return this.policy.executionSlots > this.earlier;
  }

  /** Changes the capacity for the turns that begin from now on. */
  resize(capacity: number): void {
    if (capacity === this.capacityNow) return;
    this.earlier = this.running;
    this.capacityNow = capacity;
    this.policy = bulkhead(capacity);
  }

  /**
   * Runs a turn in a slot. Calls `ended` when the slot is free again.
   *
   * @throws BulkheadRejectedError if no slot is free, and errors of the turn
   */
  run(turn: () => Promise<void>, ended: () => void): Promise<void> {
    const { policy } = this;
    return policy.execute(turn).finally(() => {
      if (policy !== this.policy) this.earlier--;
      ended();
    });
  }
}
