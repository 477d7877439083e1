/**
 * A tenant that is behind: its events come faster than they are routed. They are acked without
 * being routed. The walk keeps those that are being routed already, and reads the others from EV-k.
 *
 * Phases: entering (its key is being written) -> walking -> leaving (all events are read, the last
 * ones are being routed) -> removing (its key is being removed) -> the consumer's events are routed
 * again. From leaving back to walking, where the tenant's new events exceed its share.
 *
 * Arriving events are acked while walking, and held unacked in every other phase. Order: the router
 * got the events that are being routed first; then it gets those of the walk, then the held ones.
 */
import type { TenantLives } from '#infra/tenant-lives.ts';
import type { BehindTenantState } from '#wire/behind-state.ts';
import type { ConsumedEvent } from '../in-flight-event.ts';
import type { Walk } from './walk.ts';

/** Points of a tenant's course, for tests that stop a router there. */
export type BehindStep = 'entered' | 'acked' | 'read' | 'routed' | 'removed';

type Phase = 'entering' | 'walking' | 'leaving' | 'removing';

/** The shard of a tenant that is behind. */
export interface BehindShard {
  lives: Pick<TenantLives, 'drops'>;
  /** Resolves when the current state is stored. @throws OvertakenError */
  save: () => Promise<void>;
  /** Whether further events are to be routed. */
  isWanted: () => boolean;
  /** Gives a new event one of the tenant's places; false if it holds its share. */
  tryTake: (event: ConsumedEvent) => boolean;
  route: (event: ConsumedEvent) => void;
  /** The tenant is no longer behind. */
  onCaughtUp: (tenant: BehindTenant, held: ConsumedEvent[]) => void;
  onStep: (step: BehindStep, tenant: string) => Promise<void> | void;
}

export class BehindTenant {
  /** Life id. */
  readonly tenant: string;
  private readonly since: number;
  private readonly shard: BehindShard;
  private readonly walk: Walk;
  /** The walk routes events up to this sequence, and later ones are not acked yet. */
  private target: number;
  private waiting: number;
  private phase: Phase;
  /** Events of the consumer that are being routed, and are acked once the key is stored. */
  private joined: readonly ConsumedEvent[];
  private readonly held: ConsumedEvent[] = [];
  private wake: () => void = () => {};

  /**
   * @param deps.since no earlier event is unrouted
   * @param deps.waiting events that are acked and not routed
   * @param deps.target no event after this sequence was acked unrouted
   * @param deps.isStored whether the tenant's key is stored
   */
  constructor(deps: {
    shard: BehindShard;
    tenant: string;
    since: number;
    waiting: number;
    target: number;
    joined: readonly ConsumedEvent[];
    isStored: boolean;
    walk: (onRouted: () => void) => Walk;
  }) {
    this.shard = deps.shard;
    this.tenant = deps.tenant;
    this.since = deps.since;
    this.waiting = deps.waiting;
    this.target = deps.target;
    this.joined = deps.joined;
    this.phase = deps.isStored ? 'walking' : 'entering';
    this.walk = deps.walk(() => this.onRouted());
    for (const event of deps.joined) this.walk.join(event);
  }

  /** The state to store; undefined: its key is to be removed. */
  get state(): BehindTenantState | undefined {
    if (this.phase === 'removing') return undefined;
    return { since: this.since, from: this.walk.from, waiting: this.waiting };
  }

  get isQuiet(): boolean {
    return this.walk.isQuiet;
  }

  /** Takes an event of the tenant from the consumer. */
  take(event: ConsumedEvent): void {
    if (event.seq < this.since) {
      // It was acked above the consumer's ack floor before a reset.
      this.shard.tryTake(event);
      this.shard.route(event);
    } else if (event.seq <= this.target && this.phase !== 'entering') {
      // Its ack was lost, or it was acked above the ack floor, or nak'ed before: the walk has it.
      ackUnrouted(event);
    } else if (this.phase === 'walking') {
      this.ackForWalk(event);
    } else {
      this.held.push(event);
      if (this.phase !== 'leaving') return;
      // As without a walk, later events do not wait for those that are delayed.
      if (this.walk.isResting || !this.shard.tryTake(event)) this.walkOn();
    }
  }

  /**
   * Becomes behind.
   *
   * @param first the event that exceeds the tenant's share; absent: one is in flight for long
   * @throws OvertakenError
   */
  async enter(first: ConsumedEvent | undefined): Promise<void> {
    if (first !== undefined) this.held.push(first);
    // Safe at each line: the key is stored before the first ack without routing. A crash before it
    // leaves the events unacked; after it, the next owner of the shard reads them from `from` on.
    await this.shard.save();
    await this.shard.onStep('entered', this.tenant);
    if (!this.shard.isWanted()) return;
    this.detachJoined();
    this.walkOn();
    await this.shard.onStep('acked', this.tenant);
    await this.catchUp();
  }

  /** Routes the waiting events until the tenant is no longer behind. @throws OvertakenError */
  async catchUp(): Promise<void> {
    while (this.shard.isWanted()) {
      // All data of an ended life is being removed.
      if (this.shard.lives.drops(this.tenant, 'event')) this.walk.skipTo(this.target + 1);
      await this.walk.readUpTo(() => this.target);
      // Events that arrived just now were acked for the walk.
      if (!this.walk.hasRead(this.target)) continue;
      this.phase = 'leaving';
      await this.shard.onStep('read', this.tenant);
      await this.untilIdle();
      await this.shard.onStep('routed', this.tenant);
      if (!this.isLeaving() || !this.shard.isWanted()) continue;
      this.phase = 'removing';
      // Safe: all events that were acked are routed, and later ones are held unacked.
      await this.shard.save();
      await this.shard.onStep('removed', this.tenant);
      this.shard.onCaughtUp(this, this.held.splice(0));
      return;
    }
  }

  /**
   * Extends the ack deadlines of held events, or acks them for the walk if they are held for long.
   */
  working(isLong: (event: ConsumedEvent) => boolean): void {
    const [oldest] = this.held;
    const isLate = oldest !== undefined && (this.walk.isResting || isLong(oldest));
    if (isLate && this.isLeaving()) this.walkOn();
    for (const event of this.held) event.working();
  }

  /** Forgets the held events: the next owner of the shard gets them. */
  stop(): void {
    for (const event of this.held.splice(0)) event.drop();
    this.wake();
  }

  private isLeaving(): boolean {
    return this.phase === 'leaving';
  }

  private async untilIdle(): Promise<void> {
    while (this.isLeaving() && this.shard.isWanted() && !this.walk.isIdle) {
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }

  private detachJoined(): void {
    for (const event of this.joined) {
      if (!this.walk.isOpen(event.seq)) continue;
      this.waiting++;
      event.detach();
    }
    // Do not keep their data for as long as the tenant is behind.
    this.joined = [];
  }

  private walkOn(): void {
    this.phase = 'walking';
    for (const event of this.held.splice(0)) this.ackForWalk(event);
    this.wake();
  }

  private ackForWalk(event: ConsumedEvent): void {
    if (event.seq > this.target) {
      this.target = event.seq;
      this.waiting++;
    }
    ackUnrouted(event);
  }

  private onRouted(): void {
    if (this.waiting > 0) this.waiting--;
    this.wake();
  }
}

/** Only while this router owns the shard: the next owner may have removed the tenant's key. */
function ackUnrouted(event: ConsumedEvent): void {
  if (event.isOwner()) event.ack();
  else event.drop();
}
