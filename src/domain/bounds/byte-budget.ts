import { FairShares } from './fair-shares.ts';

/**
 * Bytes that a process may hold at once for one purpose, shared by tenants: none gets the last of them. Who finds no room
 * is turned away, and comes again.
 */
export class ByteBudget {
  private readonly shares: FairShares;

  constructor(max: number) {
    this.shares = new FairShares(max);
  }

  /**
   * Takes some. What is larger than all of it has room while nothing else is there.
   *
   * @param owner the tenant, or who else competes for the bytes
   * @returns what gives it back (further calls do nothing); undefined where there is no room
   */
  tryTake(owner: string, bytes: number): (() => void) | undefined {
    if (!this.shares.tryTake(owner, bytes)) return undefined;
    let isHeld = true;
    return () => {
      if (isHeld) this.shares.give(owner, bytes);
      isHeld = false;
    };
  }
}
