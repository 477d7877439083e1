/**
 * Queue of the deliveries that wait for a turn at one endpoint: high priority first, then in order
 * of arrival (IN-11). Its owner bounds its length.
 */
import type { InFlightDelivery } from '../intake/in-flight-delivery.ts';

export class Mailbox {
  private high: InFlightDelivery[] = [];
  private normal: InFlightDelivery[] = [];

  get length(): number {
    return this.high.length + this.normal.length;
  }

  get hasHigh(): boolean {
    return this.high.length > 0;
  }

  /** The number of waiting deliveries that would start before this one. */
  aheadOf(delivery: InFlightDelivery): number {
    return isHigh(delivery) ? this.high.length : this.length;
  }

  /** The number of waiting deliveries of the same priority. */
  lengthBeside(delivery: InFlightDelivery): number {
    return (isHigh(delivery) ? this.high : this.normal).length;
  }

  push(delivery: InFlightDelivery): void {
    (isHigh(delivery) ? this.high : this.normal).push(delivery);
  }

  shift(): InFlightDelivery | undefined {
    return this.high.shift() ?? this.normal.shift();
  }

  /** Whether the next delivery came from the tenant's own lane. */
  get headIsOfLane(): boolean {
    return this.high.length === 0 && this.normal[0]?.deliveryClass === 't';
  }

  /**
   * Removes the lane deliveries from the end of the mailbox, except those among the first `kept`.
   */
  takeLaneBeyond(kept: number): InFlightDelivery[] {
    if (this.normal.length <= kept) return [];
    const beyond = this.normal.splice(kept);
    this.normal.push(...beyond.filter((delivery) => delivery.deliveryClass !== 't'));
    return beyond.filter((delivery) => delivery.deliveryClass === 't');
  }

  /** Removes and returns all deliveries. */
  empty(): InFlightDelivery[] {
    const all = [...this.high, ...this.normal];
    this.high = [];
    this.normal = [];
    return all;
  }
}

/** Whether the delivery is of the high-priority class (IN-11). */
export function isHigh(delivery: Pick<InFlightDelivery, 'deliveryClass'>): boolean {
  return delivery.deliveryClass === 'h';
}
