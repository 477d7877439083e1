/**
 * While the process is busy, a tenant has only a few requests at work at once; its others wait at the door, before
 * their bodies are read. A queue inside the process is everybody's queue: without this, who publishes as fast as
 * it can on 64 connections stands 64 times before every other tenant.
 *
 * A process that is not busy lets everybody in at once and counts nothing.
 */
export interface FairDoorDeps {
  limit: {
    saw: (tenant: string) => void;
    /** Requests of one tenant that may be at work now: at least 1, infinite where nobody need wait. */
    current: () => number;
  };
}

interface TenantDoor {
  atWork: number;
  waiting: Visitor[];
}

export interface Visitor {
  /** Called once when it may go on; never where it has left before. */
  goOn: () => void;
  /** Registers what to call when it has left: answered, or gone. */
  onLeave: (left: () => void) => void;
}

export class FairDoor {
  private readonly deps: FairDoorDeps;
  private readonly doors = new Map<string, TenantDoor>();

  constructor(deps: FairDoorDeps) {
    this.deps = deps;
  }

  /** Requests that wait. Each is a connection of its own: the server's limit of those bounds them. */
  get waiting(): number {
    let count = 0;
    for (const { waiting } of this.doors.values()) count += waiting.length;
    return count;
  }

  enter(tenant: string, visitor: Visitor): void {
    const { limit } = this.deps;
    limit.saw(tenant);
    const most = limit.current();
    const known = this.doors.get(tenant);
    // Nobody overtakes those of the same tenant who wait already.
    if (known === undefined && most === Number.POSITIVE_INFINITY) {
      visitor.goOn();
      return;
    }
    const door = known ?? { atWork: 0, waiting: [] };
    if (known === undefined) this.doors.set(tenant, door);
    visitor.onLeave(() => this.leave(tenant, door, visitor));
    if (door.atWork < most) this.admit(door, visitor);
    else door.waiting.push(visitor);
  }

  private admit(door: TenantDoor, visitor: Visitor): void {
    door.atWork++;
    visitor.goOn();
  }

  private leave(tenant: string, door: TenantDoor, visitor: Visitor): void {
    const at = door.waiting.indexOf(visitor);
    if (at >= 0) door.waiting.splice(at, 1);
    else door.atWork--;
    const most = this.deps.limit.current();
    while (door.atWork < most && door.waiting.length > 0) {
      this.admit(door, door.waiting.shift() as Visitor);
    }
    if (door.atWork === 0 && door.waiting.length === 0) this.doors.delete(tenant);
  }
}
