import { DeficitRoundRobin, Flow } from './deficit-round-robin.ts';

/**
 * A semaphore with few slots that many tenants share. A tenant may hold half as many slots as are
 * free at the moment, and always one (dynamic thresholds: Choudhury and Hahne, 1998). The first
 * tenant therefore never gets all slots, however many it wants and however long it holds them.
 * Requests without a slot wait in the tenant's own queue; tenants take turns of one slot.
 *
 * Limits: callers bound the number of waiting requests. The work of a step is proportional to the
 * number of waiting tenants that hold slots, and so to the number of slots.
 */
export class FairSemaphore {
  private free: number;
  /** Tenants with held slots or waiting requests. */
  private readonly tenants = new Map<string, Share>();
  /** Those with waiting requests. */
  private readonly ring = new DeficitRoundRobin<Share>(() => 1);

  constructor(slots: number) {
    this.free = slots;
  }

  /**
   * Waits for a slot, which the tenant holds until it calls `leave`.
   *
   * @param begin called with the slot; returns false if it needs the slot no more, and the next
   *   request gets it. It must not call this object before it returns
   */
  enter(tenant: string, begin: () => boolean): void {
    let share = this.tenants.get(tenant);
    if (share === undefined) {
      share = new Share(tenant);
      this.tenants.set(tenant, share);
    }
    share.waiting.push(begin);
    this.ring.join(share.flow);
    this.fill();
  }

  /** Releases one slot of a tenant. */
  leave(tenant: string): void {
    const share = this.tenants.get(tenant);
    if (share === undefined) return;
    share.held--;
    this.free++;
    // Tenants that came while this one held the slot go first.
    if (this.ring.head === share) this.ring.pass();
    this.forgetIdle(share);
    this.fill();
  }

  private fill(): void {
    let overShare = 0;
    while (this.free > 0 && overShare < this.ring.size) {
      const share = this.ring.head as Share;
      if (share.held >= Math.max(1, Math.floor(this.free / 2))) {
        this.ring.pass();
        overShare++;
        continue;
      }
      overShare = 0;
      this.beginNext(share);
      if (share.waiting.length > 0) this.ring.spend();
      else {
        this.ring.leave(share.flow);
        this.forgetIdle(share);
      }
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

  private forgetIdle({ tenant, held, waiting }: Share): void {
    if (held === 0 && waiting.length === 0) this.tenants.delete(tenant);
  }
}

class Share {
  readonly tenant: string;
  held = 0;
  /** First in, first out. */
  readonly waiting: (() => boolean)[] = [];
  readonly flow: Flow<Share>;

  constructor(tenant: string) {
    this.tenant = tenant;
    this.flow = new Flow<Share>(this);
  }
}
