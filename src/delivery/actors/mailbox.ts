/**
 * What waits for its turn at one endpoint: first what has high priority, each in the order in which it came
 * (IN-11). Its owner bounds it.
 */
import type { OwedDelivery } from '../intake/in-flight-delivery.ts';

export class Mailbox {
  private high: OwedDelivery[] = [];
  private normal: OwedDelivery[] = [];

  get length(): number {
    return this.high.length + this.normal.length;
  }

  get hasHigh(): boolean {
    return this.high.length > 0;
  }

  /** How many a delivery that comes now would let go first. */
  aheadOf(owed: OwedDelivery): number {
    return isHigh(owed) ? this.high.length : this.length;
  }

  /** How many of the same priority wait. */
  lengthBeside(owed: OwedDelivery): number {
    return (isHigh(owed) ? this.high : this.normal).length;
  }

  push(owed: OwedDelivery): void {
    (isHigh(owed) ? this.high : this.normal).push(owed);
  }

  shift(): OwedDelivery | undefined {
    return this.high.shift() ?? this.normal.shift();
  }

  /** Whether what goes next came by the tenant's own lane. */
  get headIsOfLane(): boolean {
    return this.high.length === 0 && this.normal[0]?.lane === 't';
  }

  /** Takes out, from the end, what came by the tenant's own lane and stands behind `kept` others. */
  takeLaneBeyond(kept: number): OwedDelivery[] {
    if (this.normal.length <= kept) return [];
    const beyond = this.normal.splice(kept);
    this.normal.push(...beyond.filter((owed) => owed.lane !== 't'));
    return beyond.filter((owed) => owed.lane === 't');
  }

  /** Takes all out. */
  empty(): OwedDelivery[] {
    const all = [...this.high, ...this.normal];
    this.high = [];
    this.normal = [];
    return all;
  }
}

/** Whether it came by the lane of high priority (IN-11). */
export function isHigh(owed: Pick<OwedDelivery, 'lane'>): boolean {
  return owed.lane === 'h';
}
