/**
 * Capacity shared by many owners, such as the tenants of a process. An owner may hold at most
 * `PART_OF_FREE` times the amount it leaves free (dynamic thresholds: Choudhury and Hahne, 1998). A
 * single greedy owner gets four fifths, two get four ninths each, and an owner that holds nothing
 * always finds room.
 */
const PART_OF_FREE = 4;

/** Whether an owner that holds `held` may take `amount` more, with `free` left before it does. */
export function isWithinShare(held: number, amount: number, free: number): boolean {
  return held === 0 ? amount <= free : held + amount <= PART_OF_FREE * (free - amount);
}

export class FairShares {
  private readonly max: number;
  private used = 0;
  /** Only owners that hold something. */
  private readonly held = new Map<string, number>();

  constructor(max: number) {
    this.max = max;
  }

  /** Takes an amount for the owner; false if there is no room, or none for this owner. */
  tryTake(owner: string, amount = 1): boolean {
    const held = this.held.get(owner) ?? 0;
    // An amount above the maximum fits while nothing else is held.
    const fits = this.used === 0 || isWithinShare(held, amount, this.max - this.used);
    if (!fits) return false;
    this.used += amount;
    this.held.set(owner, held + amount);
    return true;
  }

  heldBy(owner: string): number {
    return this.held.get(owner) ?? 0;
  }

  /** Returns an amount, or a part of it. */
  give(owner: string, amount = 1): void {
    const held = (this.held.get(owner) ?? 0) - amount;
    this.used -= amount;
    if (held > 0) this.held.set(owner, held);
    else this.held.delete(owner);
  }
}
