/**
 * A semaphore with few slots that many tenants share. A tenant may hold half as many slots as are
 * free at the moment, and always one (dynamic thresholds: Choudhury and Hahne, 1998). The first
 * tenant therefore never gets all slots, however many it wants and however long it holds them.
 * Requests without a slot wait in the tenant's own queue; queues take turns.
 *
 * Limits: callers bound the number of waiting requests. The work of a step is proportional to the
 * number of slots.
 */
export class FairSemaphore {
  private free: number;
  /** Tenants with held slots or waiting requests, in the order of their turns. */
  private readonly tenants = new Map<string, Share>();

  constructor(slots: number) {
    this.free = slots;
  }

  /**
   * Waits for a slot, which the tenant holds until it calls `leave`.
   *
   * @param begin called with the slot; returns false where it needs the slot no more, and the next
   *   request gets it. It must not call this object before it returns
   */
  enter(tenant: string, begin: () => boolean): void {
    const share = this.tenants.get(tenant);
    if (share === undefined) this.tenants.set(tenant, { held: 0, waiting: [begin] });
    else share.waiting.push(begin);
    this.fill();
  }

  /** Releases one slot of a tenant. */
  leave(tenant: string): void {
    const share = this.tenants.get(tenant);
    if (share === undefined) return;
    share.held--;
    this.free++;
    this.tenants.delete(tenant);
    if (!isIdle(share)) this.tenants.set(tenant, share);
    this.fill();
  }

  private fill(): void {
    // A served tenant moves to the end, where the loop meets it again, until no tenant may have
    // another slot.
    for (const [tenant, share] of this.tenants) {
      if (this.free === 0) return;
      const most = Math.max(1, Math.floor(this.free / 2));
      if (share.waiting.length === 0 || share.held >= most) continue;
      this.tenants.delete(tenant);
      this.beginNext(share);
      if (!isIdle(share)) this.tenants.set(tenant, share);
    }
  }

  private beginNext(share: Share): void {
    for (let begin = share.waiting.shift(); begin !== undefined; begin = share.waiting.shift()) {
      if (!begin()) continue;
      share.held++;
      this.free--;
      return;
    }
  }
}

interface Share {
  held: number;
  /** First in, first out. */
  waiting: (() => boolean)[];
}

function isIdle(share: Share): boolean {
  return share.held === 0 && share.waiting.length === 0;
}
