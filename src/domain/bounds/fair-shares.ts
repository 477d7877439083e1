/**
 * Room that many owners share, such as the tenants of a process. An owner may hold at most `PART_OF_FREE` times what it
 * leaves free (dynamic thresholds: Choudhury and Hahne, 1998). So one that wants everything gets four fifths, two get four
 * ninths each, and the last places are always left for an owner that holds nothing.
 */
const PART_OF_FREE = 4;

/** Whether an owner that holds `held` may have so much more, where `free` is left without it. */
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

  /** Takes some for the owner; false where there is no room, or not for this owner. */
  tryTake(owner: string, amount = 1): boolean {
    const held = this.held.get(owner) ?? 0;
    // What is larger than all of it has room while nothing else is there.
    const fits = this.used === 0 || isWithinShare(held, amount, this.max - this.used);
    if (!fits) return false;
    this.used += amount;
    this.held.set(owner, held + amount);
    return true;
  }

  heldBy(owner: string): number {
    return this.held.get(owner) ?? 0;
  }

  /** Gives back what was taken, or a part of it. */
  give(owner: string, amount = 1): void {
    const held = (this.held.get(owner) ?? 0) - amount;
    this.used -= amount;
    if (held > 0) this.held.set(owner, held);
    else this.held.delete(owner);
  }
}
