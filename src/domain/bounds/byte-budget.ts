import { FairShares } from '../contention/fair-shares.ts';

/**
 * Bounds the bytes that a process may hold for one purpose. Tenants share them, and none gets the
 * last of them. A caller without room is rejected and retries.
 */
export class ByteBudget {
  private readonly shares: FairShares;

  constructor(max: number) {
    this.shares = new FairShares(max);
  }

  /**
   * Acquires bytes. A request larger than the whole budget succeeds while nothing else is held.
   *
   * @param owner the tenant, or another owner that competes for the bytes
   * @returns the release function (further calls do nothing); undefined if there is no room
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
