/**
 * A few slots that many tenants share. A tenant may hold half as many as are free at the moment, and one in any case
 * (dynamic thresholds: Choudhury and Hahne, 1998): whoever comes first does not get them all, however much it
 * wants and however long it holds them. What finds no slot waits in the tenant's own line; lines take turns.
 *
 * Limits: as much waits as is entered; whoever enters bounds that. A step costs as much as there are slots.
 */
export class FairSlots {
  private free: number;
  /** Those that hold or wait, in the order of their turns. */
  private readonly tenants = new Map<string, Share>();

  constructor(slots: number) {
    this.free = slots;
  }

  /**
   * Waits for a slot, which is the tenant's until it calls `leave`.
   *
   * @param begin called with the slot; false: it is not needed any more, and goes to the next. It must not call
   * anything of this object before it returns
   */
  enter(tenant: string, begin: () => boolean): void {
    const share = this.tenants.get(tenant);
    if (share === undefined) this.tenants.set(tenant, { held: 0, waiting: [begin] });
    else share.waiting.push(begin);
    this.fill();
  }

  /** Gives back one slot of a tenant. */
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
    // Whose turn it was goes to the end, where the loop meets it again, until nobody may have one more.
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
